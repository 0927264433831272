"""The phase of an application and its requests in flight."""

import asyncio

import pytest

from pyfunc.lifecycle import Lifecycle, Phase


async def request(lifecycle: Lifecycle, go: asyncio.Event) -> None:
    task = lifecycle.enter()
    try:
        await go.wait()
    finally:
        lifecycle.leave(task)


def test_it_begins_at_the_start_with_nothing_in_flight() -> None:
    lifecycle = Lifecycle(1)
    assert (lifecycle.phase, lifecycle.in_flight) == (Phase.STARTING, 0)
    assert not lifecycle.is_cut_off


async def test_a_request_is_in_flight_until_it_leaves() -> None:
    lifecycle, go = Lifecycle(1), asyncio.Event()
    tasks = [asyncio.create_task(request(lifecycle, go)) for _ in range(3)]
    await asyncio.sleep(0)
    assert lifecycle.in_flight == 3
    go.set()
    await asyncio.gather(*tasks)
    assert lifecycle.in_flight == 0


async def test_cutting_off_cancels_each_request_in_flight_and_nothing_else() -> None:
    lifecycle = Lifecycle(1)
    inside = asyncio.create_task(request(lifecycle, asyncio.Event()))
    outside = asyncio.create_task(asyncio.sleep(0, "done"))
    await asyncio.sleep(0)
    lifecycle.cut_off()
    with pytest.raises(asyncio.CancelledError):
        await inside
    assert await outside == "done"
    assert lifecycle.is_cut_off
    assert lifecycle.in_flight == 0
