"""From an app to an exit code: start, drain and end.

The life of a process, as its log tells it: listening, starting, ready; a signal; draining, closed,
finished or cut off; stopped. `docs/operations.md` tells it to operators.
"""

import asyncio
import gc
import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, cast

import msgspec
from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE

from pyfunc.errors import StartupError
from pyfunc.invoking.forks import PROCESS, watch_forks
from pyfunc.invoking.wire import PLAIN, Wire
from pyfunc.lifecycle import LIFECYCLE, TAKES_EVENTS, Lifecycle, Phase
from pyfunc.server.ending import UnwaitedExecutor, let_exit
from pyfunc.server.files import FilesWatch, raise_limit
from pyfunc.server.left_tasks import LeftTasks
from pyfunc.server.listeners import Listeners, listen, shown
from pyfunc.server.plain import PlainRunner, check_response
from pyfunc.server.signals import SIGNALS, WORKER_SIGNALS, Meanings, Signals, stoppable
from pyfunc.settings import Settings

__all__ = ["CUT_OFF", "Supervised", "run"]

logger = logging.getLogger("pyfunc")

_DRAIN_DELAY = 2.0

# The rest of a body that was refused is read for so long at most, so that its sender sees why.
_LINGERING = 5.0

# Container objects before the garbage collector looks for cycles among them: those of a request are
# gone before. Saves a tenth of the CPU time of a batch of 100 events, and more on 1000 connections.
_GARBAGE = 20_000

# What has been cancelled gets this long to say so to its client.
_LAST_WORDS = 1.0
# How often a drain looks for connections that are left, in seconds.
_LOOK_EVERY = 0.01
# `on_shutdown` gets at least this long, however long the drain took.
_SHUTDOWN = 2.0

CUT_OFF = 6
"""The exit code where a second signal cut work off."""


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

    def protocol(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""

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
    raise_limit()
    numbers = SIGNALS if supervised is None else WORKER_SIGNALS
    watch_forks(numbers)

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


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop  # not there on Windows and PyPy
    except ImportError:
        return None
    return uvloop.Loop


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
        self.is_cut_off = False
        """Whether a second signal has ended something before its time."""
        self.left = LeftTasks()
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
        """Live from the start to the end; return the exit code."""
        loop = PROCESS.loop = asyncio.get_running_loop()
        self.signals = Signals(meanings)
        self.listeners = Listeners(self._protocol(FilesWatch()))
        if self.supervised:
            _watch(self.supervised, self.signals)
        loop.set_default_executor(UnwaitedExecutor(self.settings.threads))
        code = 0
        try:
            await self.runner.setup()
            if self.is_unknown:
                await check_response(cast(web.Server, self.runner.server))
            await self._open(sockets)
            if await self._has_started():
                await self._drain(await self.signals.first)
            await self._close()
        except StartupError as error:
            logger.critical("%s", error)
            code = error.exit_code
            await self._close()
        self.signals.ignore()
        if self.is_cut_off:
            code = code or CUT_OFF
        logger.info("stopped with exit code %d", code)
        let_exit(code)
        return code

    def _protocol(self, files: FilesWatch) -> Callable[[], asyncio.Protocol]:
        def make() -> asyncio.Protocol:
            files.connected()
            return self.runner.protocol()

        return make

    async def _open(self, sockets: Sequence[socket.socket]) -> None:
        """Open the port, before `on_startup` is done: liveness is asked meanwhile."""
        for sock in sockets:
            await self.listeners.open(sock)
            if not self.supervised:
                logger.info("listening on %s", shown(sock))

    async def _has_started(self) -> bool:
        """Whether the process became ready before it was told to stop."""
        startup = cast("asyncio.Task[None]", self.lifecycle.startup)
        signals = self.signals
        if not startup.done():
            logger.info("on_startup runs; not ready yet")
            either: list[asyncio.Future[Any]] = [startup, signals.first]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if startup.done():
            startup.result()
            self.left.begin()
            logger.info("ready")
            if self.supervised:
                self.supervised.is_ready()
            return True
        logger.info("%s during start-up", signals.first.result().name)
        return False

    async def _drain(self, received: signal.Signals) -> None:
        lifecycle, settings, signals = self.lifecycle, self.settings, self.signals
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
            self.is_cut_off = signals.second.is_set()
            await self._cut_off(self._reason)
        await self._end_tasks(began + settings.drain_timeout)
        if not lifecycle.in_flight:
            logger.info("finished; 0 in flight")
        left = settings.drain_timeout - (time.monotonic() - began)
        if settings.shutdown_timeout is None:
            lifecycle.shutdown_timeout = max(_SHUTDOWN, left)
        elif signals.second.is_set() and not settings.shutdown_timeout:  # no limit
            lifecycle.shutdown_timeout = _SHUTDOWN

    @property
    def _reason(self) -> str:
        return "told to hurry" if self.signals.second.is_set() else "out of time"

    async def _stop_listening(self) -> None:
        await self.listeners.close()
        # What clients have sent so far is read before it is decided which connections are idle.
        for _ in range(2):
            await asyncio.sleep(0)
        self.runner.close_idle()

    async def _closed(self) -> None:
        """Wait until no connection is left, and no request of one that went away."""
        server = cast(web.Server, self.runner.server)
        while self.lifecycle.in_flight or server.connections:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(_LOOK_EVERY)

    async def _cut_off(self, reason: str) -> None:
        logger.warning(
            "%s: cancelling what is left; %d in flight", reason, self.lifecycle.in_flight
        )
        self.lifecycle.cut_off()
        await _within(_LAST_WORDS, self._closed())
        if left := self.lifecycle.in_flight:
            logger.warning("%d in flight could not be cancelled", left)

    async def _end_tasks(self, deadline: float) -> None:
        """Wait for the tasks that the function has left behind; cancel those that take too long."""
        tasks = self.left.find()
        if tasks:
            logger.info("waiting for %d tasks that the function has begun", len(tasks))
        while tasks and (seconds := deadline - time.monotonic()) > 0:
            await _first(seconds, asyncio.wait(tasks), self.signals.second.wait())
            tasks = self.left.find()
            if self.signals.second.is_set():
                break
        if not tasks:
            return
        self.is_cut_off |= self.signals.second.is_set()
        for task in tasks:
            logger.warning("%s: cancelling the task %s", self._reason, self.left.name(task))
            task.cancel()
        await asyncio.wait(tasks, timeout=_LAST_WORDS)

    async def _close(self) -> None:
        """Close what is left of the connections, and run `on_shutdown`."""
        await self._stop_listening()
        if self.lifecycle.phase is Phase.STARTING and self.lifecycle.in_flight:
            await self._cut_off("never ready")
        self.signals.when_hurried = self._cut_off_shutdown
        await self.runner.cleanup()

    def _cut_off_shutdown(self) -> None:
        shutdown = self.lifecycle.shutdown
        if shutdown is not None and not shutdown.done():
            self.is_cut_off = True
            shutdown.cancel()


def _watch(supervised: Supervised, signals: Signals) -> None:
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
