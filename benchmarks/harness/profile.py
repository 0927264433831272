"""Where the work of a request and of a start goes.

Of a request: its instructions, and whose code is at work how often. Of a start: its imports.
"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import PurePath

from harness import imports, tools
from harness.cases import BARE, BATCH_EACH, EVENT_ASYNC, HELLO_ASYNC, STRUCTURED, Case
from harness.errors import BenchmarkError
from harness.options import HERE, Options
from harness.processes import invocation, pinned
from harness.results import Section

COUNTED = (BARE, HELLO_ASYNC, EVENT_ASYNC, STRUCTURED, BATCH_EACH)
SAMPLED = (EVENT_ASYNC, BATCH_EACH)
VALGRIND = (
    *("valgrind", "--tool=cachegrind", "--cache-sim=no", "--branch-sim=no"),
    "--cachegrind-out-file=/dev/null",
)
FEWEST = 20  # requests, where each carries many events
BY_MODULE = ("pyfunc", "aiohttp")


def measure(options: Options) -> Section:
    """What there is to tell of each case.

    Instructions per event (or request without one); shares of the samples by who was at work;
    seconds by who was imported.

    Raises:
        BenchmarkError: valgrind cannot be had, or a server failed.
    """
    tools.require("valgrind")
    counted = [case for case in COUNTED if options.only in case.name]
    sampled = [case for case in SAMPLED if options.only in case.name]
    started = [case for case in imports.STARTED if options.only in case.name]
    with ThreadPoolExecutor(2) as pool:  # another process changes no count, but it would a sample
        counts = list(pool.map(partial(_instructions, options=options), counted))
    return {
        **{
            case.name: {"instructions": [count]}
            for case, count in zip(counted, counts, strict=True)
        },
        **{f"{case.name}, shares": _shares(case, options) for case in sampled},
        **{f"{name}, imports": row for name, row in imports.measure(started, options).items()},
    }


def _instructions(case: Case, options: Options) -> float:
    """What is counted from the report after the warm-up to the one at the end."""
    requests = max(FEWEST, options.requests // case.workload.events)
    done = _run(case, options, requests, 0, VALGRIND)
    found = re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)  # `==4711== I refs:  1,234,567`
    before, after = (int(count.replace(",", "")) for count in found)
    return (after - before) / requests / case.workload.events


def _shares(case: Case, options: Options) -> dict[str, list[float]]:
    seconds = options.rounds * options.seconds
    with pinned(options.server_cpu, options.client_cpu):
        done = _run(case, options, FEWEST, seconds)
    files: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    seen: Counter[str] = Counter()
    for file, times in files.items():
        seen[_owner(file)] += times
    return {owner: [times / seen.total()] for owner, times in seen.most_common()}


def _owner(file: str) -> str:
    """Who a file belongs to: a package, with the module where it is of interest."""
    path = PurePath(file)
    if path.is_relative_to(HERE / "functions"):
        return "the function"
    if path.is_relative_to(HERE / "harness"):
        return "the harness"
    if "site-packages" not in path.parts:
        return "asyncio, uvloop" if path.parent.name == "asyncio" else "other"
    package, *_ = inside = path.parts[path.parts.index("site-packages") + 1 :]
    return "/".join(inside) if package in BY_MODULE else package


def _run(
    case: Case, options: Options, requests: int, seconds: int, under: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """A server that feeds itself with requests, from its start to its end."""
    (python, _, *program), variables = invocation(case.runtime, case.function, 0, options)
    driver = ("-m", "harness.inprocess", case.name, str(requests), str(seconds))
    done = subprocess.run(
        [*under, python, *driver, *program],
        cwd=HERE / "functions" / case.runtime.folder,
        env={**variables, "PYTHONPATH": str(HERE), "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"{case.name} could not be profiled:\n{done.stderr[-2000:]}")
    return done
