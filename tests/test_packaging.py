"""What is built of this repository: a wheel and an sdist, and what is in them."""

import os
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.support.serving import ROOT, Served, environment

pytestmark = pytest.mark.slow

# `scripts/test` runs the tests beside a copy without the package, and says where the rest is.
CHECKOUT = Path(os.environ.get("CHECKOUT", ROOT))


def build(kind: str, source: Path, folder: Path) -> Path:
    """A distribution of the given kind, built as pip would (PEP 517), without the network."""
    code = (
        "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"
    )
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code, f"build_{kind}", folder],
        cwd=source,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", CHECKOUT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", CHECKOUT, tmp_path_factory.mktemp("sdist"))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.once
def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    roots = {name.partition("/")[0] for name in names(wheel)}
    assert {root.partition("-")[0] for root in roots} == {"pyfunc", "pyfunc_invoker"}


@pytest.mark.once
def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = (path for path in (CHECKOUT / "pyfunc").rglob("*") if path.is_file())
    package = {str(path.relative_to(CHECKOUT)) for path in files if path.suffix != ".pyc"}
    assert package <= names(wheel)
    assert "pyfunc/py.typed" in package


@pytest.mark.once
def test_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    again = build("wheel", unpacked, tmp_path / "again")
    assert (again.name, names(again)) == (wheel.name, names(wheel))
    assert {"tests", "docs", "examples", "LICENSE"} <= {path.name for path in unpacked.iterdir()}


@pytest.mark.timeout(180)  # pip fetches the dependencies
def test_wheel_serves_an_example_from_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv/bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", "--retries", "1", wheel],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if "connection" in done.stderr.lower() and "No matching distribution" in done.stderr:
        pytest.skip("no package index can be reached from here")
    assert done.returncode == 0, done.stderr
    served = Served(ROOT / "examples/hello")
    served.command[0] = python
    with served, urllib.request.urlopen(f"{served.url}/?name=Ada", timeout=10) as response:  # noqa: S310 - http
        assert response.read() == b"Hello, Ada!\n"
