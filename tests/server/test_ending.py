"""The end of a process that something of the function's would hold up."""

import subprocess
import sys

import pytest

STUCK = {
    "thread": "threading.Thread(target=threading.Event().wait).start()",
    "pool": "ThreadPoolExecutor(1).submit(threading.Event().wait)",
}
CODE = """
import atexit, threading
from concurrent.futures import ThreadPoolExecutor
from pyfunc.server import ending

atexit.register(print, "registered")
ending._LAST_WAIT = 0.2
{stuck}
ending.let_exit(3)
"""


@pytest.mark.parametrize("stuck", STUCK)
def test_a_thread_that_never_ends_does_not_hold_the_exit(stuck: str) -> None:
    code = CODE.format(stuck=STUCK[stuck])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 3
    assert done.stdout == "registered\n"
    assert "the process ends without it" in done.stderr


def test_a_process_without_stuck_threads_ends_by_itself() -> None:
    code = CODE.format(stuck="pass")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "registered\n", "")
