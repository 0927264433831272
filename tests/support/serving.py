"""A real `python -m pyfunc start` in a process of its own, for tests that ask it over a socket."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.support.apps import IS_PLAIN

__all__ = ["ROOT", "Served", "environment", "pyfunc"]

ROOT = Path(__file__).resolve().parents[2]

# What the machine that runs the tests may have set; a served function gets none of it.
_OURS = ("PORT", "HOST", "LISTEN_ADDRESS", "MODULE_NAME", "FUNCTION_NAME", "K_SERVICE")
_LISTENING = re.compile(r"listening on http://(?:0\.0\.0\.0|127\.0\.0\.1):(\d+)")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without options of pyfunc but the path of the tests, and with `extra`."""
    kept = {k: v for k, v in os.environ.items() if k not in _OURS and not k.startswith("PYFUNC_")}
    path = {"PYFUNC_PLAIN": "true"} if IS_PLAIN else {}
    return {**kept, **path, **(extra or {})}


def pyfunc(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command of pyfunc to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pyfunc", *arguments],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


class Served:
    """A function that is served until the block is left.

    Args:
        directory: Where its module is.
        arguments: More arguments of `start`.
        env: More of the environment.
        own_group: Make it the leader of a group of processes, for signals to all of them.
    """

    def __init__(
        self,
        directory: Path,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        own_group: bool = False,
    ) -> None:
        self.own_group = own_group
        self.command = [sys.executable, "-m", "pyfunc", "start", "--port", "0", *arguments]
        self.directory = directory
        self.env = environment({"PYFUNC_DRAIN_DELAY": "0", **(env or {})})
        self.log: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.start()
        self.port = int(self.wait_for(_LISTENING)[1])
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def start(self) -> None:
        """Start the process; it may not listen yet."""
        self.process = subprocess.Popen(
            self.command,
            cwd=self.directory,
            env=self.env,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=self.own_group,
        )
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._reader.start()

    def wait_for(self, pattern: "re.Pattern[str] | str") -> "re.Match[str]":
        """The next line of the log that matches; every line is kept in `log`."""
        while (line := self._lines.get(timeout=20)) is not None:
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the process ended without a line like {pattern}:\n{self.text}")

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=20)

    def in_background(self, call: Callable[[], str]) -> "Future[str]":
        """What a call returns, in a thread that does not hold the end of the tests."""
        future: Future[str] = Future()

        def run() -> None:
            try:
                future.set_result(call())
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def close(self) -> None:
        """Wait for the whole log, once the process has ended."""
        self._reader.join()

    @property
    def text(self) -> str:
        """The log so far."""
        return "".join(self.log)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.log.append(line)
                self._lines.put(line)
        self._lines.put(None)
