"""Threads for sync functions: as many as are needed, up to a number, and none that holds the exit.

Python's own pool joins its threads when the process ends, so that one function that never returns
would keep the process from ending; these threads are daemons. They are also cheaper: results are
handed straight to the loop, and all accounts are kept on the loop, without a lock.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from pyfunc.errors import UnavailableError
from pyfunc.function.tracebacks import user_place, user_stack
from pyfunc.invoking.forks import PROCESS
from pyfunc.invoking.user_code import called

__all__ = ["Threads"]

logger = logging.getLogger("pyfunc")

# Seconds between two lines about the same shortage.
_WARN_EVERY = 60.0


class _Call:
    """One call on its way to a thread, and the thread that has taken it."""

    __slots__ = ("call", "future", "loop", "thread")

    def __init__(self, call: Callable[[], Any], future: "asyncio.Future[Any]", loop: Any) -> None:
        self.call = call
        self.future = future
        self.loop = loop
        self.thread: int | None = None


class Threads:
    """A pool of threads that serves one loop.

    Args:
        limit: The most threads.
        name: What their names begin with.
    """

    def __init__(self, limit: int, name: str) -> None:
        self.limit = limit
        self.name = name
        self._count = 0
        self._calls: set[_Call] = set()
        self._work: SimpleQueue[_Call | None] = SimpleQueue()
        self._next_warning = 0.0

    @property
    def busy(self) -> int:
        """How many threads are busy."""
        return min(len(self._calls), self._count)

    @property
    def abandoned(self) -> int:
        """How many threads are busy with calls whose result nobody waits for any more."""
        return sum(call.future.done() and call.thread is not None for call in self._calls)

    async def run(self, call: Callable[[], Any]) -> Any:
        """What `call` returns in a thread.

        When the wait is cancelled, a call that no thread has taken yet is dropped. One that runs
        cannot be stopped: it keeps its thread until it returns, and the log says so.

        Raises:
            UnavailableError: It needs another thread, and none can be started.
        """
        loop = asyncio.get_running_loop()
        if len(self._calls) >= self._count < self.limit:
            self._start()
        future: asyncio.Future[Any] = loop.create_future()
        work = _Call(call, future, loop)
        self._calls.add(work)
        self._work.put(work)
        try:
            return await future
        except asyncio.CancelledError:
            if work.thread is not None:
                logger.info(
                    "a thread cannot be stopped and goes on%s; %d of %d threads are held like this",
                    _place(work.thread),
                    self.abandoned,
                    self.limit,
                )
            raise

    def stacks(self) -> str:
        """Where its busy threads are now, in the user's code, as Python prints it."""
        frames = sys._current_frames()
        there = [frames[call.thread] for call in self._calls if call.thread in frames]
        return "".join("".join(user_stack(frame).format()) for frame in there)

    def close(self) -> None:
        """Let the threads end that are idle, and the others when their call returns."""
        for _ in range(self._count):
            self._work.put(None)

    def _start(self) -> None:
        try:
            threading.Thread(
                target=_serve,
                args=(self._work, self._done),
                name=f"{self.name}-{self._count + 1}",
                daemon=True,
            ).start()
        except (RuntimeError, MemoryError) as error:  # a limit of threads or of memory
            self._warn(error)
            raise UnavailableError(
                "no thread can be started: try again", reason="threads"
            ) from error
        self._count += 1

    def _warn(self, error: Exception) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + _WARN_EVERY
            logger.error(
                "no thread can be started (%s), %d of %d are there: calls fail until one can be",
                str(error) or type(error).__name__,
                self._count,
                self.limit,
            )

    def _done(self, work: _Call, result: Any, error: BaseException | None) -> None:
        self._calls.discard(work)
        future = work.future
        if future.done():
            if work.thread is not None:
                logger.info("a thread that nobody waited for is free again", exc_info=error)
        elif error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _serve(work: "SimpleQueue[_Call | None]", done: Callable[..., None]) -> None:
    """Take calls and hand their outcomes to the loop, for the life of a thread."""
    while (call := work.get()) is not None:
        result, error = (None, None) if call.future.cancelled() else _outcome(call)
        try:
            call.loop.call_soon_threadsafe(done, call, result, error)
        except RuntimeError:  # the loop is closed: the process is about to end
            return
        del call, result, error  # an idle thread keeps nothing alive


def _outcome(call: _Call) -> tuple[Any, BaseException | None]:
    call.thread = threading.get_ident()
    result, error = None, None
    try:
        result = called(call.call)
    except BaseException as raised:  # whatever it is, the thread goes on
        error = raised
    if PROCESS.is_child:
        PROCESS.end_child(error)
    return result, error


def _place(thread: int) -> str:
    """Where a thread is now, in the user's code."""
    frame = sys._current_frames().get(thread)
    place = user_place(traceback.extract_stack(frame)) if frame else ""
    return f" (at {place})" if place else ""
