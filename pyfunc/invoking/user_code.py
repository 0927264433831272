"""The border with the user's code: what would end the process becomes the failure of one call.

A function may call `sys.exit()`, or raise `KeyboardInterrupt`, `StopIteration` or `CancelledError`;
the loop, a thread or a generator of ours would take that for its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["awaited", "called", "contained"]


def called(call: Callable[[], Any]) -> Any:
    """Call code of the user in a thread, where a `StopIteration` would be lost."""
    try:
        return call()
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise contained(error)  # noqa: B904 - it names its cause itself


async def awaited(awaitable: Awaitable[Any]) -> Any:
    """Await code of the user."""
    try:
        return await awaitable
    except Exception:
        raise
    except BaseException as error:
        raise contained(error)  # noqa: B904 - it names its cause itself


def contained(error: BaseException) -> BaseException:
    """An ordinary exception in the place of `error`; `error` itself where it is meant for us."""
    if isinstance(error, GeneratorExit) or (
        isinstance(error, asyncio.CancelledError) and _is_being_cancelled()
    ):
        return error
    failure = RuntimeError(f"the function raised {type(error).__name__}")
    failure.__cause__ = error
    return failure


def _is_being_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # in a thread
        return False
    return task is not None and task.cancelling() > 0
