"""Tasks that a function leaves running."""

import re
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.files import write
from tests.support.serving import Served

SOURCE = """
    import asyncio

    tasks = set()

    async def later(seconds):
        await asyncio.sleep(seconds)
        print("done later", flush=True)

    async def main(query):
        task = asyncio.create_task(later(float(query["seconds"])), name="report")
        tasks.add(task)
        return "begun"
"""


def stopped(tmp_path: Path, seconds: str, *options: str) -> tuple[int, str]:
    """The exit code and the log of a process with such a task in progress."""
    write(tmp_path, {"func.py": SOURCE})
    with Served(tmp_path, "--log-format", "text", *options) as served:
        with urlopen(f"{served.url}/?seconds={seconds}", timeout=20) as response:  # noqa: S310 - loopback
            assert response.read() == b"begun"
        code = served.terminate(signal.SIGTERM)
        served.close()
        return code, served.text


@pytest.mark.parametrize("path", [(), ("--plain",)], ids=["fast", "plain"])
def test_a_task_is_waited_for(tmp_path: Path, path: tuple[str, ...]) -> None:
    code, log = stopped(tmp_path, "0.5", *path)
    assert code == 0
    assert "waiting for 1 tasks that the function has begun" in log
    assert "cancelling the task" not in log


def test_a_task_that_takes_too_long_is_named(tmp_path: Path) -> None:
    code, log = stopped(tmp_path, "60", "--drain-timeout", "0.3")
    assert code == 0
    assert re.search(r"out of time: cancelling the task report \(later at func\.py:7\)", log), log
