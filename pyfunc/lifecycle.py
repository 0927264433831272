"""The phase of this process, and what is in flight; standard library only."""

import asyncio
from enum import StrEnum
from typing import Any

__all__ = ["Lifecycle", "Phase"]


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
    """

    def __init__(self, shutdown_timeout: float) -> None:
        self.shutdown_timeout = shutdown_timeout
        self.phase = Phase.STARTING
        self.opens_early = False
        """Whether requests may arrive before `on_startup` is done; a server of ours says so."""
        self.startup: asyncio.Task[None] | None = None
        """`on_startup` as it runs; `None` where there is none, and before it."""
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

    def cut_off(self) -> None:
        """Cancel whatever is in flight."""
        self.is_cut_off = True
        for task in self._tasks:
            task.cancel()
