"""The application that `dev` serves, created in a new process after each change."""

import logging

from aiohttp import web
from msgspec.structs import replace

from pyfunc.app import create_app
from pyfunc.errors import StartupError
from pyfunc.settings import Settings
from pyfunc.telemetry import logs

__all__ = ["LOCALHOST", "app_factory", "listen_on", "log_format"]

LOCALHOST = "127.0.0.1"

logger = logging.getLogger("pyfunc")


def app_factory() -> web.Application:
    """Create the application of the function, or one that responds with the fault."""
    settings = replace(Settings.resolve(), debug=True, access_log=True)
    logs.configure(settings.log_level, log_format(settings), color=not settings.no_color)
    logging.getLogger("aiohttp.access").disabled = True  # pyfunc logs requests itself
    listen_on(settings.host or LOCALHOST)
    try:
        app = create_app(settings)
    except StartupError as error:
        logger.critical("%s", error)
        logger.info("retrying when a file is saved")
        return _fault_app(str(error))
    app.on_startup.append(_log_loaded)
    return app


def log_format(settings: Settings) -> str:
    """Return the format of the log: text, unless the user set another."""
    return "text" if settings.log_format == "auto" else settings.log_format


def listen_on(host: str) -> None:
    """Set the interface of aiohttp-devtools, where version 1.1 has a constant for all interfaces.

    To be removed once its runserver has an option; a test in `test_dev` will fail then.
    """
    # of the extra `dev`
    from aiohttp_devtools.runserver import serve  # type: ignore[import-untyped]

    serve.HOST = host


async def _log_loaded(_: web.Application) -> None:
    logger.info("the function is loaded")


def _fault_app(error: str) -> web.Application:
    async def explain(_: web.Request) -> web.Response:
        return web.Response(status=500, text=f"The function cannot be served.\n\n{error}\n")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", explain)
    return app
