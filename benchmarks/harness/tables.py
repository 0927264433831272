"""The results as text."""

from collections.abc import Iterable
from operator import add, truediv
from statistics import median

from harness.goals import Verdict, judge, judge_by_cpu
from harness.results import Results, Section

RATE = {"rate": ("req/s", 1.0, ",.0f")}
HEADINGS = {
    "load": ("requests per second, on one core", RATE),
    "observed": ("an event with a reply, and who looks on", RATE),
    "cold-start": (
        "exec to first answer",
        {"wall": ("ms", 1e3, ".0f"), "cpu": ("CPU ms", 1e3, ".0f")},
    ),
    "memory": ("resident memory after the first answer", {"resident": ("MB", 2**-20, ".1f")}),
    "soak": ("resident memory, early and late", {"resident": ("MB", 2**-20, ".1f")}),
    "bodies": (
        "large bodies and stalled streams",
        {
            "wall": ("us/request", 1e6, ",.0f"),
            "cpu": ("CPU us/request", 1e6, ",.0f"),
            "chunks made": ("chunks made", 1.0, ".0f"),
            "chunks held": ("chunks held", 1.0, ".1f"),
        },
    ),
}
LATENCY = {
    "p50": ("p50 ms", 1e3, ".2f"),
    "p99": ("p99 ms", 1e3, ".2f"),
    "cpu": ("CPU us", 1e6, ".0f"),
}

LEAST, NOTABLE, REST = 0.01, 0.04, "the rest"


def sections(results: Results) -> Iterable[str]:
    """One block of text per section that was measured: median (least to greatest)."""
    for section, (title, measures) in HEADINGS.items():
        rows = results.get(section)
        if rows:
            yield f"\n{title}: median (least to greatest)"
            wanted = {**measures, **LATENCY} if section in ("load", "observed") else measures
            yield from (_row(name, row, wanted) for name, row in rows.items())


def profile(results: Results) -> Iterable[str]:
    """What was profiled, as tables in Markdown."""
    found: Section = results.get("profile", {})
    counted = {name: row["instructions"] for name, row in found.items() if "instructions" in row}
    if counted:
        yield "\ninstructions of a request, or of one event of a batch, in thousands\n"
        yield "| case | instructions |\n|---|---|"
        yield from (f"| {name} | {median(counts) / 1e3:,.0f} |" for name, counts in counted.items())
    if shares := _named(found, ", shares"):
        yield "\nwho is at work: shares of the CPU time\n"
        yield f"| who | {' | '.join(shares)} |\n|---|{'---|' * len(shares)}"
        yield from _at_work(list(shares.values()))
    if imports := _named(found, ", imports"):
        yield "\nwho is imported: milliseconds until the first answer, while they are looked at\n"
        names = " | ".join(name.removeprefix("hello: ") for name in imports)
        yield f"| who | {names} |\n|---|{'---|' * len(imports)}"
        yield from _imported(list(imports.values()))


def _named(found: Section, suffix: str) -> Section:
    """The rows of one kind, by their cases."""
    return {name.removesuffix(suffix): row for name, row in found.items() if name.endswith(suffix)}


def _at_work(columns: list[dict[str, list[float]]]) -> Iterable[str]:
    """A row for each owner, then for each of its modules; those below 1 % everywhere together."""
    totals: dict[str, list[float]] = {}
    for who in dict.fromkeys(who for column in columns for who in column):
        shares = [median(column.get(who, [0.0])) for column in columns]
        owner, slash, _ = who.partition("/")
        if max(shares) < LEAST:
            owner, who = (owner, f"{owner}/{REST}") if slash else (REST, REST)
        for row in {owner, who}:
            before = totals.get(row, [0.0] * len(shares))
            totals[row] = [sum(pair) for pair in zip(before, shares, strict=True)]

    def rank(row: str) -> tuple[bool, float, bool, float]:
        owner = row.partition("/")[0]
        last = row.endswith(REST)
        return owner == REST, -sum(totals[owner]), last, -sum(totals[row])

    for row in sorted(totals, key=rank):
        cells = " | ".join(f"{share:.0%}" if share >= 0.005 else "-" for share in totals[row])
        name = f"`{row}`" if "/" in row and not row.endswith(REST) else row.replace("/", ", ")
        yield f"| {name} | {cells} |"


def _imported(columns: list[dict[str, list[float]]]) -> Iterable[str]:
    """A row for each owner; those of little time everywhere together."""
    everything = [sum(map(median, column.values())) for column in columns]
    rows: dict[str, list[float]] = {}
    for who in dict.fromkeys(who for column in columns for who in column):
        times = [median(column.get(who, [0.0])) for column in columns]
        is_notable = any(map(NOTABLE.__lt__, map(truediv, times, everything)))
        row = who if is_notable else REST
        rows[row] = list(map(add, rows.get(row, [0.0] * len(times)), times))
    for who in sorted(rows, key=lambda who: (who == REST, -sum(rows[who]))):
        yield _milliseconds(who, rows[who])
    yield _milliseconds("all", everything)


def _milliseconds(who: str, times: list[float]) -> str:
    return f"| {who} | {' | '.join(f'{time * 1e3:.0f}' for time in times)} |"


def _row(name: str, row: dict[str, list[float]], wanted: dict[str, tuple[str, float, str]]) -> str:
    cells = [
        f"{_spread(row[measure], factor, form)} {unit}"
        for measure, (unit, factor, form) in wanted.items()
        if row.get(measure)
    ]
    return f"  {name:44}" + "  ".join(f"{cell:>30}" for cell in cells)


def _spread(values: list[float], factor: float = 1.0, form: str = ".2f") -> str:
    low, middle, high = (
        format(value * factor, form) for value in (min(values), median(values), max(values))
    )
    return middle if low == high else f"{middle} ({low} to {high})"


def verdicts(results: Results) -> Iterable[str]:
    """One line per goal; beside ratios of rates what they are by CPU time, as a second opinion."""
    yield "\ngoals: median of the rounds' ratios (least to greatest)"
    for verdict, second in zip(judge(results), judge_by_cpu(results), strict=True):
        goal = verdict.goal
        bound = f"{'at least' if goal.at_least else 'at most'} {goal.bound:.2f}"
        seen = _spread(verdict.ratios) if verdict.ratios else "-"
        opinion = _opinion(verdict, second)
        yield f"  {goal.number}  {goal.text:48}{bound:>14}  {seen:>24}  {verdict.word}{opinion}"


def _opinion(verdict: Verdict, second: Verdict) -> str:
    if not second.ratios or second.ratios == verdict.ratios:
        return ""
    return f" (by CPU time {median(second.ratios):.2f})"
