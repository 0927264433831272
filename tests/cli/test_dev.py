"""`dev`, and `adev runserver` with a function: a file is edited, and the server is asked again."""

import contextlib
import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.serving import ROOT, environment, pyfunc

ONE = "def main():\n    return 'one'\n"
TWO = "def main():\n    return 'two'\n"
SECONDS = 25  # for a restart on a slow machine; a test that passes takes one or two


class Developed:
    """A development server in a process of its own, and what it logs."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def ask(self) -> tuple[int, str] | None:
        """The answer; `None` while there is no server."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                return response.status, response.read().decode()
            except (OSError, http.client.HTTPException):
                return None

    def answers(self, status: int, text: str) -> None:
        """Ask until this is answered."""
        end = time.monotonic() + SECONDS
        answer = None
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log
            if self.port and (answer := self.ask()) and answer[0] == status and text in answer[1]:
                return
            time.sleep(0.05)  # between two questions; which one is answered so does not matter
        raise AssertionError(f"the last answer was {answer}\n{self.log}")

    def logs(self, text: str) -> None:
        """Wait until this is logged."""
        end = time.monotonic() + SECONDS
        while text not in self.log:
            assert time.monotonic() < end, self.log
            time.sleep(0.05)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=SECONDS)


@contextlib.contextmanager
def developed(directory: Path, command: Sequence[str], port: int = 0) -> Iterator[Developed]:
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=directory,
        env=environment({"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Developed(process, port)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)  # so that it ends its own process, too
                process.wait(timeout=SECONDS)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "func.py").write_text(ONE)
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_saved_file_is_served_and_mistakes_are_survived(directory: Path) -> None:
    with developed(directory, ["pyfunc", "dev", "--port", "0"]) as server:
        server.answers(200, "one")
        (directory / "func.py").write_text("def main(:\n")
        server.answers(500, "func has a syntax error")
        server.logs("SyntaxError")
        (directory / "func.py").write_text("import helper\ndef main(): return helper.text\n")
        server.answers(500, "func imports helper, which is not installed")
        (directory / "helper.py").write_text("text = 'from the helper'\n")
        server.answers(200, "from the helper")
        (directory / "func.py").write_text(TWO)
        server.answers(200, "two")
        assert server.interrupt() == 0


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_function_that_is_wrong_from_the_start_is_waited_for(directory: Path) -> None:
    (directory / "func.py").write_text("raise RuntimeError('at import')\n")
    with developed(directory, ["pyfunc", "dev", "--port", "0"]) as server:
        server.answers(500, "RuntimeError: at import")
        server.logs("retrying when a file is saved")
        (directory / "func.py").write_text(ONE)
        server.answers(200, "one")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_hook_that_fails_is_told_and_waited_for(directory: Path) -> None:
    (directory / "func.py").write_text(f"{ONE}def on_startup():\n    raise LookupError('a hook')\n")
    with developed(directory, ["pyfunc", "dev", "--port", "0"]) as server:
        server.logs("LookupError: a hook")
        (directory / "func.py").write_text(ONE)
        server.answers(200, "one")


@pytest.mark.timeout(60)
def test_answers_tell_what_went_wrong_and_invocations_are_logged(directory: Path) -> None:
    (directory / "func.py").write_text("def main():\n    raise LookupError('shelf')\n")
    with developed(directory, ["pyfunc", "dev", "--port", "0"]) as server:
        server.answers(500, "LookupError('shelf')")
        server.logs("GET / 500")


@pytest.mark.timeout(60)
def test_other_function_on_this_interface_alone(directory: Path) -> None:
    """Fails when aiohttp-devtools has moved the constant that `devapp.listen_on` sets."""
    (directory / "func.py").rename(directory / "other.py")
    with developed(directory, ["pyfunc", "dev", "--port", "0", "-m", "other"]) as server:
        server.answers(200, "one")
        with socket.socket() as other:  # where every interface is listened on, this one is taken
            other.bind(("127.0.0.2", server.port))


def test_port_that_is_taken_is_told(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = pyfunc("dev", "--port", str(port), cwd=directory)
    assert done.returncode == 3
    assert f"127.0.0.1:{port} is taken by another program" in done.stderr
    assert "Traceback" not in done.stderr


def test_search_path_that_is_none_is_told(directory: Path) -> None:
    done = pyfunc("dev", "--port", "0", "-s", "nowhere", cwd=directory)
    assert done.returncode == 3
    assert "the search path nowhere is not a directory" in done.stderr


def test_missing_devtools_are_told(directory: Path) -> None:
    (directory / "aiohttp_devtools.py").write_text("raise ImportError")
    done = pyfunc("dev", cwd=directory, env={"PYTHONPATH": str(directory)})
    assert done.returncode == 3
    assert "dev needs aiohttp-devtools" in done.stderr


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_adev_serves_the_documented_application(directory: Path) -> None:
    documented = (ROOT / "docs/development.md").read_text()
    (found,) = re.findall(r"^```python\n# app\.py\n(.*?)^```", documented, re.M | re.S)
    (directory / "app.py").write_text(found)
    port, other = free_ports(2)
    command = ["aiohttp_devtools", "runserver", "--port", str(port), "--aux-port", str(other)]
    with developed(directory, command, port) as server:
        server.answers(200, "one")
        (directory / "func.py").write_text(TWO)
        server.answers(200, "two")
        (directory / "func.py").write_text("def main(:\n")
        server.logs("SyntaxError")
        (directory / "func.py").write_text(ONE)
        server.answers(200, "one")
