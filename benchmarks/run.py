"""Measure pyfunc beside its peers and beside bare aiohttp: `python benchmarks/run.py --help`."""

import subprocess
import sys

from harness import (
    bodies,
    cold_start,
    environments,
    load,
    memory,
    observed,
    profile,
    results,
    tables,
)
from harness.errors import BenchmarkError
from harness.options import HERE, Options, parse
from harness.runtimes import RUNTIMES

SECTIONS = {
    "load": load.measure,
    "bodies": bodies.measure,
    "cold-start": cold_start.measure,
    "memory": memory.measure,
    "soak": memory.soak,
    "observed": observed.measure,
    "profile": profile.measure,
}
RUNS = {
    "all": ("load", "bodies", "cold-start", "memory"),
    "setup": (),
    "report": (),
    **{name: (name,) for name in SECTIONS},
}


def main(argv: list[str]) -> int:
    """Run one command; 1 when it could not be finished."""
    options = parse(argv)
    try:
        measure(options)
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def measure(options: Options) -> None:
    """Set up, measure, save, and tell."""
    names = sorted({runtime.environment for runtime in RUNTIMES})
    environments.prepare(options.cache, [*names, "chart"])
    if options.command == "setup":
        return
    found = results.load(options.out)
    for section in RUNS[options.command]:
        print(f"measuring {section} ...", flush=True)
        found[section] = SECTIONS[section](options)
        found.setdefault("about", {})[section] = results.about(options)
        results.save(found, options.out)
    tell(found, options)


def tell(found: results.Results, options: Options) -> None:
    """Print the tables and the verdicts, and draw the chart."""
    for line in (*tables.sections(found), *tables.profile(found), *tables.verdicts(found)):
        print(line)
    python = options.cache.resolve() / "chart" / "bin" / "python"
    subprocess.run([python, "-m", "harness.chart", options.out.resolve()], cwd=HERE, check=True)
    print(f"\nwritten to {options.out}: results.json, chart.svg")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
