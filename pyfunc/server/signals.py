"""Signals: what each one means, from the first moment of a process to its last.

The first signal asks a process to stop, the second one to hurry. The children of a function get
none of this; see `pyfunc.invoking.forks`.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Mapping
from types import FrameType, MappingProxyType

__all__ = ["SIGNALS", "WORKER_SIGNALS", "Meanings", "Signals", "disregard", "stoppable"]

logger = logging.getLogger("pyfunc")

Meanings = Mapping[signal.Signals, signal.Signals | None]
"""The signal that each signal counts as; `None` for the request to hurry."""

SIGNALS: Meanings = MappingProxyType({n: n for n in (signal.SIGTERM, signal.SIGINT)})
# A service manager may send SIGTERM to every process, and a terminal does so with SIGINT. The
# supervisor passes on what it gets, so only what it sends besides makes a worker hurry.
WORKER_SIGNALS: Meanings = MappingProxyType(
    {signal.SIGTERM: signal.SIGTERM, signal.SIGQUIT: signal.SIGINT, signal.SIGUSR2: None}
)


def stoppable(start: Callable[[], int], numbers: Iterable[signal.Signals] = SIGNALS) -> int:
    """Call `start`; return its exit code, or 0 if a signal comes before it handles them itself.

    Python itself would die of SIGTERM, and the first process of a container, for which there is no
    default action, would not notice it.
    """
    for number in numbers:
        signal.signal(number, _interrupt)
    # Workers are forked with their signals blocked, so that none comes before this.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        return start()
    except KeyboardInterrupt as received:
        _ignore(numbers)
        logger.info("%s during start-up; stopped with exit code 0", received)
        return 0


def disregard(number: int, _: FrameType | None) -> None:
    """Do nothing: a handler that, unlike `SIG_IGN`, programs that are started do not inherit."""


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _ignore(numbers: Iterable[signal.Signals]) -> None:
    """Ignore what comes from now on, also while the interpreter ends, which removes handlers."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


class Signals:
    """The signals that were received: the first one asks to stop, the second one to hurry.

    Args:
        meanings: The signals, and what they mean.
    """

    def __init__(self, meanings: Meanings) -> None:
        loop = asyncio.get_running_loop()
        self.first: asyncio.Future[signal.Signals] = loop.create_future()
        self.second = asyncio.Event()
        self.when_hurried: Callable[[], object] = bool
        """Called with the second signal and each one after it."""
        self._meanings = meanings
        for number, meant in meanings.items():
            loop.add_signal_handler(number, self.receive, meant)

    def ignore(self) -> None:
        """Ignore every signal from now on."""
        for number in self._meanings:
            asyncio.get_running_loop().remove_signal_handler(number)
        _ignore(self._meanings)

    def receive(self, meant: signal.Signals | None) -> None:
        """Take a signal."""
        if meant is None or (self.first.done() and None not in self._meanings.values()):
            self.second.set()
            self.when_hurried()
        if not self.first.done():
            self.first.set_result(meant or signal.SIGTERM)
