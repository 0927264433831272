"""The phase of the process and the requests in flight."""

import asyncio
from enum import StrEnum
from typing import Any

from aiohttp import web

__all__ = ["LIFECYCLE", "TAKES_EVENTS", "Lifecycle", "Phase"]


class Phase(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Lifecycle:
    """One app's phase and its requests in flight.

    Args:
        shutdown_timeout: How long `on_shutdown` may take, in seconds.
        closes_connections: Whether each response is the last one of its connection.
    """

    def __init__(self, shutdown_timeout: float, *, closes_connections: bool = False) -> None:
        self.shutdown_timeout = shutdown_timeout
        self.phase = Phase.STARTING
        self.opens_early = False
        """Whether requests may arrive before `on_startup` is done; a server of ours says so."""
        self.startup: asyncio.Task[None] | None = None
        """`on_startup` as it runs; `None` where there is none, and before it."""
        self.shutdown: asyncio.Task[None] | None = None
        """`on_shutdown` as it runs; `None` before it."""
        self.closes_connections = closes_connections
        self.is_cut_off = False
        """Whether what is in flight has been cancelled."""
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def in_flight(self) -> int:
        """How many requests are being answered, or wait for their turn."""
        return len(self._tasks)

    def enter(self) -> "asyncio.Task[Any]":
        """A request begins; the task that answers it."""
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._tasks.add(task)
        return task

    def leave(self, task: "asyncio.Task[Any]") -> None:
        """A request has been answered."""
        self._tasks.discard(task)

    def drain(self) -> None:
        """Become unready, and close each connection with its next response."""
        self.phase = Phase.DRAINING
        self.closes_connections = True

    async def shut_down(self, _: web.Application) -> None:
        """Drain, where the server around the application has closed its listeners."""
        if self.phase is Phase.READY:
            self.drain()

    def cut_off(self) -> None:
        """Cancel whatever is in flight."""
        self.is_cut_off = True
        for task in self._tasks:
            task.cancel()


LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)
TAKES_EVENTS: web.AppKey[bool] = web.AppKey("takes_events", bool)
