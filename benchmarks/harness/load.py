"""Requests per second, latency and CPU time, case by case, in interleaved rounds."""

from collections.abc import Sequence

from harness import tools, wrk
from harness.cases import CASES, Case
from harness.errors import WrongAnswerError
from harness.options import Options
from harness.processes import Server, serving
from harness.results import Section

MEASURES = ("rate", "p50", "p99", "cpu")


def measure(options: Options) -> Section:
    """Run every case once per round, so that a slow minute hits all of them.

    Rates are requests per second, latencies and CPU times (per request) seconds.
    """
    tools.require("wrk")
    return rounds([case for case in CASES if options.only in case.name], options)


def rounds(cases: Sequence[Case], options: Options) -> Section:
    """Samples of each case, one a round."""
    found: Section = {case.name: _empty(case) for case in cases}
    for number in range(options.rounds):
        for case in cases:
            sample = _sample(case, options)
            for name in MEASURES:
                found[case.name][name].append(sample[name])
            rate = f"{sample['rate']:10,.0f} req/s"
            print(f"round {number + 1}  {case.name:44}{rate}", flush=True)
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


def _sample(case: Case, options: Options) -> dict[str, float]:
    with (
        serving(case.runtime, case.function, options) as server,
        wrk.script(case.workload) as script,
    ):
        check(server, case)
        if options.warmup:
            wrk.run(script, server.port, case.connections, options.warmup, options.client_cpu)
        before = server.cpu()
        load = wrk.run(script, server.port, case.connections, options.seconds, options.client_cpu)
        cpu = (server.cpu() - before) / load.requests
        check(server, case)
    return {"rate": load.rate, "p50": load.p50, "p99": load.p99, "cpu": cpu}


def _empty(case: Case) -> dict[str, list[float]]:
    return {"events": [case.workload.events], **{name: [] for name in MEASURES}}
