"""Check that the types of everything public are known: `python -m tests.public_types PYRIGHT`.

`pyright --verifytypes` treats each module without an underscore as public. Here only the names in
`__all__` of `PUBLIC` are, with their members, as `docs/releasing.md` promises. The types that they
mention count through them: a signature with a partially unknown type is a fault of its own.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

PUBLIC = ("pyfunc", "pyfunc.testing", "pyfunc.pytest_plugin")
# Public names of modules whose other names are internal.
SINGLE = ("pyfunc.errors.StartupError", "pyfunc.settings.Settings")

ROOT = Path(__file__).resolve().parent.parent


def main(pyright: str) -> int:
    """Print each fault; the exit code."""
    symbols = {symbol["name"]: symbol for symbol in _symbols(pyright)}
    modules = map(importlib.import_module, PUBLIC)
    names = [*SINGLE, *sorted({name for module in modules for name in _names(module)})]
    missing = [f"{name}: pyright does not know it" for name in names if name not in symbols]
    faults = [*missing, *_faults(symbols, names)]
    for fault in faults:
        sys.stdout.write(f"{fault}\n")
    members = sum(_is_part(name, names) for name in symbols)
    sys.stdout.write(f"{members} public names and members: {len(faults)} faults\n")
    return 1 if faults else 0


def _symbols(pyright: str) -> list[dict[str, Any]]:
    """The report on each symbol of the package."""
    environment = {
        **os.environ,
        # The first Python there is asked where packages are; `--pythonpath` has no effect here.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        # The wrapper from PyPI would look for a newer release of itself.
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    done = subprocess.run(
        [pyright, "--verifytypes", "pyfunc", "--ignoreexternal", "--outputjson"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,  # it fails for symbols that are not public, too
    )
    try:
        symbols: list[dict[str, Any]] = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    except (ValueError, KeyError):
        sys.exit(f"pyright gave no report: {done.stdout}{done.stderr}")
    return symbols


def _names(module: ModuleType) -> Iterator[str]:
    """The public names of a module, as they are called where they are defined."""
    for name in module.__all__:
        if name.startswith("__"):
            continue  # pyright reports none of these
        value = getattr(module, name)
        home = getattr(value, "__module__", module.__name__)
        yield f"{home}.{getattr(value, '__qualname__', name)}"


def _is_part(name: str, names: list[str]) -> bool:
    return any(name == public or name.startswith(f"{public}.") for public in names)


def _faults(symbols: Mapping[str, dict[str, Any]], names: list[str]) -> Iterator[str]:
    for name, symbol in symbols.items():
        if _is_part(name, names):
            for fault in symbol["diagnostics"]:
                yield f"{name}: {fault['message']}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
