"""Starting a server on its own core, watching what it uses, and ending it."""

import http.client
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BenchmarkError
from harness.options import HERE, Options
from harness.runtimes import Runtime
from harness.workloads import Answer, Workload

PORTS = range(20_000, 30_000)
PATIENCE = 30.0  # seconds a server may take to answer at all


@dataclass(frozen=True)
class Server:
    """A running server: the leader of a process group of its own, and its port."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    started: float

    def ask(self, workload: Workload, timeout: float = PATIENCE) -> Answer:
        """Send one request on a connection of its own.

        Raises:
            OSError: nobody answers.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(workload.method, workload.path, workload.body, {**workload.headers})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
        finally:
            connection.close()

    def first_answer(self, workload: Workload) -> tuple[Answer, float]:
        """Ask until somebody answers; the answer, and the seconds since the process was started.

        Raises:
            BenchmarkError: the process ended, or stayed silent.
        """
        asked = time.perf_counter()  # not when it was started: a soak asks minutes after that
        while time.perf_counter() - asked < PATIENCE:
            try:
                answer = self.ask(workload)
            except (OSError, http.client.HTTPException):
                self._still_there()
                time.sleep(0.0005)
            else:
                return answer, time.perf_counter() - self.started
        raise BenchmarkError(f"{self.name} did not answer within {PATIENCE:.0f} s:\n{self._tail()}")

    def memory(self) -> int:
        """Resident memory of all its processes, in bytes."""
        return sum(_resident(pid) for pid in self._pids())

    def cpu(self) -> float:
        """CPU seconds all its processes have used, in user space and in the kernel."""
        return sum(_cpu(pid) for pid in self._pids())

    def _pids(self) -> list[int]:
        everyone = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in everyone if _group(pid) == self.process.pid]

    def _still_there(self) -> None:
        if self.process.poll() is not None:
            code = self.process.returncode
            raise BenchmarkError(f"{self.name} ended with exit code {code}:\n{self._tail()}")

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


@contextmanager
def serving(runtime: Runtime, function: str, options: Options) -> Iterator[Server]:
    """A server for the time of a `with` block; killed with all its children at the end."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        port = _free_port()
        command, variables = invocation(runtime, function, port, options)
        with log.open("wb") as output, pinned(options.server_cpu, options.client_cpu):
            started = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=HERE / "functions" / runtime.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield Server(runtime.name, process, port, log, started)
        finally:
            # Not SIGTERM: how long each drains is another question than how fast it serves.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def invocation(
    runtime: Runtime, function: str, port: int, options: Options
) -> tuple[list[str], dict[str, str]]:
    """The command that starts a server, and its environment variables."""
    words = {
        "bin": str(options.cache.resolve() / runtime.environment / "bin"),
        "function": function,
        "port": str(port),
    }
    variables = {name: value.format(**words) for name, value in runtime.variables.items()}
    command = [part.format(**words) for part in runtime.command]
    return command, {**_plain_environment(), **variables}


@contextmanager
def pinned(child: int, own: int) -> Iterator[None]:
    """Processes started within run on the core `child`; this one goes back to `own`."""
    os.sched_setaffinity(0, {child})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {own})


def _plain_environment() -> dict[str, str]:
    """No setting of the caller's shell reaches a server."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def _free_port() -> int:
    # Not from the range the kernel gives to clients: one of them might have it by the time the
    # server asks for it, and a client that asks too early might even be connected to itself.
    for port in random.sample(PORTS, len(PORTS)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise BenchmarkError("no free port between 20000 and 30000")


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _cpu(pid: int) -> float:
    # The clock clock_getcpuclockid(3) gives for another process: /proc counts in steps of 10 ms.
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return sum(sizes) * 1024
