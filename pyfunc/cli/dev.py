"""The command `dev`: serve on localhost, reloading on save.

This process runs aiohttp-devtools' runserver, which watches the directory; a child process serves
the application of `devapp`.
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

__all__ = ["dev"]

logger = logging.getLogger("pyfunc")

Runserver = Callable[..., Mapping[str, Any]]


def dev(settings: Settings, options: Mapping[str, str]) -> int:
    """Serve until a signal ends the process.

    Args:
        settings: The options.
        options: The texts of those on the command line, by field of `Settings`.

    Returns:
        The exit code, 0.

    Raises:
        ListenError: The port is in use.
        StartupError: aiohttp-devtools is not installed, or the search path is not a directory.
    """
    runserver = _runserver()
    directory = Path(settings.search_path).absolute()
    if not directory.is_dir():
        raise StartupError(f"the search path {settings.search_path} is not a directory")
    logs.configure(
        settings.log_level,
        devapp.log_format(settings),
        debug=settings.debug,
        color=not settings.no_color,
    )
    host = settings.host or devapp.LOCALHOST
    port = _free_port(host, settings.port)
    export({**options, "host": host, "port": str(port)})  # for the child process
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
    # They log the address of a server for live reload, which is off, and each changed file.
    for name in ("adev.server.dft", "watchfiles"):
        logging.getLogger(name).setLevel(logging.WARNING)
    prepare: Runserver = runserver
    return prepare


def _free_port(host: str, port: int) -> int:
    """Check that the port is free, or choose one, so that each restart uses the same."""
    sockets = listen([Address(host, port)])
    with contextlib.ExitStack() as stack:
        for sock in sockets:
            stack.enter_context(sock)
        return int(sockets[0].getsockname()[1])


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
