"""Running wrk, and reading what it found."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BenchmarkError
from harness.processes import pinned
from harness.workloads import Workload

SUMMARY = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "failed": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What wrk saw: rates per second, latencies in seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


@contextmanager
def script(workload: Workload) -> Iterator[Path]:
    """A wrk script that sends the request and prints its summary as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body"
        body.write_bytes(workload.body)
        lines = [f'wrk.method = "{workload.method}"', f'wrk.path = "{workload.path}"']
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in workload.headers.items()]
        lines += [f'wrk.body = io.open("{body}", "rb"):read("*a")', SUMMARY]
        path = Path(folder) / "script.lua"
        path.write_text("\n".join(lines))
        yield path


def run(path: Path, port: int, connections: int, seconds: int, cpu: int) -> Load:
    """Load `port` for whole seconds (wrk knows no others) from the core `cpu`.

    Raises:
        BenchmarkError: wrk failed, or a request did.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
    with pinned(cpu, cpu):
        done = subprocess.run(
            [*command, "-s", str(path), f"http://127.0.0.1:{port}"],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise BenchmarkError(f"wrk failed:\n{done.stdout}{done.stderr}")
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    if found["failed"]:
        raise BenchmarkError(f"{found['failed']} of {found['requests']} requests failed")
    return Load(
        found["requests"], found["microseconds"] / 1e6, found["p50"] / 1e6, found["p99"] / 1e6
    )
