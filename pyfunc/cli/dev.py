"""Serves the function while it is written: a saved file restarts the server.

aiohttp-devtools' runserver does it: this process watches the directory, one of its own serves. What
it serves is `devapp`, which shows what is wrong with the function instead of dying of it.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from pyfunc.cli import devapp
from pyfunc.errors import StartupError
from pyfunc.server.listeners import listen
from pyfunc.settings import Address, Settings, export
from pyfunc.telemetry import logs

__all__ = ["run"]

logger = logging.getLogger("pyfunc")

Runserver = Callable[..., Mapping[str, Any]]


def run(settings: Settings, options: Mapping[str, str]) -> int:
    """Serve until a signal says to stop; the exit code.

    Args:
        settings: The options.
        options: The text of those that were given as flags, by field of `Settings`.

    Raises:
        ListenError: The port is taken.
        StartupError: aiohttp-devtools is not installed, or there is no such directory.
    """
    runserver = _runserver()
    directory = Path(settings.search_path).absolute()
    if not directory.is_dir():
        raise StartupError(f"the search path {settings.search_path} is no directory")
    logs.configure(
        settings.log_level,
        devapp.log_format(settings),
        debug=settings.debug,
        color=not settings.no_color,
    )
    host = settings.host or devapp.LOCALHOST
    port = _free_port(host, settings.port)
    export({**options, "host": host, "port": str(port)})  # for the process that serves
    devapp.listen_on(host)
    logger.info("watching %s, serving on http://%s:%d", directory, host, port)
    _watch(runserver, directory, host, port)
    return 0


def _runserver() -> Runserver:
    try:
        # of the extra `dev`
        from aiohttp_devtools.runserver import runserver  # type: ignore[import-untyped]
    except ImportError:
        raise StartupError(
            "dev needs aiohttp-devtools: python -m pip install aiohttp-devtools"
        ) from None
    # One tells of a second server, which only browsers that reload pages ask; one of each change.
    for name in ("adev.server.dft", "watchfiles"):
        logging.getLogger(name).setLevel(logging.WARNING)
    prepare: Runserver = runserver
    return prepare


def _free_port(host: str, port: int) -> int:
    """The port, found free; the same one for every restart, where any would do."""
    (sock, *others) = listen([Address(host, port)])
    with contextlib.ExitStack() as opened:
        for each in (sock, *others):
            opened.enter_context(each)
        return int(sock.getsockname()[1])


def _watch(runserver: Runserver, directory: Path, host: str, port: int) -> None:
    prepared = runserver(
        app_path=devapp.__file__,
        python_path=str(Path(devapp.__file__).parents[2]),
        root_path=str(directory),
        app_factory_name="app_factory",
        host=host,
        main_port=port,
        livereload=False,
        browser_cache=True,
    )
    web.run_app(
        prepared["app"],
        host=devapp.LOCALHOST,
        port=0,
        shutdown_timeout=prepared["shutdown_timeout"],
        access_log=None,
        print=None,
    )
