"""How many CPUs this process may use: what its cgroup allows, not what the node has."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

__all__ = ["usable_cpus"]


def usable_cpus(root: Path = Path("/")) -> int:
    """The CPUs of the quota, rounded up; those of the process's affinity without a quota.

    Args:
        root: Where `proc` and `sys` are.
    """
    allowed = [ceil(quota) for quota in _quotas(root)]
    return max(1, min([*allowed, _own()]))


def _own() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """The quotas of the process's cgroup and of those above it, of either version."""
    for path in _groups(root):
        for folder in (path, *path.parents):
            yield from _version_2(root / "sys/fs/cgroup" / folder)
            yield from _version_1(root / "sys/fs/cgroup/cpu" / folder)


def _groups(root: Path) -> Iterator[Path]:
    """Where the process is below the mount; a container mostly sees itself at the top."""
    yield Path()
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            yield Path(path.lstrip("/"))


def _version_2(folder: Path) -> Iterator[float]:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        yield int(quota) / int(period)


def _version_1(folder: Path) -> Iterator[float]:
    quota = _text(folder / "cpu.cfs_quota_us").strip()
    period = _text(folder / "cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
