"""Tasks that a function leaves behind with `asyncio.create_task`: which they are, and their names.

Tasks that `on_startup` began are none of them: they are for `on_shutdown` to end.
"""

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import web

from pyfunc.function.tracebacks import user_place, waiting_stack

__all__ = ["LeftTasks"]

_Task = asyncio.Task[Any]

# The tasks of the server wait in the function's code, too, but begin here.
_SERVERS = tuple(
    str(path / "_")[:-1] for path in (Path(__file__).parents[1], Path(web.__file__).parent)
)


class LeftTasks:
    """The tasks of a loop that run code of the function's."""

    def __init__(self) -> None:
        self._earlier: set[_Task] = set()

    def begin(self) -> None:
        """Leave out the tasks that are there now."""
        self._earlier = asyncio.all_tasks()

    def find(self) -> list[_Task]:
        """Find those that are not done."""
        return [task for task in asyncio.all_tasks() - self._earlier if _place(task)]

    @staticmethod
    def name(task: _Task) -> str:
        """Make a name for the log: the task's own, its function, and its line."""
        function = getattr(task.get_coro(), "__qualname__", "a coroutine")
        return f"{task.get_name()} ({function} at {_place(task)})"


def _place(task: _Task) -> str:
    coroutine = task.get_coro()
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    if code is None or code.co_filename.startswith(_SERVERS):
        return ""
    return user_place(waiting_stack(coroutine))
