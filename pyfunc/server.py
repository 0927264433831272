"""From an app to an exit code: signals, listeners, drain. The only room that knows of signals.

The life of a process, as its log tells it: listening, starting, ready; a signal; draining, closed,
finished or cut off; stopped. `docs/operations.md` tells it to operators.
"""

import asyncio
import atexit
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType
from typing import Any, cast

from aiohttp import web

from pyfunc.app import LIFECYCLE, TAKES_EVENTS
from pyfunc.connection import Connections, Runner
from pyfunc.errors import HookError
from pyfunc.lifecycle import Lifecycle, Phase
from pyfunc.listeners import listen, shown
from pyfunc.settings import Settings

__all__ = ["run", "serve"]

logger = logging.getLogger("pyfunc")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_DRAIN_DELAY = 2.0

# What has been cancelled gets this long to say so to its client.
_LAST_WORDS = 1.0
# `on_shutdown` gets at least this long, however long the drain took.
_SHUTDOWN = 2.0
# Threads and tasks that never end hold the exit for so long at most.
_LAST_WAIT = 1.0


def run(make_app: Callable[[], web.Application], settings: Settings) -> int:
    """Make an app and serve it, until a signal says to stop; the exit code.

    A signal ends the making of the app too, from the first line of the user's module on: Python
    itself would die of SIGTERM, and as the first process of a container, which has no default
    action for it, not even notice.

    Args:
        make_app: Loads the function; may raise what `create_app` does.
        settings: The options.

    Raises:
        StartupError: The function cannot be served.
    """
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return serve(make_app(), settings)
    except KeyboardInterrupt as received:
        _ignore_signals()
        logger.info("%s during start-up; stopped with exit code 0", received)
        return 0


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _ignore_signals() -> None:
    """What comes now does not change how the process ends."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def serve(
    app: web.Application, settings: Settings, sockets: Sequence[socket.socket] | None = None
) -> int:
    """Serve until a signal says to stop; the exit code. The process has to end then.

    Args:
        app: What is served.
        settings: The options.
        sockets: Where to listen, where they are open already.

    Raises:
        ListenError: An address cannot be listened on.
    """
    sockets = listen(settings.addresses) if sockets is None else sockets
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_Server(app, settings).live(sockets))


def _let_exit(code: int) -> None:
    """Keep what never ends from holding the exit.

    Python waits without a limit for tasks that do not let themselves be cancelled and for every
    thread that is no daemon; pools that the function made have such threads. Where one of them is
    stuck, the process ends all the same: with what was registered by `atexit`, its output written.
    """
    timer = threading.Timer(_LAST_WAIT, _end, [code])
    timer.daemon = True
    timer.start()
    atexit.register(timer.cancel)  # exit functions run when every thread has ended


def _end(code: int) -> None:
    logger.warning("a thread or a task does not end; the process ends without it")
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(code)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop  # not there on Windows and PyPy
    except ImportError:
        return None
    return uvloop.Loop


class _Unwaited(ThreadPoolExecutor):
    """What `asyncio.to_thread` uses: its stuck threads do not hold the end of the loop."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class _Signals:
    """The signals that were received: the first one asks to stop, the second one to hurry."""

    def __init__(self) -> None:
        self.first: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
        self.second = asyncio.Event()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._receive, number)

    def ignore(self) -> None:
        """Receive no more."""
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
        _ignore_signals()

    def _receive(self, number: signal.Signals) -> None:
        if self.first.done():
            self.second.set()
        else:
            self.first.set_result(number)


class _Server:
    """One app from its start to its end."""

    def __init__(self, app: web.Application, settings: Settings) -> None:
        self.settings = settings
        self.lifecycle: Lifecycle = app[LIFECYCLE]
        self.lifecycle.opens_early = True
        self.runner = Runner(
            app,
            access_log=None,
            handler_cancellation=settings.cancel_on_disconnect and not app[TAKES_EVENTS],
            # What a drain leaves over was given its time already.
            shutdown_timeout=0.01,
            read_timeout=settings.read_timeout,
            keepalive_timeout=settings.keep_alive,
            max_head=settings.max_head,
            max_headers=settings.max_headers,
        )

    async def live(self, sockets: Sequence[socket.socket]) -> int:
        """The whole life; the exit code."""
        signals = _Signals()
        asyncio.get_running_loop().set_default_executor(_Unwaited(self.settings.threads))
        code = 0
        try:
            await self.runner.setup()
            await self._open(sockets)
            if await self._has_started(signals):
                await self._drain(await signals.first, signals)
            await self._close()
        except HookError as error:
            logger.critical("%s", error)
            code = error.exit_code
            await self._close()
        signals.ignore()
        logger.info("stopped with exit code %d", code)
        _let_exit(code)
        return code

    async def _open(self, sockets: Sequence[socket.socket]) -> None:
        """Open the port, before `on_startup` is done: liveness is asked meanwhile."""
        for sock in sockets:
            await web.SockSite(self.runner, sock).start()
            logger.info("listening on %s", shown(sock))

    async def _has_started(self, signals: _Signals) -> bool:
        """Whether the process became ready before it was told to stop."""
        startup = cast("asyncio.Task[None]", self.lifecycle.startup)
        if not startup.done():
            logger.info("on_startup runs; not ready yet")
            either: list[asyncio.Future[Any]] = [startup, signals.first]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if startup.done():
            startup.result()
            logger.info("ready")
            return True
        logger.info("%s during start-up", signals.first.result().name)
        return False

    async def _drain(self, received: signal.Signals, signals: _Signals) -> None:
        lifecycle, settings, connections = self.lifecycle, self.settings, self._connections
        lifecycle.phase = Phase.DRAINING
        connections.drain()
        delay = settings.drain_delay
        if delay is None:
            delay = 0.0 if received is signal.SIGINT else _DRAIN_DELAY
        logger.info(
            "%s: draining, still listening for %g s; %d in flight",
            received.name, delay, lifecycle.in_flight,
        )  # fmt: skip
        await _within(delay, signals.second.wait())
        await self._stop_listening()
        logger.info(
            "closed the listeners; up to %g s to finish; %d in flight",
            settings.drain_timeout, lifecycle.in_flight,
        )  # fmt: skip
        began = time.monotonic()
        await _first(settings.drain_timeout, connections.closed(), signals.second.wait())
        if lifecycle.in_flight:
            await self._cut_off("told to hurry" if signals.second.is_set() else "out of time")
        else:
            logger.info("finished; 0 in flight")
        if settings.shutdown_timeout is None:
            left = settings.drain_timeout - (time.monotonic() - began)
            lifecycle.shutdown_timeout = max(_SHUTDOWN, left)

    async def _stop_listening(self) -> None:
        for site in list(self.runner.sites):
            await site.stop()
        # What clients have sent so far is read before it is decided which connections are idle.
        for _ in range(2):
            await asyncio.sleep(0)
        self._connections.close_idle()

    async def _cut_off(self, why: str) -> None:
        logger.warning("%s: cancelling what is left; %d in flight", why, self.lifecycle.in_flight)
        self.lifecycle.cut_off()
        await _within(_LAST_WORDS, self._connections.closed())
        if left := self.lifecycle.in_flight:
            logger.warning("%d in flight could not be cancelled", left)

    async def _close(self) -> None:
        """Close what is left of the connections, and run `on_shutdown`."""
        if self.lifecycle.phase is Phase.STARTING and self.lifecycle.in_flight:
            await self._stop_listening()
            await self._cut_off("never ready")
        await self.runner.cleanup()

    @property
    def _connections(self) -> Connections:
        return cast(Connections, self.runner.server)


async def _within(seconds: float, work: Any) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(work, seconds)


async def _first(seconds: float, *works: Any) -> None:
    """Wait for the first of several, for a time at most."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
