"""Names and files that the processes of one function share."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyfunc.server.sharing import Shared, shared_directory


def test_a_name_is_taken_once_for_all_processes(tmp_path: Path) -> None:
    one, other = Shared(str(tmp_path), ()), Shared(str(tmp_path), ())
    assert one.take("created", 2) == {"created"}
    assert other.take("created", 2) == {"created"}
    assert other.take("deleted", 2) == {"created", "deleted"}


def test_beyond_the_limit_no_name_is_taken(tmp_path: Path) -> None:
    shared = Shared(str(tmp_path), ())
    shared.take("first", 1)
    assert shared.take("second", 1) == {"first"}
    assert shared.take("first", 1) == {"first"}


def test_names_that_are_taken_at_the_same_time_keep_to_the_limit(tmp_path: Path) -> None:
    shared = Shared(str(tmp_path), ())
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: shared.take(f"type {number}", 10), range(40)))
    accepted = [number for number, names in enumerate(results) if f"type {number}" in names]
    assert len(accepted) == 10
    assert shared.take("one more", 10) == {f"type {number}" for number in accepted}


def test_a_process_that_ended_leaves_its_counts_and_not_its_gauges(tmp_path: Path) -> None:
    names = ["counter_7.db", "gauge_livesum_7.db", "gauge_livemax_7.db", "gauge_livesum_77.db"]
    for name in names:
        (tmp_path / name).touch()
    Shared(str(tmp_path), ()).forget(7)
    assert {path.name for path in tmp_path.iterdir()} == {"counter_7.db", "gauge_livesum_77.db"}


def test_the_directory_is_gone_after_the_block() -> None:
    with shared_directory() as directory:
        (Path(directory) / "counter_1.db").touch()
    assert not Path(directory).exists()


def test_a_child_process_leaves_the_directory_to_its_parent() -> None:
    code = """
import os, pathlib
from pyfunc.server.sharing import shared_directory
with shared_directory() as directory:
    child = os.fork()
    if not child:
        raise SystemExit
    os.waitpid(child, 0)
    print(pathlib.Path(directory).exists())
print(pathlib.Path(directory).exists())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
