"""The border with the user's code: exceptions that are not `Exception` become ordinary failures.

A function may call `sys.exit()`, or raise `KeyboardInterrupt`, `GeneratorExit` or `CancelledError`;
the event loop, a thread or a generator of ours would take that as meant for itself.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

from pyfunc.invoking.forks import PROCESS

__all__ = ["awaited", "called", "contained", "run_in", "text_of", "uncancelled"]

T = TypeVar("T")


def called(call: Callable[[], T]) -> T:
    """Call code of the user in a thread, where no other exception than `Exception` may end it."""
    try:
        return call()
    except Exception as error:
        if not isinstance(error, StopIteration):  # which no future can hold
            raise
        failure = _failure(error)
    except BaseException as error:
        failure = _failure(error)
    raise failure


async def awaited(awaitable: Awaitable[T]) -> T:
    """Await code of the user on the event loop."""
    try:
        return await awaitable
    except Exception:
        raise
    except BaseException as error:
        raise contained(error)  # noqa: B904 - it has its cause already
    finally:
        if PROCESS.is_child:
            PROCESS.end_child(sys.exception())


def contained(error: BaseException) -> BaseException:
    """Return an ordinary exception in the place of `error`; `error` itself if it is meant for us.

    That is the cancellation of the current task, and the end of a coroutine that is thrown away
    after its event loop has stopped.
    """
    if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
        return error
    if isinstance(error, GeneratorExit) and not _is_on_loop():
        return error
    return _failure(error)


def text_of(value: Any, convert: Callable[[Any], str] = repr) -> str:
    """Return the text of an object of the user's, whose own method may raise anything.

    Args:
        value: The object.
        convert: Makes its text.
    """
    try:
        return convert(value)
    except BaseException as error:
        return f"<{type(value).__name__}, whose text raises {type(error).__name__}>"


def uncancelled(error: asyncio.CancelledError) -> RuntimeError:
    """Let the current task go on after a cancellation by the function itself; its failure."""
    task = asyncio.current_task()
    while task is not None and task.uncancel():
        pass
    return _failure(error)


def _failure(error: BaseException) -> RuntimeError:
    failure = RuntimeError(f"the function raised {type(error).__name__}")
    failure.__cause__ = error
    return failure


def _is_being_cancelled() -> bool:
    task = asyncio.current_task() if _is_on_loop() else None
    return task is not None and task.cancelling() > 0


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@coroutine
def run_in(context: Context, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Await a coroutine whose steps run in a context of their own.

    A task with that context would do the same, for several times the cost of most functions.
    """
    step, value = work.send, None
    try:
        while True:
            awaitable = context.run(step, value)
            try:
                step, value = work.send, (yield awaitable)
            except BaseException as error:  # for the coroutine, a cancellation above all
                step, value = work.throw, error
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        value = None  # an exception that holds this frame would keep itself, and its request
