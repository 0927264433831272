"""From exec to the first right answer; servers take turns."""

from harness.cases import BARE, EVENT_ASYNC, HELLO_ASYNC, HELLO_GRANIAN, HELLO_PEERS, Case
from harness.errors import WrongAnswerError
from harness.options import Options
from harness.processes import serving
from harness.results import Section

STARTED = (BARE, HELLO_ASYNC, EVENT_ASYNC, *HELLO_PEERS, HELLO_GRANIAN)


def measure(options: Options) -> Section:
    """Start each server many times; wall time and CPU time are seconds."""
    cases = [case for case in STARTED if options.only in case.name]
    for case in cases:  # the very first start writes bytecode and fills the page cache
        _start(case, options)
    found: Section = {case.name: {"wall": [], "cpu": []} for case in cases}
    for _ in range(options.starts):
        for case in cases:
            for name, value in _start(case, options).items():
                found[case.name][name].append(value)
    return found


def _start(case: Case, options: Options) -> dict[str, float]:
    with serving(case.runtime, case.function, options) as server:
        answer, wall = server.first_answer(case.workload)
        cpu = server.cpu()
    if not case.right(answer):
        raise WrongAnswerError(f"{case.name} gives a wrong answer: {answer}")
    return {"wall": wall, "cpu": cpu}
