"""Several processes on one port. gunicorn forks, watches and restarts them; each runs our server.

gunicorn and not a process manager of our own, since forking, reaping and heartbeats have been got
right there; and not `SO_REUSEPORT`, since a socket that is shared by all workers keeps the
connections of one that dies, where a socket of its own would lose them. aiohttp's worker class is
not used: it knows neither our drain nor our connections. What is ours is the pause between
restarts, the second signal, and the log.
"""

import logging
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from aiohttp import web
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from gunicorn.errors import HaltServer  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.base import Worker  # type: ignore[import-untyped]

from pyfunc.errors import StartupError, WorkersError
from pyfunc.invoking.wire import Wire
from pyfunc.server.listeners import listen, shown
from pyfunc.server.process import CUT_OFF, Supervised, run
from pyfunc.server.sharing import Shared
from pyfunc.server.signals import WORKER_SIGNALS, disregard, stoppable
from pyfunc.settings import Settings

__all__ = ["run_workers"]

logger = logging.getLogger("pyfunc")


class MakeApp(Protocol):
    """Loads the function, in one process of several."""

    def __call__(self, settings: Settings, *, shared: Shared | None, wire: Wire) -> web.Application:
        """Make the application that serves it."""


Share = Callable[[Settings], AbstractContextManager[Shared | None]]


# So many workers in a row may end before they were ready.
_TRIES = 5
_LONGEST_PAUSE = 30.0

# Added to the time of a drain before what is left of a worker is killed.
_SLACK = 15.0


def run_workers(make_app: MakeApp, settings: Settings, workers: int, share: Share) -> int:
    """Serve with several processes, until a signal says to stop; the exit code.

    Args:
        make_app: Loads the function, once in each process.
        settings: The options.
        workers: How many.
        share: Opens what they share for their metrics.

    Raises:
        ListenError: An address cannot be listened on.
    """

    def supervise() -> int:
        sockets = listen(settings.addresses)
        with share(settings) as shared:
            arbiter = _Arbiter(_Application(make_app, settings, workers, shared), sockets)
            for sock in sockets:
                logger.info("listening on %s, with %d workers", shown(sock), workers)
            try:
                arbiter.run()
            except SystemExit as end:  # of the supervisor, and of each worker
                return int(end.code or 0)
        return 0

    return stoppable(supervise)


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn is told: our options, and nothing from its own files or variables."""

    def __init__(
        self, make_app: MakeApp, settings: Settings, workers: int, shared: Shared | None
    ) -> None:
        self.make_app = make_app
        self.settings = settings
        self.workers = workers
        self.shared = shared
        self.alive = os.pipe()
        """The supervisor has the end to write to: the other one ends with it."""
        super().__init__()

    def load_config(self) -> None:
        drain = (self.settings.drain_delay or 0.0) + self.settings.drain_timeout
        chosen = {
            "workers": self.workers,
            "worker_class": _Worker,
            "logger_class": _Log,
            "timeout": int(self.settings.worker_timeout),
            "graceful_timeout": int(drain + (self.settings.shutdown_timeout or 0.0) + _SLACK),
            "control_socket_disable": True,
            # Heartbeats are the times of a file, which the root file system may not take.
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
            "child_exit": _Arbiter.ended,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> MakeApp:
        return self.make_app


class _Log(Logger):  # type: ignore[misc]
    """The supervisor's lines go where ours go; what it tells of each step, at DEBUG."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log = logger
        self._access_log_enabled = False

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.error_log.debug(msg, *args, **kwargs)

    def close_on_exec(self) -> None:
        """Nothing is open."""

    def reopen_files(self) -> None:
        """There are none."""


class _Arbiter(Arbiter):  # type: ignore[misc]
    """The supervisor.

    Args:
        app: What it is told.
        sockets: Where all workers listen.
    """

    def __init__(self, app: _Application, sockets: Sequence[socket.socket]) -> None:
        super().__init__(app)
        self.LISTENERS = list(sockets)
        self.is_stopping = False
        self.failures = 0
        self.deaths = 0
        self.wait_until = 0.0
        self.exit_code = 0

    def spawn_worker(self) -> int:
        """Fork a worker; its signals wait until it handles them."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, WORKER_SIGNALS)
        try:
            return int(super().spawn_worker())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def ended(self, worker: "_Worker") -> None:
        """A worker has ended: without being told, unless all are stopping."""
        if worker.was_cut_off:
            self.exit_code = self.exit_code or CUT_OFF
        if self.app.shared is not None:
            self.app.shared.forget(worker.pid)
        if self.is_stopping:
            return
        self.deaths = self.deaths + 1 if time.monotonic() < self.wait_until + _LONGEST_PAUSE else 0
        self.failures = 0 if worker.was_ready else self.failures + 1
        if self.failures >= _TRIES:
            raise HaltServer("workers end before they are ready", WorkersError.exit_code)
        pause = min(_LONGEST_PAUSE, 2.0**self.deaths / 2) if self.deaths else 0.0
        self.wait_until = time.monotonic() + pause
        logger.error("worker %s ended; another one starts in %g s", worker.pid, pause)

    def manage_workers(self) -> None:
        if time.monotonic() >= self.wait_until:
            super().manage_workers()

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Sleep until there is something to do; gunicorn would look each second."""
        pause = self.wait_until - time.monotonic()
        timeout = pause if pause > 0 else (self.timeout or 3600) / 4
        return list(super().wait_for_signals(timeout))

    def reap_workers(self) -> None:
        try:
            super().reap_workers()
        except HaltServer as halt:
            if not self.is_stopping:
                raise
            self.exit_code = halt.exit_status  # of an `on_shutdown` that failed
            self.reap_workers()

    def handle_int(self) -> None:
        self.stop(graceful=False)
        raise StopIteration

    handle_quit = handle_int

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """End: told once, by what was counted and by what the workers ended with."""
        self.stop()
        code = exit_status or self.exit_code
        if reason is not None:
            logger.critical("%s", reason)
        logger.info("all workers have ended; stopped with exit code %d", code)
        sys.exit(code)

    def stop(self, graceful: bool = True) -> None:
        """Tell the workers to drain, pass on that a second signal came, and wait for them."""
        if not self.is_stopping:
            self.is_stopping = True
            logger.info("stopping %d workers", len(self.WORKERS))
            for sock in self.LISTENERS:
                sock.close()
            self.LISTENERS = []
            self.kill_workers(signal.SIGTERM if graceful else signal.SIGQUIT)
        limit = time.monotonic() + self.cfg.graceful_timeout
        self.reap_workers()
        while self.WORKERS and (left := limit - time.monotonic()) > 0:
            for number in super().wait_for_signals(left):
                if number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                    logger.info("told to hurry")
                    self.kill_workers(signal.SIGUSR2)
            self.reap_workers()
        self.kill_workers(signal.SIGKILL)


class _Worker(Worker):  # type: ignore[misc]
    """One process: our server, on the sockets of all."""

    app: _Application

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._shared = mmap.mmap(-1, 2)  # with the supervisor

    @property
    def was_ready(self) -> bool:
        """Whether it has come so far as to serve."""
        return self._shared[0] == 1

    @property
    def was_cut_off(self) -> bool:
        """Whether it has ended with work that a second signal cut off."""
        return self._shared[1] == 1

    def init_signals(self) -> None:
        """None of gunicorn's; a SIGINT of the terminal is for the supervisor, and reaches all."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, disregard)

    def load_wsgi(self) -> None:
        """The app is made when its server runs."""

    def run(self) -> None:
        """Serve; ends the process."""
        _name_records()
        reading, writing = self.app.alive
        os.close(writing)
        supervised = Supervised(
            sockets=self.sockets,
            is_ready=self._is_ready,
            beat=self.notify,
            beat_every=self.cfg.timeout / 4,
            supervisor=reading,
        )
        try:
            code = run(self._make_app, self.app.settings, supervised)
        except StartupError as error:
            logger.critical("%s", error)
            code = error.exit_code
        if code == CUT_OFF:
            self._shared[1] = 1
            code = 0  # which gunicorn would report as an error
        sys.exit(code)

    def _make_app(self, *, wire: Wire) -> web.Application:
        return self.app.make_app(self.app.settings, shared=self.app.shared, wire=wire)

    def _is_ready(self) -> None:
        self._shared[0] = 1


def _name_records() -> None:
    """Let each record of the one log tell which worker wrote it."""
    make, worker = logging.getLogRecordFactory(), os.getpid()

    def make_named(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.worker = worker
        return record

    logging.setLogRecordFactory(make_named)
