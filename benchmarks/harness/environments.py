"""One virtual environment a runtime, at pinned versions, made when first needed."""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from harness.errors import BenchmarkError
from harness.options import HERE

PROJECT = HERE.parent
REQUIREMENTS = HERE / "requirements"

# Environments that have this checkout, with these extras.
CHECKOUTS = {"pyfunc": "", "pyfunc-observed": "[metrics,otel]"}


def prepare(cache: Path, names: list[str]) -> None:
    """Make or renew the environments called `names`; nothing is done for those that are current.

    Raises:
        BenchmarkError: a package could not be installed.
    """
    for name in names:
        folder = cache / name
        stamp = folder / "stamp"
        wanted = _fingerprint(name)
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"installing {name} ...", flush=True)
            _make(folder, name)
            stamp.write_text(wanted)


def versions(cache: Path, name: str) -> dict[str, str]:
    """The versions of the packages in an environment, by name."""
    lines = _pip(cache / name, "freeze", "--all").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def _make(folder: Path, name: str) -> None:
    venv.create(folder, clear=True, with_pip=True)
    if name in CHECKOUTS:
        # Not editable: an editable install is found through a path hook, which costs start time.
        project = f"{PROJECT}{CHECKOUTS[name]}"
        _pip(folder, "install", "--constraint", str(REQUIREMENTS / "aiohttp.txt"), project)
    else:
        _pip(folder, "install", "--requirement", str(REQUIREMENTS / f"{name}.txt"))


def _pip(folder: Path, *arguments: str) -> str:
    command = [str(folder / "bin" / "python"), "-m", "pip", *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(f"pip {' '.join(arguments)} failed:\n{done.stderr.strip()}")
    return done.stdout


def _fingerprint(name: str) -> str:
    """Changes whenever the environment has to be made again."""
    digest = hashlib.sha256(sys.version.encode())
    for file in _ingredients(name):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _ingredients(name: str) -> list[Path]:
    if name not in CHECKOUTS:
        return [REQUIREMENTS / f"{name}.txt"]
    sources = sorted((PROJECT / "pyfunc").rglob("*.py"))
    return [REQUIREMENTS / "aiohttp.txt", PROJECT / "pyproject.toml", *sources]
