"""Draws results.json as chart.svg; run with the interpreter that has matplotlib."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt

OURS, BARE, PEER = "#1f6feb", "#9aa4af", "#d9822b"
# section, measure, prefix of the case's name, factor, title
PANELS = (
    ("load", "rate", "hello: ", 1.0, "HTTP, requests per second (more is better)"),
    (
        "load",
        "rate",
        "event: ",
        1.0,
        "CloudEvent, binary mode, requests per second (more is better)",
    ),
    ("cold-start", "wall", "hello: ", 1e3, "exec to first answer, ms (less is better)"),
    (
        "memory",
        "resident",
        "hello: ",
        2**-20,
        "resident memory after the first answer, MB (less is better)",
    ),
)
CAPTION = "one core each; bar: median of all rounds; whisker: least to greatest; axes from zero"
NOTES = {
    "event: functions-framework": "sends no reply",
    "event: functions-framework --asgi": "sends no reply",
}


def draw(results: Mapping[str, Any], out: Path) -> None:
    """One panel per question, every axis from zero; whiskers reach from least to greatest."""
    panels = [(panel, rows) for panel in PANELS if (rows := _rows(results, panel))]
    if not panels:
        return
    heights = [len(rows) + 1.2 for _, rows in panels]
    figure, axes = plt.subplots(
        len(panels),
        figsize=(9, 0.36 * sum(heights)),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    figure.get_layout_engine().set(h_pad=0.12)
    figure.supxlabel(CAPTION, fontsize=8, color="#57606a")
    for axis, (panel, rows) in zip(axes[:, 0], panels, strict=True):
        _panel(axis, panel[4], rows)
    figure.savefig(out / "chart.svg", metadata={"Date": None})
    plt.close(figure)


def _rows(results: Mapping[str, Any], panel: tuple[Any, ...]) -> list[tuple[str, list[float]]]:
    section, measure, prefix, factor, _ = panel
    cases = results.get(section, {})
    return [
        (name, [value * factor for value in samples[measure]])
        for name, samples in sorted(cases.items())
        if name.startswith(prefix) and samples.get(measure)
    ]


def _panel(axis: Any, title: str, rows: list[tuple[str, list[float]]]) -> None:
    names = [name for name, _ in rows]
    middles = [median(samples) for _, samples in rows]
    below = [middle - min(samples) for middle, (_, samples) in zip(middles, rows, strict=True)]
    above = [max(samples) - middle for middle, (_, samples) in zip(middles, rows, strict=True)]
    labels = [_label(name) for name in names]
    axis.barh(
        labels,
        middles,
        xerr=[below, above],
        color=[_colour(name) for name in names],
        error_kw={"ecolor": "#333333", "elinewidth": 1, "capsize": 2},
    )
    for index, (middle, rise) in enumerate(zip(middles, above, strict=True)):
        axis.annotate(
            f"{middle:,.0f}",
            (middle + rise, index),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axis.set_xlim(left=0, right=1.1 * max(m + a for m, a in zip(middles, above, strict=True)))
    axis.invert_yaxis()
    axis.tick_params(labelsize=8)
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.grid(visible=True, color="#e5e7eb")
    axis.set_axisbelow(True)


def _label(name: str) -> str:
    short = name.partition(": ")[2]
    note = NOTES.get(name)
    return f"{short} ({note})" if note else short


def _colour(name: str) -> str:
    short = name.partition(": ")[2]
    if short.startswith("pyfunc"):
        return OURS
    return BARE if short.startswith("bare") else PEER


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    mpl.rcParams["svg.hashsalt"] = "pyfunc"  # the same figures give the same file
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text: smaller, and found by a search
    draw(json.loads((folder / "results.json").read_text()), folder)
