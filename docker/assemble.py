"""Steps of the image build that are more than one command.

`assemble.py install` puts what the function in the working directory asks for into the virtual
environment of the image, and nothing else; `assemble.py compile` turns everything into bytecode.
Runs during `docker build` only, with the standard library alone.
"""

import compileall
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


def requirements(function: Path) -> list[str]:
    """What pip is asked for: `requirements.txt`, or what `pyproject.toml` says.

    A `pyproject.toml` with a `[build-system]` is a package and is installed as one, without being
    editable; one without lists dependencies of the files beside it (PEP 621 and PEP 517).
    """
    if (function / "requirements.txt").is_file():
        return ["--requirement", "requirements.txt"]
    if not (function / "pyproject.toml").is_file():
        return []
    project = tomllib.loads((function / "pyproject.toml").read_text(encoding="utf-8"))
    if "build-system" in project:
        return ["."]
    return list(project.get("project", {}).get("dependencies", []))


def pip(*arguments: str) -> None:
    """Run the build's pip on the image's virtual environment; a failure ends the build."""
    python = str(ENVIRONMENT / "bin/python")
    command = [sys.executable, "-m", "pip", "--python", python, *arguments]
    status = subprocess.run(command, check=False).returncode
    if status:
        sys.exit(status)


def install(function: Path) -> None:
    """Install the function's requirements and leave only files that any user may read."""
    for path in [found for name in LEFT_OUT for found in function.rglob(name)]:
        shutil.rmtree(path, ignore_errors=True)
    for path in function.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o755 | (0o555 if path.is_dir() else 0o444))
    if wanted := requirements(function):
        pip("install", "--no-compile", *wanted)
    pip("check")


def compile_all(function: Path) -> None:
    """Compile the packages and the function; files that are no Python 3 are left as they are.

    Unchecked, because layers may change a file's time stamp, which would make bytecode stale.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for root in (ENVIRONMENT, function):
        compileall.compile_dir(root, quiet=2, workers=0, invalidation_mode=mode)


STEPS: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {"install": install, "compile": compile_all}
)

if __name__ == "__main__":
    STEPS[sys.argv[1]](Path.cwd())
