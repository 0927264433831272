"""The log: one line for each record, on standard error, at once; configured by the command line."""

import logging
import sys

from pyfunc.tracebacks import format_user_traceback

__all__ = ["configure"]


class _Formatter(logging.Formatter):
    """Time, severity, logger and message; a traceback with the user's frames."""

    def __init__(self, whole: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.whole = whole

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
        error = ei[1] if isinstance(ei, tuple) else None
        if self.whole or error is None:
            return super().formatException(ei)  # type: ignore[arg-type]  # as logging passes it
        return format_user_traceback(error)


def configure(level: str, debug: bool) -> None:
    """Configure the root logger, so that the user's `logging.info` appears.

    Args:
        level: The least severity that is logged, such as `info`.
        debug: Show whole tracebacks, with the server's own frames.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(debug))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
