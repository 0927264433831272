"""The border with the user's code: exceptions that would end a thread, a task or the process."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, NoReturn

import pytest

from pyfunc.invoking.user_code import awaited, called, contained, run_in, uncancelled

NAME: ContextVar[str] = ContextVar("name", default="outside")

ENDING = [
    SystemExit(0),
    KeyboardInterrupt(),
    StopIteration("value"),
    GeneratorExit(),
    asyncio.CancelledError(),
    BaseException("own"),
]
ENDING_IDS = [type(error).__name__ for error in ENDING]


def raises(error: BaseException) -> Callable[[], NoReturn]:
    def call() -> NoReturn:
        raise error

    return call


async def fails(error: BaseException) -> NoReturn:
    raise error


def test_a_call_returns_its_result() -> None:
    assert called(lambda: "result") == "result"


async def test_an_awaitable_gives_its_result() -> None:
    assert await awaited(asyncio.sleep(0, "result")) == "result"


def test_an_ordinary_exception_of_a_call_stays_itself() -> None:
    error = ValueError("own")
    with pytest.raises(ValueError, match="own") as caught:
        called(raises(error))
    assert caught.value is error


async def test_an_ordinary_exception_of_an_awaitable_stays_itself() -> None:
    error = ValueError("own")
    with pytest.raises(ValueError, match="own") as caught:
        await awaited(fails(error))
    assert caught.value is error


@pytest.mark.parametrize("error", ENDING, ids=ENDING_IDS)
def test_what_would_end_a_thread_is_the_cause_of_a_runtime_error(error: BaseException) -> None:
    with ThreadPoolExecutor(1) as pool:
        failure = pool.submit(called, raises(error)).exception(20)
    assert type(failure) is RuntimeError
    assert str(failure) == f"the function raised {type(error).__name__}"
    assert failure.__cause__ is error


@pytest.mark.parametrize("error", ENDING, ids=ENDING_IDS)
async def test_what_would_end_a_task_is_the_cause_of_a_runtime_error(error: BaseException) -> None:
    with pytest.raises(RuntimeError) as caught:
        await awaited(_Raises(error))
    assert caught.value.__cause__ is error


class _Raises:
    """An awaitable whose exception no coroutine turns into another one."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __await__(self) -> Any:
        raise self.error


async def test_the_cancellation_of_the_own_task_is_passed_on() -> None:
    task = asyncio.create_task(_waiting(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _waiting(awaitable: Awaitable[Any]) -> Any:
    return await awaited(awaitable)


def test_the_end_of_a_coroutine_without_a_loop_is_passed_on() -> None:
    error = GeneratorExit()
    assert contained(error) is error


async def test_a_generator_exit_of_the_function_is_its_failure() -> None:
    assert type(contained(GeneratorExit())) is RuntimeError


async def test_a_task_that_cancelled_itself_goes_on() -> None:
    async def main() -> int:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.sleep(0)
        assert uncancelled(caught.value).__cause__ is caught.value
        await asyncio.sleep(0)
        return task.cancelling()

    assert await asyncio.create_task(main()) == 0


async def test_steps_in_a_context_see_its_variables_and_leave_none_behind() -> None:
    context = copy_context()
    context.run(NAME.set, "of the context")

    async def main() -> str:
        await asyncio.sleep(0)
        name = NAME.get()
        NAME.set("set within")
        return name

    assert await run_in(context, main()) == "of the context"
    assert NAME.get() == "outside"
    assert context.run(NAME.get) == "set within"


def test_an_error_that_ends_a_wait_does_not_keep_itself() -> None:
    class Ended(Exception):  # noqa: N818 - as a cancellation
        pass

    async def wait() -> None:
        await asyncio.sleep(0)

    def end() -> weakref.ref[Ended]:
        call = run_in(copy_context(), wait())
        call.send(None)
        try:
            call.throw(Ended())
        except Ended as error:
            return weakref.ref(error)
        raise AssertionError

    gc.disable()
    try:
        assert end()() is None
    finally:
        gc.enable()
