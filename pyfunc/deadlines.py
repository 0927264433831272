"""Ends invocations that outlast their time limit, with one timer for all of them."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, cast

from pyfunc.errors import DeadlineError

__all__ = ["Deadlines"]

logger = logging.getLogger("pyfunc")

_LATE = "the function was not done within its time limit"


class Deadlines:
    """The tasks that have a time limit.

    A timer for each of them, or `asyncio.timeout`, would cost more than most invocations need
    otherwise. Nearly all end long before their time: the one timer then finds nothing to do.
    """

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    async def keep(self, work: "Coroutine[Any, Any, Any]", deadline: float) -> Any:
        """What `work` gives, done in the task of the caller.

        Args:
            work: A coroutine; it is cancelled when its time is up.
            deadline: When that is, on the clock of `time.monotonic`.

        Raises:
            DeadlineError: Its time was up.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks[task] = deadline
        if self._timer is None or deadline < self._next:
            self._set(deadline)
        try:
            return await work
        except asyncio.CancelledError:
            if task not in self._ended or task.cancelling() > 1:
                raise
            logger.warning(_LATE)
            raise DeadlineError(_LATE) from None
        finally:
            del self._tasks[task]
            if task in self._ended:
                self._ended.discard(task)
                task.uncancel()

    def _set(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = deadline
        self._timer = asyncio.get_running_loop().call_later(
            max(0.0, deadline - time.monotonic()), self._look
        )

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        for task, deadline in self._tasks.items():
            if deadline <= now and task not in self._ended:
                self._ended.add(task)
                task.cancel()
        rest = [when for task, when in self._tasks.items() if task not in self._ended]
        if rest:
            self._set(min(rest))
