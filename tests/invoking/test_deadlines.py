"""Time limits of tasks, kept by one timer."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from pyfunc.errors import DeadlineError
from pyfunc.invoking.deadlines import Deadlines, Limit


async def kept(deadlines: Deadlines, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
    with Limit(deadlines, time.monotonic() + seconds):
        return await work


async def test_what_is_done_in_time_is_given() -> None:
    assert await kept(Deadlines(), asyncio.sleep(0, "done"), 60) == "done"


async def test_without_a_limit_there_is_none() -> None:
    with Limit(Deadlines(), None):
        await asyncio.sleep(0)


async def test_what_is_late_is_cancelled_and_its_task_goes_on() -> None:
    deadlines, seen = Deadlines(), []

    async def late() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    with pytest.raises(DeadlineError, match="within its time limit"):
        await kept(deadlines, late(), 0.01)
    assert seen == ["cancelled"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_each_has_its_own_limit_in_whatever_order_they_come() -> None:
    deadlines = Deadlines()
    limits = (60, 0.03, 60, 0.01, 0.02)
    tasks = [
        asyncio.create_task(kept(deadlines, asyncio.sleep(0.2, limit), limit)) for limit in limits
    ]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcome if outcome == 60 else type(outcome) for outcome in outcomes] == [
        60, DeadlineError, 60, DeadlineError, DeadlineError,
    ]  # fmt: skip


async def test_a_time_out_of_the_functions_own_is_its_own() -> None:
    async def own() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await kept(Deadlines(), own(), 60)


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    task = asyncio.create_task(kept(Deadlines(), asyncio.sleep(60), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_result_in_spite_of_the_cancellation_is_given() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "late"
        return "never"

    assert await kept(Deadlines(), stubborn(), 0.01) == "late"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
