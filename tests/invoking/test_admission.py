"""Places and the queue before them: who is let in, who waits, who is refused."""

import asyncio

import pytest

from pyfunc.errors import UnavailableError
from pyfunc.invoking.admission import Admission


async def waiting(admission: Admission) -> "asyncio.Task[None]":
    """A task that waits for a place."""
    count = admission.waiting
    task = asyncio.create_task(admission.enter())
    while admission.waiting == count:  # noqa: ASYNC110 - one turn of the loop
        await asyncio.sleep(0)
    return task


async def test_places_are_given_without_a_wait() -> None:
    admission = Admission(2, 0, 1.0)
    await admission.enter()
    assert not admission.is_full
    await admission.enter()
    assert admission.is_full


async def test_without_a_limit_nobody_is_refused() -> None:
    admission = Admission(0, 0, 1.0)
    for _ in range(100):
        await admission.enter()
    assert not admission.is_full


async def test_who_finds_the_queue_full_is_told_to_come_back() -> None:
    admission = Admission(1, 0, 1.0)
    await admission.enter()
    with pytest.raises(UnavailableError) as refused:
        await admission.enter()
    assert refused.value.headers == {"Retry-After": "1"}


async def test_the_queue_moves_in_order() -> None:
    admission = Admission(1, 2, 60.0)
    await admission.enter()
    first, second = await waiting(admission), await waiting(admission)
    assert admission.is_full
    admission.leave()
    await first
    assert not second.done()
    admission.leave()
    await second
    admission.leave()
    assert (admission.taken, admission.waiting) == (0, 0)


async def test_a_wait_ends_after_a_time() -> None:
    admission = Admission(1, 1, 0.01)
    await admission.enter()
    with pytest.raises(UnavailableError):
        await admission.enter()
    assert (admission.taken, admission.waiting) == (1, 0)


async def test_who_gives_up_leaves_the_queue() -> None:
    admission = Admission(1, 1, 60.0)
    await admission.enter()
    task = await waiting(admission)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert admission.waiting == 0
    admission.leave()
    assert admission.taken == 0


async def test_a_place_handed_to_one_who_gives_up_at_that_moment_is_not_lost() -> None:
    admission = Admission(1, 2, 60.0)
    await admission.enter()
    gives_up, next_one = await waiting(admission), await waiting(admission)
    admission.leave()
    gives_up.cancel()
    await next_one
    admission.leave()
    assert admission.taken == 0


async def test_who_comes_back_waits_however_long_the_queue_is() -> None:
    admission = Admission(1, 0, 60.0)
    await admission.enter()
    back = asyncio.create_task(admission.come_back())
    await asyncio.sleep(0)
    admission.leave()
    await back
    assert admission.taken == 1
