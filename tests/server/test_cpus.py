"""How many CPUs a container may use, by both versions of cgroups."""

import os
from pathlib import Path

import pytest

from pyfunc.server.cpus import usable_cpus

GROUPS = {
    "version 2": ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
    "version 2, rounded up": ({"sys/fs/cgroup/cpu.max": "100001 100000\n"}, 2),
    "version 2, of a group above": (
        {
            "proc/self/cgroup": "0::/pod/container\n",
            "sys/fs/cgroup/pod/container/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "100000 100000\n",
        },
        1,
    ),
    "version 1": (
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n",
            "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
        },
        1,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_quota_is_followed(tmp_path: Path, name: str) -> None:
    files, expected = GROUPS[name]
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert usable_cpus(tmp_path) == min(expected, usable_cpus(tmp_path / "nothing"))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="nothing is known"),
        pytest.param({"sys/fs/cgroup/cpu.max": "max 100000\n"}, id="version 2 without a quota"),
        pytest.param({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"}, id="version 1 without one"),
    ],
)
def test_without_a_quota_it_is_the_affinity(tmp_path: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert usable_cpus(tmp_path) == own
