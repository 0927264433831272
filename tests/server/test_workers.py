"""Several processes on one port: real ones, with real signals."""

import json
import os
import re
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.serving import Served, pyfunc

PID = "import os\n\nasync def main(query):\n    return str(os.getpid())\n"


def write(directory: Path, source: str) -> Path:
    (directory / "func.py").write_text(source)
    return directory


def ask(served: Served, path: str = "/") -> str:
    """The body of an answer; the status of an error."""
    try:
        with urllib.request.urlopen(f"{served.url}{path}", timeout=20) as response:  # noqa: S310
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return str(error.code)


def messages(served: Served) -> list[str]:
    return [json.loads(line)["message"] for line in served.log]


def test_a_worker_that_is_killed_is_replaced_and_the_others_serve_on(tmp_path: Path) -> None:
    with Served(write(tmp_path, PID), "--workers", "2") as served:
        for _ in range(2):
            served.wait_for('"ready"')
        killed = ask(served)
        os.kill(int(killed), signal.SIGKILL)
        served.wait_for("another one starts in 0 s")
        served.wait_for('"ready"')
        assert killed not in {ask(served) for _ in range(20)}
        assert served.terminate() == 0


def test_each_record_of_a_worker_tells_which_one_it_is(tmp_path: Path) -> None:
    with Served(write(tmp_path, PID), "--workers", "2") as served:
        for _ in range(2):
            served.wait_for('"ready"')
        workers = {json.loads(line)["worker"] for line in served.log if '"ready"' in line}
        assert int(ask(served)) in workers
        assert len(workers) == 2


SLOW = """
import asyncio, os

async def main(query):
    os.write(2, b'{"message": "called"}\\n')
    await asyncio.sleep(float(query.get("seconds", 0)))
    return "done"

def on_shutdown():
    os.write(2, b'{"message": "shut down"}\\n')
"""


@pytest.mark.slow
@pytest.mark.parametrize("to", ["the supervisor", "every process"])
def test_all_workers_drain(tmp_path: Path, to: str) -> None:
    """A service manager may tell every process; that is still one signal and not two."""
    with Served(write(tmp_path, SLOW), "--workers", "2", own_group=True) as served:
        for _ in range(2):
            served.wait_for('"ready"')
        answer = served.in_background(lambda: ask(served, "/?seconds=1"))
        served.wait_for("called")
        pid = served.process.pid
        (os.kill if to == "the supervisor" else os.killpg)(pid, signal.SIGTERM)
        assert answer.result(20) == "done"
        assert served.process.wait(20) == 0
        served.close()
    told = messages(served)
    assert told.count("shut down") == 2
    assert sum("cancelling" in message for message in told) == 0
    assert told[-1] == "all workers have ended; stopped with exit code 0"


def test_a_second_signal_hurries_all_workers(tmp_path: Path) -> None:
    with Served(write(tmp_path, SLOW), "--workers", "2") as served:
        for _ in range(2):
            served.wait_for('"ready"')
        answer = served.in_background(lambda: ask(served, "/?seconds=60"))
        served.wait_for("called")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("closed the listeners")
        assert served.terminate() == 6
        assert answer.result(20) == "503"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "code", "told"),
    [
        pytest.param("def main(colour): ...", 3, "cannot be bound", id="function"),
        pytest.param("def main(): ...\ndef on_startup(): 1 / 0", 4, "ZeroDivision", id="hook"),
        pytest.param(
            "import os\nos._exit(7)\ndef main(): ...", 5, "before they are ready", id="death"
        ),
    ],
)
def test_workers_that_cannot_start_end_all(
    tmp_path: Path, source: str, code: int, told: str
) -> None:
    done = pyfunc("start", "--port", "0", "--workers", "2", cwd=write(tmp_path, source))
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr


@pytest.mark.slow
def test_pauses_between_restarts_grow(tmp_path: Path) -> None:
    source = "import os\nos._exit(7)\ndef main(): ..."
    done = pyfunc("start", "--port", "0", "--workers", "1", cwd=write(tmp_path, source))
    assert done.returncode == 7
    done = pyfunc("start", "--port", "0", "--workers", "2", cwd=tmp_path)
    assert re.findall(r"starts in (\S+) s", done.stderr) == ["0", "1", "2", "4"]


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with Served(write(tmp_path, PID), "--workers", "2") as served:
        for _ in range(2):
            served.wait_for('"ready"')
        served.process.kill()
        served.close()
    told = messages(served)
    assert told.count("the supervisor is gone") == 2
    assert told.count("stopped with exit code 0") == 2


STANDS_STILL = """
import os, time

async def main(query):
    if not query:
        time.sleep(60)
    return str(os.getpid())
"""


@pytest.mark.slow
def test_a_worker_whose_loop_stands_still_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, STANDS_STILL)
    with Served(tmp_path, "--workers", "2", "--worker-timeout", "1") as served:
        for _ in range(2):
            served.wait_for('"ready"')
        served.in_background(lambda: ask(served))
        served.wait_for("WORKER TIMEOUT")
        served.wait_for('"ready"')
        assert ask(served, "/?a=1").isdigit()
