"""Runs aiohttp's own server tests against the connections of the fast path.

    python -m tests.upstream

The tests come from the source distribution of the installed release, which pip fetches into a
temporary directory. They run in an environment below `build/`, with the plugin
`tests.support.upstream_plugin`. Each test that fails there runs again with aiohttp's own classes.
`DIFFERENCES` lists the tests that fail on purpose. Another one that fails with our connections only
ends the command with exit code 1, and so does a listed test that passes.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.support.serving import ROOT

__all__ = ["DIFFERENCES"]

DIFFERENCES = {
    "A fault of the server is answered with a problem document, and logged by the logger `pyfunc`, "
    "without a word of the request": (
        "test_web_server.py::test_raw_server_cancelled_in_write_eof",
        "test_web_server.py::test_raw_server_do_not_swallow_exceptions",
        "test_web_server.py::test_raw_server_html_exception",
        "test_web_server.py::test_raw_server_html_exception_debug",
        "test_web_server.py::test_raw_server_not_http_exception",
        "test_web_server.py::test_raw_server_not_http_exception_debug",
    ),
    "Bytes that are no request leave one line at DEBUG, without a traceback": (
        "test_web_server.py::test_raw_server_logs_bad_status_line_as_exception",
        "test_web_server.py::test_raw_server_logs_invalid_method_second_request",
        "test_web_server.py::test_raw_server_logs_invalid_method_with_loop_debug",
        "test_web_server.py::test_raw_server_logs_invalid_method_without_loop_debug",
    ),
    "Headers that are too large are answered with 431, not 400": (
        "test_web_functional.py::test_large_header",
    ),
    "The time limit of a head is `--read-timeout`, not the one of idle connections": (
        "test_web_server.py::test_trickled_headers_closed_at_first_request_deadline",
    ),
    "A keep-alive time of 0 closes idle connections after half a second": (
        "test_web_websocket_functional.py::test_websocket_disable_keepalive_no_armed_handle",
    ),
}

# In place of the options in aiohttp's `pytest.ini`, which measure coverage.
_OPTIONS = (
    "--override-ini=addopts=",
    "-m",
    "not dev_mode and not autobahn and not internal",
    "--numprocesses=2",
    "--quiet",
    "-p",
    "no:cacheprovider",
)

_FILES = (
    "tests/test_classbasedview.py",
    "tests/test_flowcontrol_streams.py",
    "tests/test_route_def.py",
    "tests/test_run_app.py",
    "tests/test_urldispatch.py",
    "tests/test_web_*.py",
)

# What aiohttp's `requirements/` name, without what only tests of its client and its coverage need.
_REQUIREMENTS = (
    "blockbuster",
    "coverage",
    "freezegun",
    "isal; python_version < '3.14'",
    "pytest",
    "pytest-mock",
    "pytest-timeout",
    "pytest-xdist",
    "trustme",
    "zlib_ng",
)


def main() -> int:
    """Run the tests; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.upstream")
    parser.add_argument("--loop", choices=["uvloop", "pyloop"], default="uvloop")
    loop = parser.parse_args().loop
    version = importlib.metadata.version("aiohttp")
    python = _environment(version)
    with tempfile.TemporaryDirectory() as folder:
        source = _source(version, Path(folder))
        command = [str(python), "-m", "pytest", f"--aiohttp-loop={loop}", *_OPTIONS]
        files = [str(path.relative_to(source)) for name in _FILES for path in source.glob(name)]
        outcomes = _run([*command, "-p", "tests.support.upstream_plugin", *sorted(files)], source)
        failed = {test for test, has_passed in outcomes.items() if not has_passed}
        listed = {test for tests in DIFFERENCES.values() for test in tests}
        unexpected = sorted(test for test in failed if _name(test) not in listed)
        theirs = _run([*command, *unexpected], source) if unexpected else {}
    faults = [test for test in unexpected if theirs.get(test, True)]
    stale = listed - {_name(test) for test in failed}
    _say(
        f"aiohttp {version} on {loop}: {len(outcomes) - len(failed)} tests pass, "
        f"{len(failed) - len(unexpected)} differ on purpose, "
        f"{len(unexpected) - len(faults)} fail with aiohttp's own classes too, {len(faults)} fail"
    )
    for test in faults:
        _say(f"fails with our connections only: {test}")
    for test in sorted(stale):
        _say(f"passes, so take it off the list of differences: {test}")
    return bool(faults or stale)


def _environment(version: str) -> Path:
    """The Python of an environment with what the tests need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = [name for name in project["dependencies"] if not name.startswith("aiohttp")]
    folder = ROOT / "build" / f"upstream-{sys.version_info.major}.{sys.version_info.minor}"
    requirements = [f"aiohttp[speedups]=={version}", *ours, *_REQUIREMENTS]
    subprocess.run(
        [ROOT / "scripts" / "venv", folder, sys.executable, *requirements], cwd=ROOT, check=True
    )
    return folder / "bin" / "python"


def _source(version: str, folder: Path) -> Path:
    """The source distribution, without the package: the tests import the installed one."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    subprocess.run(
        [*command, "--no-deps", "--no-binary", "aiohttp", f"aiohttp=={version}"],
        cwd=folder,
        check=True,
    )
    with tarfile.open(folder / f"aiohttp-{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    source = folder / f"aiohttp-{version}"
    shutil.rmtree(source / "aiohttp")
    return source


def _run(command: list[str], source: Path) -> dict[str, bool]:
    """Whether each test passed, by its id; what was skipped is left out."""
    report = source / "report.xml"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [*command, f"--junit-xml={report}"],
        cwd=source,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    _say(run.stdout.rstrip().rpartition("\n")[2])
    if run.returncode not in (0, 1) or not report.exists():
        sys.exit(f"{run.stdout[-4000:]}{run.stderr[-4000:]}\npytest ended with {run.returncode}")
    outcomes: dict[str, bool] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by pytest
        file = case.get("file", "")
        module = file.removesuffix(".py").replace("/", ".")
        classes = case.get("classname", "").removeprefix(module).split(".")
        test = "::".join([file, *filter(None, classes), case.get("name", "")])
        if case.find("skipped") is None:
            has_passed = case.find("failure") is None and case.find("error") is None
            outcomes[test] = outcomes.get(test, True) and has_passed
    return outcomes


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command


def _name(test: str) -> str:
    return test.removeprefix("tests/").partition("[")[0]


if __name__ == "__main__":
    sys.exit(main())
