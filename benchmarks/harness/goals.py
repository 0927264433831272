"""The goals pyfunc has set itself, each a ratio of two things measured in one run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness import cases
from harness.cases import Case

# Of the time; a server that worked less was held up by something else, or its client was.
BUSY = 0.9

BODIES = ("pyfunc, 10000000 bytes", "pyfunc, 100000 bytes")

Ratios = list[float]
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A bound on a ratio; `at_least` says on which side of it pyfunc has to be."""

    number: int
    text: str
    at_least: bool
    bound: float
    measured: Callable[[Found], Ratios | None]


@dataclass(frozen=True)
class Verdict:
    """One goal, beside what was measured: the median of the rounds' ratios decides."""

    goal: Goal
    ratios: Ratios | None

    @property
    def word(self) -> str:
        """Holds, does not hold, or not measured."""
        if not self.ratios:
            return "not measured"
        middle = median(self.ratios)
        met = middle >= self.goal.bound if self.goal.at_least else middle <= self.goal.bound
        return "holds" if met else "does not hold"


def judge(found: Found) -> list[Verdict]:
    """Every goal, in the order of their numbers.

    How many requests a core carries is the rate where the server was busy, else what its CPU time
    allows.
    """
    carried = _by_cpu(found, BUSY)
    return [Verdict(goal, goal.measured(carried)) for goal in GOALS]


def judge_by_cpu(found: Found) -> list[Verdict]:
    """The same, as if CPU time alone decided it; on a quiet machine both agree."""
    return [Verdict(goal, goal.measured(_by_cpu(found))) for goal in GOALS]


def _by_cpu(found: Found, below: float = float("inf")) -> Found:
    """The results with rates by CPU time where a server was busy for less of its time than that."""

    def rate(seen: float, seconds: float) -> float:
        return 1 / seconds if seen * seconds < below else seen

    rows = {
        name: {**row, "rate": list(map(rate, row["rate"], row["cpu"]))}
        for name, row in found.get("load", {}).items()
    }
    return {**found, "load": rows}


def _samples(found: Found, section: str, name: str, measure: str) -> list[float] | None:
    values: list[float] | None = found.get(section, {}).get(name, {}).get(measure)
    return values


def _load(case: Case, other: Case, measure: str = "rate") -> Callable[[Found], Ratios | None]:
    return _ratio("load", case.name, other.name, measure)


def _ratio(section: str, name: str, other: str, measure: str) -> Callable[[Found], Ratios | None]:
    """Round by round, `name` over `other`."""

    def measured(found: Found) -> Ratios | None:
        above = _samples(found, section, name, measure)
        below = _samples(found, section, other, measure)
        if not above or not below:
            return None
        return [a / b for a, b in zip(above, below, strict=True)]

    return measured


def _best(case: Case, peers: tuple[Case, ...]) -> Callable[[Found], Ratios | None]:
    """The least of the ratios to several peers, round by round."""

    def measured(found: Found) -> Ratios | None:
        each = [_load(case, peer)(found) for peer in peers]
        complete = [ratios for ratios in each if ratios]
        if len(complete) < len(peers):
            return None
        return [min(ratios) for ratios in zip(*complete, strict=True)]

    return measured


def _events(case: Case) -> Callable[[Found], Ratios | None]:
    """Events per second against the same events delivered one by one."""

    def measured(found: Found) -> Ratios | None:
        ratios = _load(case, cases.EVENT_ASYNC)(found)
        return [ratio * case.workload.events for ratio in ratios] if ratios else None

    return measured


def _first_of_all(found: Found) -> Ratios | None:
    """Start-up time over the shortest of the peers', start by start."""
    peers = (*cases.HELLO_PEERS, cases.HELLO_GRANIAN)
    each = [
        _ratio("cold-start", cases.HELLO_ASYNC.name, peer.name, "wall")(found) for peer in peers
    ]
    complete = [ratios for ratios in each if ratios]
    if len(complete) < len(peers):
        return None
    return [max(ratios) for ratios in zip(*complete, strict=True)]


def _more_memory(found: Found) -> Ratios | None:
    """Megabytes above bare aiohttp's."""
    own = _samples(found, "memory", cases.HELLO_ASYNC.name, "resident")
    bare = _samples(found, "memory", cases.BARE.name, "resident")
    if not own or not bare:
        return None
    return [(a - b) / 2**20 for a, b in zip(own, bare, strict=True)]


def _growth(found: Found) -> Ratios | None:
    """Megabytes gained over the soak, by case."""
    rows = found.get("soak", {}).values()
    gained = [(row["resident"][-1] - row["resident"][0]) / 2**20 for row in rows]
    long_enough = all(row["invocations"][-1] >= 1_000_000 for row in rows)
    return [max(gained)] if gained and long_enough else None


def _per_byte(found: Found) -> Ratios | None:
    """CPU time per byte at 10 MB over that at 100 KB."""
    large, small = (_samples(found, "bodies", name, "cpu") for name in BODIES)
    if not large or not small:
        return None
    return [(a / 100) / b for a, b in zip(large, small, strict=True)]


def _chunks(found: Found) -> Ratios | None:
    return _samples(found, "bodies", "pyfunc, stalled stream", "chunks made")


GOALS = (
    Goal(1, "async def / bare aiohttp", True, 0.90, _load(cases.HELLO_ASYNC, cases.BARE)),
    Goal(1, "async def / best peer", True, 3.0, _best(cases.HELLO_ASYNC, cases.HELLO_PEERS)),
    Goal(2, "def / bare run_in_executor", True, 0.90, _load(cases.HELLO_SYNC, cases.BARE_EXECUTOR)),
    Goal(2, "def / best peer", True, 2.5, _best(cases.HELLO_SYNC, cases.HELLO_PEERS)),
    Goal(3, "event, async def / bare aiohttp", True, 0.65, _load(cases.EVENT_ASYNC, cases.BARE)),
    Goal(
        *(3, "event, async def / func-python", True, 4.5),
        _load(cases.EVENT_ASYNC, cases.EVENT_FUNC_PYTHON),
    ),
    Goal(
        *(3, "event, async def / functions-framework --asgi", True, 3.0),
        _load(cases.EVENT_ASYNC, cases.EVENT_FRAMEWORK_ASGI),
    ),
    Goal(3, "event, def / bare aiohttp", True, 0.45, _load(cases.EVENT_SYNC, cases.BARE)),
    Goal(4, "structured in / binary in", True, 0.85, _load(cases.STRUCTURED, cases.EVENT_ASYNC)),
    Goal(4, "batch, call per event / single", True, 3.0, _events(cases.BATCH_EACH)),
    Goal(4, "batch, call per batch / single", True, 8.0, _events(cases.BATCH_WHOLE)),
    Goal(5, "p99 / bare aiohttp's", False, 1.5, _load(cases.HELLO_ASYNC, cases.BARE, "p99")),
    Goal(
        *(5, "1000 connections / 32", True, 0.80),
        _load(cases.HELLO_CROWDED, cases.HELLO_ASYNC),
    ),
    Goal(
        *(6, "cold start / bare aiohttp's", False, 1.10),
        _ratio("cold-start", cases.HELLO_ASYNC.name, cases.BARE.name, "wall"),
    ),
    Goal(
        *(6, "cold start / functions-framework's", False, 1.0),
        _ratio("cold-start", cases.HELLO_ASYNC.name, cases.HELLO_PEERS[0].name, "wall"),
    ),
    Goal(6, "cold start / the first of all (stretch)", False, 1.0, _first_of_all),
    Goal(7, "MB above bare aiohttp", False, 6.0, _more_memory),
    Goal(7, "MB gained over a million invocations", False, 2.0, _growth),
    Goal(8, "CPU per byte, 10 MB / 100 KB", False, 1.20, _per_byte),
    Goal(8, "chunks made for a stalled reader", False, 1.0, _chunks),
)
