"""What was measured, as JSON that says where, when and with which versions."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import environments
from harness.options import HERE, Options
from harness.runtimes import RUNTIMES

Section = dict[str, dict[str, list[float]]]
"""Samples by case and by measure, one number per round."""

Results = dict[str, Any]

SETTINGS = ("rounds", "seconds", "warmup", "starts", "soak", "requests")


def load(folder: Path) -> Results:
    """What earlier runs saved; nothing when there were none."""
    path = folder / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


def save(results: Results, folder: Path) -> None:
    """Write the results, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "results.json.new"
    draft.write_text(json.dumps(results, indent=1) + "\n")
    draft.replace(folder / "results.json")


def about(options: Options) -> Results:
    """Machine, interpreter, commit and versions: what a figure means nothing without."""
    names = sorted({runtime.environment for runtime in RUNTIMES})
    chosen = asdict(options)
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": _commit(),
        "settings": {name: chosen[name] for name in SETTINGS},
        "versions": {name: environments.versions(options.cache, name) for name in names},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"
