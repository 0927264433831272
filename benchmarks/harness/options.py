"""The command line of the harness, as one frozen object."""

import argparse
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent

COMMANDS = {
    "all": "everything but the soak, the observed and the profile (the default)",
    "load": "requests per second, latency and CPU time per request",
    "bodies": "the cost of a byte in large bodies, and what a stalled stream holds",
    "cold-start": "from exec to the first answer",
    "memory": "resident memory after the first answer",
    "soak": "resident memory after ten thousand invocations and after a million",
    "observed": "what the access log, metrics and traces cost, each of them on",
    "profile": "where the work of a request and of a start goes: instructions, shares, imports",
    "report": "print saved results and draw the chart again, measuring nothing",
    "setup": "make the virtual environments, measuring nothing",
}


@dataclass(frozen=True)
class Options:
    """What to measure and how hard.

    Seconds are wall time; a CPU is a number as `taskset` knows it.
    """

    command: str
    rounds: int
    seconds: int
    warmup: int
    starts: int
    soak: int
    requests: int
    only: str
    server_cpu: int
    client_cpu: int
    cache: Path
    out: Path


def parse(argv: list[str]) -> Options:
    """Read the command line; `--quick` replaces the defaults, not what was asked for."""
    given = _parser().parse_args(argv)
    defaults = QUICK if given.quick else THOROUGH
    values = {name: getattr(given, name) for name in Options.__annotations__}
    chosen = {name: value for name, value in values.items() if value is not None}
    return Options(**{**defaults, **chosen})


THOROUGH = {
    "rounds": 5,
    "seconds": 3,
    "warmup": 1,
    "starts": 25,
    "soak": 1_000_000,
    "requests": 600,
}
QUICK = {"rounds": 2, "seconds": 1, "warmup": 0, "starts": 4, "soak": 100_000, "requests": 100}


def _parser() -> argparse.ArgumentParser:
    listing = "\n".join(f"  {name:12}{text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        description="Measure pyfunc beside its peers and beside bare aiohttp.",
        epilog=f"commands:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("command", nargs="?", default="all", choices=COMMANDS, metavar="command")
    add("--quick", action="store_true", help="a first impression, in under two minutes")
    add("--rounds", type=int, help="interleaved rounds of load (5; quick: 2)")
    add("--seconds", type=int, help="measured seconds per case and round (3; quick: 1)")
    add("--warmup", type=int, help="unmeasured seconds before that (1; quick: 0)")
    add("--starts", type=int, help="starts per server for cold start and memory (25; quick: 4)")
    add("--soak", type=int, help="invocations of the soak (1000000; quick: 100000)")
    add("--requests", type=int, help="counted requests per case of the profile (600; quick: 100)")
    add("--only", default="", metavar="TEXT", help="only cases whose name contains this")
    add("--server-cpu", type=int, default=0, help="the core servers are pinned to (0)")
    add("--client-cpu", type=int, default=1, help="the core wrk and the clients run on (1)")
    add("--cache", type=Path, default=HERE / ".cache", help="where virtual environments are kept")
    add("--out", type=Path, default=HERE / "results", help="where results and chart are written")
    return parser
