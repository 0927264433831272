"""What is imported until the first answer, and for how long, as `python -X importtime` tells."""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.cases import BARE, HELLO_ASYNC, HELLO_GRANIAN, HELLO_PEERS, Case
from harness.load import check
from harness.options import Options
from harness.processes import serving
from harness.results import Section

STARTED = (HELLO_ASYNC, BARE, *HELLO_PEERS, HELLO_GRANIAN)
STARTS = 5
STANDARD = "the standard library"

_line = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)").match


def measure(cases: Sequence[Case], options: Options) -> Section:
    """Seconds by who is imported, for each case and start; servers take turns.

    They are longer than without being looked at, so that only their shares tell something.
    """
    starts: dict[str, list[Counter[str]]] = {case.name: [] for case in cases}
    for _ in range(min(STARTS, options.starts)):
        for case in cases:
            starts[case.name].append(_start(case, options))
    return {name: _by_owner(seen) for name, seen in starts.items()}


def _by_owner(starts: Sequence[Counter[str]]) -> dict[str, list[float]]:
    owners = dict.fromkeys(owner for start in starts for owner in start)
    return {owner: [start[owner] for start in starts] for owner in owners}


def _start(case: Case, options: Options) -> Counter[str]:
    watched = {**case.runtime.variables, "PYTHONPROFILEIMPORTTIME": "1"}
    runtime = replace(case.runtime, variables=watched)
    with serving(runtime, case.function, options) as server:
        check(server, case)
        lines = server.log.read_text(errors="replace").splitlines()
    seconds: Counter[str] = Counter()
    for found in filter(None, map(_line, lines)):
        seconds[_owner(found[2])] += int(found[1]) / 1e6
    return seconds


def _owner(module: str) -> str:
    package = module.partition(".")[0]
    return STANDARD if package in sys.stdlib_module_names else package
