"""Requests that arrive together are answered together, and their answers are sent together.

Sending wakes whoever waits for the answer, and that takes as long as a good part of an invocation;
a client that is woken for the first of many answers finds the others there, too. And each request
is answered in one go, so that what belongs to it is at hand, however many connections there are.
(Larus and Parkes, "Using Cohort Scheduling to Enhance Server Performance", USENIX 2002.)
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator
from contextvars import Context
from time import monotonic
from typing import Any

__all__ = ["Cohorts", "Turn"]

# From 8 to 128 all do equally well, but for some percent where it is the number of connections.
_SIZE = 64

# So many cohorts may have their turn while the loop collects what has arrived: libuv goes on with
# that for as long as 1024 sockets are ready each time, and looks at no timer in between.
_AT_ONCE = 16

# An answer waits no longer than that, in seconds, but for a function that holds the loop longer.
_SOON = 0.005


class Cohorts:
    """The requests of all connections that wait for their turn, and the answers not yet sent.

    Args:
        loop: The loop of the connections.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: deque[Turn] = deque()
        self._unsent: list[tuple[asyncio.Transport, bytes]] = []
        self._is_sent_later = False
        self._since = 0.0
        self._at_once = 0

    def add(self, turn: "Turn") -> None:
        """A request is here; it has its turn when there are enough, or as many as there will be."""
        if not self._due:
            self._loop.call_soon(self._next)
        self._due.append(turn)

    def look(self) -> None:
        """Have a cohort take its turn now, if there are enough for one."""
        is_enough = len(self._due) >= _SIZE and self._at_once < _AT_ONCE
        if is_enough and asyncio.current_task(self._loop) is None:  # tasks cannot run in a task
            self._at_once += 1
            self._take_turns()

    def send(self, transport: asyncio.Transport, answer: bytes) -> None:
        """Send a whole answer: with the last of its cohort, or of this round of the loop."""
        now = monotonic()
        if not self._unsent:
            self._since = now
        self._unsent.append((transport, answer))
        if now - self._since > _SOON:
            self.flush()
        elif not self._is_sent_later:
            self._is_sent_later = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what there is to send; nothing to those that have gone."""
        self._is_sent_later = False
        unsent, self._unsent = self._unsent, []
        for transport, answer in unsent:
            if not transport.is_closing():
                transport.write(answer)

    def _next(self) -> None:
        self._at_once = 0
        while self._due:
            self._take_turns()

    def _take_turns(self) -> None:
        self._is_sent_later = True
        try:
            for _ in range(min(_SIZE, len(self._due))):
                self._due.popleft().take()
        finally:
            self.flush()


class Turn:
    """What the task of a request waits for: that the request is here, and its turn has come.

    A future for `asyncio`, which takes anything with `_asyncio_future_blocking` for one; but the
    task goes on at once when it is its turn, and not in a later round of the loop.

    Args:
        cohorts: Where it queues once the request is here.
        loop: The loop of the task.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cohorts",
        "_context",
        "_go_on",
        "_is_cancelled",
        "_is_done",
        "_loop",
    )

    def __init__(self, cohorts: Cohorts, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._cohorts = cohorts
        self._loop = loop
        self._is_done = self._is_cancelled = False

    def __await__(self) -> Generator["Turn", None, None]:
        self._asyncio_future_blocking = True
        yield self

    def add_done_callback(self, callback: Callable[["Turn"], object], *, context: Context) -> None:
        """The task waits from now on, and goes on by calling this."""
        self._go_on = callback
        self._context = context

    def done(self) -> bool:
        """Whether the request is here, or nobody waits for it any more."""
        return self._is_done

    def result(self) -> None:
        """Nothing.

        Raises:
            asyncio.CancelledError: The wait was cancelled.
        """
        if self._is_cancelled:
            raise asyncio.CancelledError

    def set_result(self, _: None) -> None:
        """The request is here."""
        self._is_done = True
        self._cohorts.add(self)

    def cancel(self, msg: Any = None) -> bool:
        """Wait no longer, unless the request is here; whether that was so."""
        if self._is_done:
            return False
        self._is_done = self._is_cancelled = True
        self._loop.call_soon(self.take)
        return True

    def take(self) -> None:
        """The task goes on, now."""
        self._context.run(self._go_on, self)
