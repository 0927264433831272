"""Resident memory: after the first answer, and after a million invocations."""

from harness import tools, wrk
from harness.cases import EVENT_ASYNC, EVENT_SYNC, HELLO_ASYNC, Case
from harness.cold_start import STARTED
from harness.load import check
from harness.options import Options
from harness.processes import Server, serving
from harness.results import Section

STARTS = 5
EARLY = 10_000  # invocations; every pool and cache is filled by then
SOAKED = (HELLO_ASYNC, EVENT_ASYNC, EVENT_SYNC)


def measure(options: Options) -> Section:
    """Bytes resident in all processes of a server once it has answered."""
    cases = [case for case in STARTED if options.only in case.name]
    found: Section = {case.name: {"resident": []} for case in cases}
    for _ in range(min(STARTS, options.starts)):
        for case in cases:
            with serving(case.runtime, case.function, options) as server:
                check(server, case)
                found[case.name]["resident"].append(server.memory())
    return found


def soak(options: Options) -> Section:
    """Bytes resident after ten thousand invocations and after many, in one process each."""
    tools.require("wrk")
    return {case.name: _soak(case, options) for case in SOAKED if options.only in case.name}


def _soak(case: Case, options: Options) -> dict[str, list[float]]:
    invocations: list[float] = []
    resident: list[float] = []
    with serving(case.runtime, case.function, options) as server:
        check(server, case)
        count = 0
        for goal, step in ((EARLY, 1), (options.soak, 10)):
            count = _invoke(server, case, count, goal, step, options)
            invocations.append(count)
            resident.append(server.memory())
            print(
                f"{case.name:40}{count:10,} invocations {resident[-1] / 2**20:8.1f} MB", flush=True
            )
        check(server, case)
    return {"invocations": invocations, "resident": resident}


def _invoke(server: Server, case: Case, count: int, goal: int, step: int, options: Options) -> int:
    """Load the server in steps of some seconds until it has been invoked often enough."""
    with wrk.script(case.workload) as script:
        while count < goal:
            load = wrk.run(script, server.port, case.connections, step, options.client_cpu)
            count += load.requests
    return count
