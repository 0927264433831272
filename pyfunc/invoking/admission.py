"""Who may be invoked now, who waits for a place, and who is told to come back."""

import asyncio
from collections import deque

from pyfunc.errors import UnavailableError

__all__ = ["Admission", "Place"]


class Admission:
    """A number of places, and a queue before them.

    Args:
        places: Invocations at a time; 0 for no limit.
        queue: How many more may wait for a place.
        queue_timeout: How long one may wait, in seconds.
    """

    def __init__(self, places: int, queue: int, queue_timeout: float) -> None:
        self.places = places
        self.queue = queue
        self.queue_timeout = queue_timeout
        self.taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next invocation would be refused."""
        return bool(self.places) and self.taken >= self.places and self.waiting >= self.queue

    async def enter(self) -> None:
        """Take a place, or wait for one.

        Raises:
            UnavailableError: The queue is full, or the wait was too long.
        """
        if self.is_full:
            raise UnavailableError("all places are taken: try again later", reason="queue_full")
        await self.come_back()

    async def come_back(self) -> None:
        """Take a place, or wait for one however many wait already.

        Raises:
            UnavailableError: The wait was too long.
        """
        if self.places and self.taken >= self.places:
            await self._wait()
        else:
            self.taken += 1

    def try_enter(self) -> bool:
        """Take a place if one is free; nobody waits where one is."""
        if self.places and self.taken >= self.places:
            return False
        self.taken += 1
        return True

    def leave(self) -> None:
        """Give the place to the one who waits longest, or give it up."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.taken -= 1

    async def _wait(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(self.queue_timeout):
                await place
        except TimeoutError:
            self._give_back(place)
            raise UnavailableError(
                "no place became free in time: try again later", reason="queue_timeout"
            ) from None
        except asyncio.CancelledError:
            self._give_back(place)
            raise

    def _give_back(self, place: "asyncio.Future[None]") -> None:
        """A place that was handed over just as its taker gave up goes to the next one."""
        if place.done() and not place.cancelled():
            self.leave()
        elif place in self._waiting:
            self._waiting.remove(place)


class Place:
    """A place that is held for the time of an `async with` block.

    Args:
        admission: Has the places.
        returns: Whether one was given up before, so that a full queue does not matter.

    Raises:
        UnavailableError: On entering; the queue is full, or the wait was too long.
    """

    __slots__ = ("_admission", "_take")

    def __init__(self, admission: Admission, *, returns: bool = False) -> None:
        self._admission = admission
        self._take = admission.come_back if returns else admission.enter

    async def __aenter__(self) -> None:
        await self._take()

    async def __aexit__(self, *_: object) -> None:
        self._admission.leave()
