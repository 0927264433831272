"""Requests per second, latency and CPU time, case by case, in interleaved rounds."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import tools, wrk
from harness.cases import CASES, Case
from harness.errors import WrongAnswerError
from harness.options import Options
from harness.processes import Server, serving
from harness.results import Section

MEASURES = ("rate", "p50", "p99", "cpu")


def measure(options: Options) -> Section:
    """Load every server once per round, so that a slow minute hits all of them.

    Rates are requests per second, latencies and CPU times (per request) seconds.
    """
    tools.require("wrk")
    return rounds([case for case in CASES if options.only in case.name], options)


def rounds(cases: Sequence[Case], options: Options) -> Section:
    """Samples of each case, one a round."""
    found: Section = {case.name: _empty(case) for case in cases}
    with ExitStack() as running:
        loads = [running.enter_context(_started(case, options)) for case in cases]
        for number in range(options.rounds):
            for load in reversed(loads) if number % 2 else loads:  # there and back
                name = load.case.name
                sample = load.sample(max(options.seconds, load.case.seconds))
                for measure in MEASURES:
                    found[name][measure].append(sample[measure])
                rate = f"{sample['rate']:10,.0f} req/s"
                print(f"round {number + 1}  {name:44}{rate}", flush=True)
    return found


def check(server: Server, case: Case) -> None:
    """Refuse to measure a server that does not do the job.

    Raises:
        WrongAnswerError: the answer is not the one the case expects.
    """
    answer = server.first_answer(case.workload)[0]
    if not case.right(answer):
        seen = f"{answer.status}, {dict(answer.headers)}, {answer.body[:200]!r}"
        raise WrongAnswerError(f"{case.name} gives a wrong answer: {seen}")


@dataclass(frozen=True)
class _Load:
    """A server that is running, and what it is loaded with."""

    case: Case
    server: Server
    script: Path
    client_cpu: int

    def sample(self, seconds: int) -> dict[str, float]:
        """Rate, latencies and CPU time of some seconds; the answer is right before and after."""
        check(self.server, self.case)
        before = self.server.cpu()
        seen = self._run(seconds)
        cpu = (self.server.cpu() - before) / seen.requests
        check(self.server, self.case)
        return {"rate": seen.rate, "p50": seen.p50, "p99": seen.p99, "cpu": cpu}

    def warm_up(self, seconds: int) -> None:
        """Load it, and look at nothing."""
        check(self.server, self.case)
        if seconds:
            self._run(seconds)

    def _run(self, seconds: int) -> wrk.Load:
        connections = self.case.connections
        return wrk.run(self.script, self.server.port, connections, seconds, self.client_cpu)


@contextmanager
def _started(case: Case, options: Options) -> Iterator[_Load]:
    with (
        serving(case.runtime, case.function, options) as server,
        wrk.script(case.workload) as script,
    ):
        load = _Load(case, server, script, options.client_cpu)
        load.warm_up(options.warmup)
        yield load


def _empty(case: Case) -> dict[str, list[float]]:
    return {"events": [case.workload.events], **{name: [] for name in MEASURES}}
