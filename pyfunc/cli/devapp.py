"""The application that `dev` serves, made in a process of its own after each change."""

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
    """The function's application; where it cannot be served, one that says why."""
    settings = replace(Settings.resolve(), debug=True, access_log=True)
    logs.configure(settings.log_level, log_format(settings), color=not settings.no_color)
    logging.getLogger("aiohttp.access").disabled = True  # the function has a log of its own
    listen_on(settings.host or LOCALHOST)
    try:
        app = create_app(settings)
    except StartupError as error:
        logger.critical("%s", error)
        logger.info("it will be tried again when a file is saved")
        return _explaining(str(error))
    app.on_startup.append(_tell)
    return app


def log_format(settings: Settings) -> str:
    """Text, which people read, unless something else was chosen."""
    return "text" if settings.log_format == "auto" else settings.log_format


def listen_on(host: str) -> None:
    """Have aiohttp-devtools listen on one interface; 1.1 has a constant for all of them.

    Goes when its runserver has an option for that; `test_dev` will tell.
    """
    # of the extra `dev`
    from aiohttp_devtools.runserver import serve  # type: ignore[import-untyped]

    serve.HOST = host


async def _tell(_: web.Application) -> None:
    logger.info("the function is loaded")


def _explaining(error: str) -> web.Application:
    async def explain(_: web.Request) -> web.Response:
        return web.Response(status=500, text=f"The function cannot be served.\n\n{error}\n")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", explain)
    return app
