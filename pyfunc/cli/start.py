"""The command `start`: serve the function, in this process or in several workers."""

import logging
from collections.abc import Callable
from functools import partial

from pyfunc.app import create_app
from pyfunc.cli.parser import variable_warnings
from pyfunc.errors import SettingsError
from pyfunc.server.cpus import usable_cpus
from pyfunc.server.process import run
from pyfunc.settings import Settings
from pyfunc.telemetry import logs
from pyfunc.telemetry.setup import share

__all__ = ["start"]

logger = logging.getLogger("pyfunc")


def start(settings: Settings) -> int:
    """Serve until a signal ends the process.

    Returns:
        The exit code.

    Raises:
        StartupError: The function cannot be served, or a port is in use.
    """
    logs.configure(
        settings.log_level,
        settings.log_format,
        debug=settings.debug,
        color=not settings.no_color,
    )
    for text in variable_warnings():
        logger.warning("unknown variable %s", text)
    if (workers := settings.workers or usable_cpus()) > 1:
        return _run_workers()(create_app, settings, workers, share)
    return run(partial(create_app, settings), settings)


def _run_workers() -> Callable[..., int]:
    try:
        from pyfunc.server.workers import run_workers  # needs the extra `workers`
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"several workers need {error.name}: install pyfunc-invoker with the extra `workers`,"
            " or set --workers 1"
        ) from None
    return run_workers
