"""From an app to an exit code: signals, listeners, drain. The only room that knows of signals.

The life of a process, as its log tells it: listening, starting, ready; a signal; draining, closed,
finished or cut off; stopped. `docs/operations.md` tells it to operators.
"""

import asyncio
import atexit
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import FrameType, MappingProxyType
from typing import Any, NamedTuple, Protocol, cast

import msgspec
from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from pyfunc.errors import StartupError
from pyfunc.invoking.wire import PLAIN, Wire
from pyfunc.lifecycle import LIFECYCLE, TAKES_EVENTS, Lifecycle, Phase
from pyfunc.server.listeners import listen, shown
from pyfunc.server.plain import PlainRunner, check_response
from pyfunc.settings import Settings

__all__ = ["Supervised", "run", "stoppable"]

logger = logging.getLogger("pyfunc")

# What signals mean: to stop as told by one of the first two, or `None`, to hurry.
Meanings = Mapping[signal.Signals, signal.Signals | None]
_SIGNALS: Meanings = MappingProxyType({n: n for n in (signal.SIGTERM, signal.SIGINT)})
# A service manager may send SIGTERM to every process, and a terminal does so with SIGINT. The
# supervisor passes on what it gets, so only what it sends besides makes a worker hurry.
_WORKER_SIGNALS: Meanings = MappingProxyType(
    {signal.SIGTERM: signal.SIGTERM, signal.SIGQUIT: signal.SIGINT, signal.SIGUSR2: None}
)
_DRAIN_DELAY = 2.0

# The rest of a body that was refused is read for so long at most, so that its sender sees why.
_LINGERING = 5.0

# Files, and so connections, that a process may have open at most.
_FILES = 65536

# Container objects before the garbage collector looks for cycles among them: those of a request are
# gone before. Saves a tenth of the CPU time of a batch of 100 events, and more on 1000 connections.
_GARBAGE = 20_000

# What has been cancelled gets this long to say so to its client.
_LAST_WORDS = 1.0
# How often a drain looks for connections that are left, in seconds.
_LOOK_EVERY = 0.01
# `on_shutdown` gets at least this long, however long the drain took.
_SHUTDOWN = 2.0
# Threads and tasks that never end hold the exit for so long at most.
_LAST_WAIT = 1.0


class Supervised(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs that is one of several."""

    sockets: Sequence[socket.socket]
    """Where all of them listen."""
    is_ready: Callable[[], None]
    """To be called when this one is ready."""
    beat: Callable[[], None]
    """To be called again and again while its loop turns."""
    beat_every: float
    """How often, in seconds; 0 for never."""
    supervisor: int
    """A file descriptor whose input ends when the supervisor does."""


class MakeApp(Protocol):
    """Loads the function and makes its application."""

    def __call__(self, *, wire: Wire) -> web.Application:
        """Make it, with these means to read bodies and to make responses."""


class Runner(Protocol):
    """A runner of aiohttp's, with the two steps that a drain needs."""

    @property
    def server(self) -> web.Server | None:
        """All connections."""

    @property
    def sites(self) -> set[web.BaseSite]:
        """All listeners."""

    async def setup(self) -> None:
        """Start the application."""

    async def cleanup(self) -> None:
        """Close the connections, and end the application."""

    def drain(self) -> None:
        """Close each connection with its next response."""

    def close_idle(self) -> None:
        """Close idle connections."""


def run(
    make_app: MakeApp,
    settings: Settings,
    supervised: Supervised | None = None,
) -> int:
    """Make an app and serve it, until a signal says to stop; the exit code.

    The process has to end then.

    Args:
        make_app: Loads the function; may raise what `create_app` does.
        settings: The options.
        supervised: Where this is one process of several.

    Raises:
        StartupError: The function cannot be served.
    """
    _allow_files()
    numbers = _SIGNALS if supervised is None else _WORKER_SIGNALS

    def serve() -> int:
        gc.set_threshold(_GARBAGE, *gc.get_threshold()[1:])
        path = _path(settings)
        server = _Server(path, make_app(wire=path.wire), settings, supervised)
        sockets = supervised.sockets if supervised else listen(settings.addresses)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(server.live(sockets, numbers))

    return stoppable(serve, numbers)


class _Path(NamedTuple):
    """The way from sockets to the application: the fast one, or plain aiohttp."""

    wire: Wire
    runner: Callable[..., Runner]
    is_unknown: bool = False
    """Whether aiohttp is a release that nobody has tried."""


def _path(settings: Settings) -> _Path:
    if settings.plain:
        return _Path(PLAIN, PlainRunner)
    try:
        from pyfunc.fastpath.runner import WIRE, FastRunner, check

        check()
    except (ImportError, LookupError) as error:
        logger.warning(
            "%s does not fit the fast path (%s): serving by its public API",
            SERVER_SOFTWARE.partition(" ")[2],
            error,
        )
        return _Path(PLAIN, PlainRunner, is_unknown=True)
    return _Path(WIRE, FastRunner)


def stoppable(start: Callable[[], int], numbers: Iterable[signal.Signals] = _SIGNALS) -> int:
    """What `start` returns, or 0 if a signal comes before it has taken the signals over.

    So a signal can end the start of a process from the first line of the user's module on: Python
    itself would die of SIGTERM, and as the first process of a container, which has no default
    action for it, not even notice.
    """
    for number in numbers:
        signal.signal(number, _interrupt)
    try:
        return start()
    except KeyboardInterrupt as received:
        _ignore(numbers)
        logger.info("%s during start-up; stopped with exit code 0", received)
        return 0


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _ignore(numbers: Iterable[signal.Signals]) -> None:
    """What comes now does not change how the process ends."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _allow_files() -> None:
    """Take what the system allows: many set a limit of 1024 for programs that use `select`."""
    try:
        import resource  # not there on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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

    def __init__(self, meanings: Meanings) -> None:
        loop = asyncio.get_running_loop()
        self.first: asyncio.Future[signal.Signals] = loop.create_future()
        self.second = asyncio.Event()
        self._meanings = meanings
        for number, meant in meanings.items():
            loop.add_signal_handler(number, self.receive, meant)

    def ignore(self) -> None:
        """Receive no more."""
        for number in self._meanings:
            asyncio.get_running_loop().remove_signal_handler(number)
        _ignore(self._meanings)

    def receive(self, meant: signal.Signals | None) -> None:
        """A signal came."""
        if meant is None or (self.first.done() and None not in self._meanings.values()):
            self.second.set()
        if not self.first.done():
            self.first.set_result(meant or signal.SIGTERM)


class _Server:
    """One app from its start to its end."""

    def __init__(
        self,
        path: _Path,
        app: web.Application,
        settings: Settings,
        supervised: Supervised | None,
    ) -> None:
        self.settings = settings
        self.supervised = supervised
        self.lifecycle: Lifecycle = app[LIFECYCLE]
        self.lifecycle.opens_early = True
        self.is_unknown = path.is_unknown
        self.runner = path.runner(
            app,
            max_head=settings.max_head,
            max_headers=settings.max_headers,
            read_timeout=settings.read_timeout,
            access_log=None,
            handler_cancellation=settings.cancel_on_disconnect and not app[TAKES_EVENTS],
            # What a drain leaves over was given its time already.
            shutdown_timeout=0.01,
            keepalive_timeout=settings.keep_alive,
            lingering_time=_LINGERING,
        )

    async def live(self, sockets: Sequence[socket.socket], meanings: Meanings) -> int:
        """The whole life; the exit code."""
        signals = _Signals(meanings)
        if self.supervised:
            _watch(self.supervised, signals)
        asyncio.get_running_loop().set_default_executor(_Unwaited(self.settings.threads))
        code = 0
        try:
            await self.runner.setup()
            if self.is_unknown:
                await check_response(cast(web.Server, self.runner.server))
            await self._open(sockets)
            if await self._has_started(signals):
                await self._drain(await signals.first, signals)
            await self._close()
        except StartupError as error:
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
            await web.SockSite(cast(web.BaseRunner, self.runner), sock).start()
            if not self.supervised:
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
            if self.supervised:
                self.supervised.is_ready()
            return True
        logger.info("%s during start-up", signals.first.result().name)
        return False

    async def _drain(self, received: signal.Signals, signals: _Signals) -> None:
        lifecycle, settings = self.lifecycle, self.settings
        lifecycle.drain()
        self.runner.drain()
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
        await _first(settings.drain_timeout, self._closed(), signals.second.wait())
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
        self.runner.close_idle()

    async def _closed(self) -> None:
        """Wait until no connection is left, and no request of one that went away."""
        server = cast(web.Server, self.runner.server)
        while self.lifecycle.in_flight or server.connections:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(_LOOK_EVERY)

    async def _cut_off(self, why: str) -> None:
        logger.warning("%s: cancelling what is left; %d in flight", why, self.lifecycle.in_flight)
        self.lifecycle.cut_off()
        await _within(_LAST_WORDS, self._closed())
        if left := self.lifecycle.in_flight:
            logger.warning("%d in flight could not be cancelled", left)

    async def _close(self) -> None:
        """Close what is left of the connections, and run `on_shutdown`."""
        if self.lifecycle.phase is Phase.STARTING and self.lifecycle.in_flight:
            await self._stop_listening()
            await self._cut_off("never ready")
        await self.runner.cleanup()


def _watch(supervised: Supervised, signals: _Signals) -> None:
    """Tell the supervisor that the loop turns, and end when there is none any more."""
    loop = asyncio.get_running_loop()

    def orphaned() -> None:
        loop.remove_reader(supervised.supervisor)
        logger.error("the supervisor is gone")
        signals.receive(signal.SIGTERM)

    def beat() -> None:
        supervised.beat()
        loop.call_later(supervised.beat_every, beat)

    loop.add_reader(supervised.supervisor, orphaned)
    if supervised.beat_every:
        beat()


async def _within(seconds: float, work: Any) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(work, seconds)


async def _first(seconds: float, *works: Any) -> None:
    """Wait for the first of several, for a time at most."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
