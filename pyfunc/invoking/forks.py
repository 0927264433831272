"""Children that the function forks: they get signals as usual, and never serve.

A child inherits the handlers of the server and the descriptor that wakes its loop, so that a signal
to the child would stop the server. And it inherits the sockets: where it came back from the
function, it would answer on them.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["PROCESS", "watch_forks"]

logger = logging.getLogger("pyfunc")


class Process:
    """Which process this is: the one that serves, or a child that the function forked."""

    __slots__ = ("is_child", "loop", "numbers")

    def __init__(self) -> None:
        self.is_child = False
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop that serves."""
        self.numbers: frozenset[signal.Signals] = frozenset()
        """The signals that the server handles."""

    def begin_child(self) -> None:
        """Handle signals as Python does; end the child where it comes back to the loop."""
        self.is_child = True
        signal.set_wakeup_fd(-1)
        for number in self.numbers:
            is_interrupt = number is signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)
        if self.loop is not None:
            self.loop.call_soon(self.end_child)

    def end_child(self, error: BaseException | None = None) -> None:
        """End the child as Python would at the end of its program.

        Args:
            error: What it raised; `None` where it returned.
        """
        code = 0 if error is None else _exit_code(error)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        os._exit(code)


def _exit_code(error: BaseException) -> int:
    """The exit code that Python would end with; logs what Python would print."""
    cause = error.__cause__
    end = cause if isinstance(cause, SystemExit) else error  # it was contained
    if not isinstance(end, SystemExit):
        logger.error("a child that the function forked failed", exc_info=error)
        return 1
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    logger.error("a child that the function forked ended: %s", end.code)
    return 1


PROCESS = Process()


def watch_forks(numbers: Iterable[signal.Signals]) -> None:
    """Prepare every child that is forked from now on.

    Args:
        numbers: The signals that the server handles.
    """
    if not PROCESS.numbers and hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=PROCESS.begin_child)
    PROCESS.numbers = frozenset({*numbers, signal.SIGINT})
