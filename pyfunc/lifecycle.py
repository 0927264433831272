"""The phase of this process, and how many invocations are in flight; standard library only."""

import asyncio
from enum import StrEnum

__all__ = ["Lifecycle", "Phase"]


class Phase(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Lifecycle:
    """One app's phase and its invocations in flight."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.in_flight = 0
        self._idle: asyncio.Event | None = None

    def enter(self) -> None:
        """An invocation begins."""
        self.in_flight += 1

    def leave(self) -> None:
        """An invocation has been answered."""
        self.in_flight -= 1
        if self._idle is not None and self.in_flight == 0:
            self._idle.set()

    async def idle(self, seconds: float) -> bool:
        """Wait until nothing is in flight, for `seconds` at most; whether it is so."""
        if self.in_flight:
            self._idle = asyncio.Event()
            try:
                await asyncio.wait_for(self._idle.wait(), seconds)
            except TimeoutError:
                return False
        return True
