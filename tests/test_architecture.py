"""The shape of the package: one owner for each power, and a test file for each module."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import pyfunc

pytestmark = pytest.mark.once

PACKAGE = Path(pyfunc.__file__).parent
TESTS = Path(__file__).parent

POWERS = {
    "os.environ": {"settings.py"},
    "os.getenv": {"settings.py"},
    "importlib": {
        "__init__.py",
        "cloudevents/sdk.py",
        "cloudevents/sdk_aliases.py",
        "fastpath/late_imports.py",
        "function/loader.py",
    },
    "inspect": {"function/class_parameters.py", "function/signature.py"},
    "signal": {
        "__main__.py",
        "invoking/forks.py",
        "server/signals.py",
        "server/process.py",
        "server/workers.py",
    },
    "sys.exit": {"__main__.py", "server/workers.py"},
    "print": {"__main__.py"},
}


@cache
def trees() -> dict[str, ast.AST]:
    """The parsed modules of the package, by their paths in it."""
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text())
        for path in PACKAGE.rglob("*.py")
        if "templates" not in path.parts
    }


def used(tree: ast.AST) -> Iterator[str]:
    """Modules imported, `module.name` pairs and plain calls of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@pytest.mark.parametrize("power", POWERS)
def test_power_has_its_owners_only(power: str) -> None:
    users = {path for path, tree in trees().items() if power in set(used(tree))}
    assert users <= POWERS[power]


TESTED_ELSEWHERE = {
    "cli/devapp.py": "runs in the process that `dev` starts: tests/cli/test_dev.py",
}


def test_every_module_has_its_test_file() -> None:
    missing = set()
    for module in map(Path, trees()):
        test = f"test_{module.stem.strip('_')}.py"
        if module.name != "__init__.py" and not (TESTS / module.parent / test).exists():
            missing.add(str(module))
    assert missing == set(TESTED_ELSEWHERE)
