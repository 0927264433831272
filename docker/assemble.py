"""Steps of the image build that are more than one command.

`assemble.py install` puts what the function in the working directory asks for into the virtual
environment of the image, and nothing else; `assemble.py compile` turns everything into bytecode.
Runs during `docker build` only, with the standard library alone.
"""

import compileall
import importlib
import py_compile
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

ENVIRONMENT = Path("/opt/pyfunc")
LEFT_OUT = (".git", ".venv", "venv", "__pycache__")
"""Names of directories that are never part of a function."""

IMPORTED_LATE = (
    "pyfunc.app",
    "pyfunc.fastpath.runner",
    "pyfunc.server.process",
    "concurrent.futures.thread",
    "encodings.idna",
)
"""What the first request would otherwise import, and compile, from the standard library."""


def requirements(function: Path) -> list[str]:
    """What pip is asked for: `requirements.txt`, or what `pyproject.toml` says.

    A `pyproject.toml` with a `[build-system]` describes a package, which is installed (PEP 517);
    one without lists the dependencies of the files beside it (PEP 621).

    Raises:
        tomllib.TOMLDecodeError: The `pyproject.toml` is no TOML.
    """
    if (function / "requirements.txt").is_file():
        return ["--requirement", "requirements.txt"]
    if not (function / "pyproject.toml").is_file():
        return []
    project = tomllib.loads((function / "pyproject.toml").read_text(encoding="utf-8"))
    if "build-system" in project:
        return ["."]
    return list(project.get("project", {}).get("dependencies", []))


def tidy(function: Path) -> None:
    """Leave only files that are part of the function, and let every user read them."""
    for path in [found for name in LEFT_OUT for found in function.rglob(name) if found.is_dir()]:
        shutil.rmtree(path, ignore_errors=True)
    for path in function.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o755 | (0o555 if path.is_dir() else 0o444))


def pip(*arguments: str) -> None:
    """Run the build's pip on the image's virtual environment; a failure ends the build."""
    python = str(ENVIRONMENT / "bin/python")
    command = [sys.executable, "-m", "pip", "--python", python, *arguments]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)


def install() -> None:
    """Install the requirements of the function in the working directory."""
    function = Path.cwd()
    tidy(function)
    if wanted := requirements(function):
        pip("install", "--no-compile", *wanted)
    pip("check")


def compile_all() -> None:
    """Compile the packages, the function, and the part of the standard library that is used.

    Unchecked, because layers may change a file's time stamp, which would make bytecode stale.
    Files that are no Python 3, as some packages have among their data, are left as they are.
    """
    for name in IMPORTED_LATE:
        importlib.import_module(name)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for root in (ENVIRONMENT, Path.cwd()):
        compileall.compile_dir(root, quiet=2, workers=0, invalidation_mode=mode)


STEPS: Mapping[str, Callable[[], None]] = MappingProxyType(
    {"install": install, "compile": compile_all}
)

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
