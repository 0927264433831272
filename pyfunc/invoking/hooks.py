"""Runs the user's hooks: `on_startup` and `on_shutdown` once, `is_ready` and `is_alive` for probes.

A sync hook runs in a thread of its own, so that it neither stops the loop nor waits for a function.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from pyfunc.errors import HookError
from pyfunc.function.signature import is_async
from pyfunc.function.tracebacks import format_folded_traceback
from pyfunc.invoking.threads import Threads
from pyfunc.lifecycle import Lifecycle, Phase
from pyfunc.settings import Settings

__all__ = ["Check", "Hooks"]

Hook = Callable[[], Any]


class Hooks:
    """The hooks of one function.

    Args:
        hooks: What the function's module has, by name.
        settings: The time limits.
    """

    def __init__(self, hooks: Mapping[str, Hook], settings: Settings) -> None:
        self._hooks = hooks
        self._startup_timeout = settings.startup_timeout
        limits = (settings.probe_timeout, settings.probe_cache)
        self.is_ready = self._check("is_ready", *limits)
        self.is_alive = self._check("is_alive", *limits)

    def context(
        self, lifecycle: Lifecycle, threads: Threads
    ) -> Callable[[web.Application], AsyncIterator[None]]:
        """What an aiohttp app lives in: `on_startup` before it is ready, `on_shutdown` at its end.

        Args:
            lifecycle: Is told the phase.
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
                await self.shutdown(lifecycle.shutdown_timeout)
            lifecycle.phase = Phase.STOPPED
            threads.close()

        return live

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
        try:
            async with asyncio.timeout(limit or None) as timer:
                await _called(hook, threads)
        except Exception as error:  # the border with user code
            late = isinstance(error, TimeoutError) and timer.expired()
            fault = f"was not done within {limit:g} seconds" if late else "failed"
            where = threads.stacks() if late else ""  # a thread is where it is, not where we wait
            told = where.rstrip() or format_folded_traceback(error)
            raise HookError(f"{name} {fault}:\n{told}") from error
        finally:
            threads.close()

    def _check(self, name: str, timeout: float, cache: float) -> "Check | None":
        hook = self._hooks.get(name)
        return Check(name, hook, timeout, cache) if hook else None


class Check:
    """A hook that is asked again and again: one call at a time, whoever asks.

    Args:
        name: How it is called in messages.
        hook: The hook.
        timeout: The longest that one who asks waits, in seconds; 0 for no limit.
        cache: How long a result may be used again, in seconds.
    """

    def __init__(self, name: str, hook: Hook, timeout: float, cache: float) -> None:
        self.name = name
        self._hook = hook
        self._timeout = timeout
        self._cache = cache
        self._threads = Threads(1, f"pyfunc-{name}")
        self._running: asyncio.Task[None] | None = None
        self._fault: str | None = None
        self._until = 0.0
        self._is_late = False

    async def fault(self) -> str | None:
        """Why the answer is no; `None` if it is yes."""
        if time.monotonic() < self._until:
            return self._fault
        if self._running is None:
            self._running = asyncio.create_task(self._ask(), name=f"pyfunc {self.name}")
            self._running.add_done_callback(self._finished)
            self._is_late = False
        if self._is_late:  # one has waited for this call already
            return self._lateness()
        done, _ = await asyncio.wait([self._running], timeout=self._timeout or None)
        if done:
            return self._fault
        self._is_late = True
        return self._lateness()

    def close(self) -> None:
        """Ask no more."""
        if self._running is not None:
            self._running.cancel()
        self._threads.close()

    def _lateness(self) -> str:
        return f"{self.name} takes longer than {self._timeout:g} seconds"

    def _finished(self, _: "asyncio.Task[None]") -> None:
        self._running = None

    async def _ask(self) -> None:
        try:
            # A thread cannot be stopped: while one hangs, no other is started.
            async with asyncio.timeout(self._timeout or None if is_async(self._hook) else None):
                self._fault = _fault(self.name, await _called(self._hook, self._threads))
        except TimeoutError:
            self._fault = self._lateness()
        except Exception as error:  # the border with user code
            self._fault = f"{self.name} raised {type(error).__name__}: {error}"
        self._until = time.monotonic() + self._cache


def _fault(name: str, result: object) -> str | None:
    """What a hook's result means: a `bool`, a `bool` with a message, or nothing at all for yes."""
    message = ""
    if isinstance(result, tuple) and len(result) == 2:
        result, message = result
    if result is None or result:
        return None
    return str(message) or f"{name} says no"


async def _called(hook: Hook, threads: Threads) -> object:
    result = hook() if is_async(hook) else await threads.run(hook)
    return await result if isinstance(result, Awaitable) else result
