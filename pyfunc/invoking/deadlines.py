"""Ends invocations that outlast their time limit, with one timer for all of them."""

import asyncio
import logging
import time
from types import TracebackType
from typing import Any

from pyfunc.errors import DeadlineError

__all__ = ["Deadlines", "Limit"]

logger = logging.getLogger("pyfunc")

_LATE = "the function was not done within its time limit"
_NEVER = float("inf")


class Deadlines:
    """The work that has a time limit.

    A timer for each piece, or `asyncio.timeout`, would cost more than most invocations need
    otherwise. Nearly all end long before their time: the one timer then finds nothing to do.
    """

    def __init__(self) -> None:
        self.limits: set[Limit] = set()
        self.next_look = _NEVER
        self._timer: asyncio.TimerHandle | None = None

    def look_at(self, deadline: float) -> None:
        """Have the timer look when this is, not later."""
        if self._timer is not None:
            self._timer.cancel()
        self.next_look = deadline
        self._timer = asyncio.get_running_loop().call_later(
            max(0.0, deadline - time.monotonic()), self._look
        )

    def _look(self) -> None:
        self._timer, self.next_look = None, _NEVER
        now = time.monotonic()
        for limit in [limit for limit in self.limits if limit.deadline <= now]:
            self.limits.discard(limit)
            limit.end()
        earliest = min((limit.deadline for limit in self.limits), default=_NEVER)
        if earliest < _NEVER:
            self.look_at(earliest)


class Limit:
    """What is done within this is cancelled when its time is up, in the task that begins it.

    Args:
        deadlines: The work of its kind.
        deadline: When its time is up, on the clock of `time.monotonic`; `None` for no limit.

    Raises:
        DeadlineError: On leaving; its time was up.
    """

    __slots__ = ("_deadlines", "_is_ended", "_task", "deadline")

    def __init__(self, deadlines: Deadlines, deadline: float | None) -> None:
        self._deadlines = deadlines
        self._is_ended = False
        self.deadline = _NEVER if deadline is None else deadline

    def __enter__(self) -> None:
        self._task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._deadlines.limits.add(self)
        if self.deadline < self._deadlines.next_look:
            self._deadlines.look_at(self.deadline)

    def end(self) -> None:
        """Time is up."""
        self._is_ended = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.limits.discard(self)
        if self._is_ended and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            logger.warning(_LATE)
            raise DeadlineError(_LATE) from None
