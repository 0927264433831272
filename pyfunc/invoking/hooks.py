"""Runs the user's hooks: `on_startup` and `on_shutdown` once, `is_ready` and `is_alive` for probes.

A sync hook runs in a thread of its own, so that it neither stops the loop nor waits for a function.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from pyfunc.errors import HookError
from pyfunc.function.signature import is_async
from pyfunc.function.tracebacks import format_folded_traceback, waiting_stack
from pyfunc.invoking.threads import Threads
from pyfunc.lifecycle import Lifecycle, Phase
from pyfunc.settings import Settings

__all__ = ["Check", "Hooks"]

logger = logging.getLogger("pyfunc")

Hook = Callable[[], Any]
_Outcome = tuple[object, BaseException | None]

# What has been cancelled gets this long to clean up, in seconds.
_LAST_WORDS = 1.0


class Hooks:
    """The hooks of one function.

    Args:
        hooks: What the function's module has, by name.
        settings: The time limits.
    """

    def __init__(self, hooks: Mapping[str, Hook], settings: Settings) -> None:
        self._hooks = hooks
        self._startup_timeout = settings.startup_timeout
        self._debug = settings.debug
        limits = (settings.probe_timeout, settings.probe_cache)
        self.is_ready = self._check("is_ready", *limits)
        self.is_alive = self._check("is_alive", *limits)

    def context(
        self, lifecycle: Lifecycle, threads: Threads
    ) -> Callable[[web.Application], AsyncIterator[None]]:
        """What an aiohttp app lives in: `on_startup` before it is ready, `on_shutdown` at its end.

        Args:
            lifecycle: The phase, which is set here.
            threads: Those of the function, which end with the app.
        """

        async def live(_: web.Application) -> AsyncIterator[None]:
            startup = lifecycle.startup = asyncio.create_task(self._start(lifecycle))
            if "on_startup" not in self._hooks or not lifecycle.opens_early:
                await startup
            yield
            if lifecycle.phase is Phase.STARTING:
                startup.cancel()
                await asyncio.wait([startup])
            else:
                await self._end(lifecycle)
            lifecycle.phase = Phase.STOPPED
            threads.close()
            for check in (self.is_ready, self.is_alive):
                if check is not None:
                    check.close()

        return live

    async def _end(self, lifecycle: Lifecycle) -> None:
        shutdown = asyncio.create_task(self.shutdown(lifecycle.shutdown_timeout))
        lifecycle.shutdown = shutdown
        try:
            await asyncio.wait([shutdown])
        finally:
            shutdown.cancel()
        if shutdown.cancelled():
            logger.warning("on_shutdown was cut off")
        else:
            shutdown.result()

    async def _start(self, lifecycle: Lifecycle) -> None:
        await self.startup()
        lifecycle.phase = Phase.READY

    async def startup(self) -> None:
        """Run `on_startup`.

        Raises:
            HookError: It raised, or took too long.
        """
        await self._once("on_startup", self._startup_timeout)

    async def shutdown(self, limit: float) -> None:
        """Run `on_shutdown`.

        Args:
            limit: How long it may take, in seconds; 0 for no limit.

        Raises:
            HookError: It raised, or took too long.
        """
        await self._once("on_shutdown", limit)

    async def _once(self, name: str, limit: float) -> None:
        hook = self._hooks.get(name)
        if hook is None:
            return
        threads = Threads(1, f"pyfunc-{name}")
        call = asyncio.create_task(_outcome(hook, threads), name=f"pyfunc {name}")
        try:
            await asyncio.wait([call], timeout=limit or None)
            if not call.done():
                where = threads.stacks() or "".join(waiting_stack(call.get_coro()).format())
                raise HookError(
                    f"{name} was not done within {limit:g} seconds:\n{where}".rstrip(":\n")
                )
            _, error = call.result()
            if error is not None:
                raise HookError(f"{name} failed:\n{format_folded_traceback(error)}") from error
        finally:
            threads.close()
            await _cancel(call)

    def _check(self, name: str, timeout: float, cache: float) -> "Check | None":
        hook = self._hooks.get(name)
        return Check(name, hook, timeout, cache, debug=self._debug) if hook else None


class Check:
    """A hook that is asked again and again: one call at a time, whoever asks.

    Its exceptions go to the log, once for each change of its answer, and not to those who ask.

    Args:
        name: Its name in messages.
        hook: The hook.
        timeout: The longest that one who asks waits, in seconds; 0 for no limit.
        cache: How long a result may be used again, in seconds.
        debug: Include the text of an exception in the answer.
    """

    def __init__(
        self, name: str, hook: Hook, timeout: float, cache: float, *, debug: bool = False
    ) -> None:
        self.name = name
        self._hook = hook
        self._timeout = timeout
        self._cache = cache
        self._debug = debug
        self._threads = Threads(1, f"pyfunc-{name}")
        self._running: asyncio.Task[_Outcome] | None = None
        self._fault: str | None = None
        self._state: str | None = None
        self._until = 0.0
        self._is_late = False

    async def fault(self) -> str | None:
        """Why the answer is no; `None` if it is yes."""
        if time.monotonic() < self._until:
            return self._fault
        if self._running is None:
            self._running = asyncio.create_task(
                _outcome(self._hook, self._threads), name=f"pyfunc {self.name}"
            )
            self._running.add_done_callback(self._finished)
            self._is_late = False
        if self._is_late:  # one has waited for this call already
            return self._lateness()
        done, _ = await asyncio.wait([self._running], timeout=self._timeout or None)
        if done:
            return self._fault
        if not self._is_late:
            self._is_late = True
            if self._changes_to("late"):
                logger.warning("%s takes longer than %g seconds", self.name, self._timeout)
            if is_async(self._hook):  # a thread cannot be stopped: while one hangs, no other starts
                self._running.cancel()
        return self._lateness()

    def close(self) -> None:
        """Ask no more."""
        if self._running is not None:
            self._running.cancel()
        self._threads.close()

    def _lateness(self) -> str:
        return f"{self.name} takes longer than {self._timeout:g} seconds"

    def _finished(self, call: "asyncio.Task[_Outcome]") -> None:
        self._running = None
        self._until = time.monotonic() + self._cache
        if call.cancelled():
            self._fault = self._lateness()
            return
        result, error = call.result()
        if error is not None:
            self._raised(error)
            return
        self._fault = _fault(self.name, result)
        if not self._changes_to(None if self._fault is None else "no"):
            return
        if self._fault is None:
            logger.info("%s says yes again", self.name)
        else:
            logger.warning("%s says no: %s", self.name, self._fault)

    def _raised(self, error: BaseException) -> None:
        original = _original(error)
        kind = type(original).__name__
        self._fault = f"{self.name} raised {kind}"
        if self._debug:
            self._fault += f": {original}"
        if self._changes_to(kind):
            logger.error("%s raised %s", self.name, kind, exc_info=error)

    def _changes_to(self, state: str | None) -> bool:
        """Whether the answer is of another kind than the last one; other reasons are none."""
        is_news, self._state = state != self._state, state
        return is_news


def _fault(name: str, result: object) -> str | None:
    """What a hook's result means: a `bool`, a `bool` with a message, or nothing at all for yes."""
    message = ""
    if isinstance(result, tuple) and len(result) == 2:
        result, message = result
    if result is None or result:
        return None
    return str(message) or f"{name} says no"


def _original(error: BaseException) -> BaseException:
    """What the hook raised, where a thread handed it back in an ordinary exception."""
    cause = error.__cause__
    return error if cause is None or isinstance(cause, Exception) else cause


async def _outcome(hook: Hook, threads: Threads) -> _Outcome:
    """Call a hook: its result, or what it raised; raises only when we cancel the call."""
    try:
        result = hook() if is_async(hook) else await threads.run(hook)
        return (await result if isinstance(result, Awaitable) else result), None
    except BaseException as error:  # the border with user code
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        return None, error


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _cancel(call: "asyncio.Task[_Outcome]") -> None:
    """Cancel a call, and give it a moment to clean up; one that does not end is left behind."""
    if call.cancel():
        await asyncio.wait([call], timeout=_LAST_WORDS)
