"""The fence: private names of aiohttp stay in one package, and in its table."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from aiohttp import web

import pyfunc
from pyfunc.fastpath import fence

PACKAGE = Path(pyfunc.__file__).parent
LISTED = {name for names in fence.NAMES.values() for name in names} | {
    function.__name__ for function in fence.SIGNATURES
}


def modules(*, fast: bool) -> list[Path]:
    paths = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return [p for p in paths if "templates" not in p.parts and ("fastpath" in p.parts) is fast]


def tree(path: Path) -> ast.Module:
    return ast.parse((PACKAGE / path).read_text())


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def own_names(module: ast.AST) -> set[str]:
    """Names that a module gives: functions, classes, fields, and attributes set on `self`."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # of `__slots__`
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            names.update({node.attr} if isinstance(node.ctx, ast.Store) else ())
    return names


def is_of_aiohttp(name: str) -> bool:
    return any(name in fence.names_of(kind) for kind in fence.NAMES)


def used(path: Path) -> Iterator[tuple[str, bool]]:
    """Private names that a module uses, and whether each is an attribute of `self`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            yield node.attr, ast.unparse(node.value) in ("self", "cls")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp"):
            yield from ((each.name, False) for each in node.names if is_private(each.name))


@pytest.mark.once
@pytest.mark.parametrize("path", modules(fast=False), ids=str)
def test_no_module_outside_uses_a_private_name_of_aiohttp(path: Path) -> None:
    given = own_names(tree(path))

    assert [name for name, _ in used(path) if is_of_aiohttp(name) and name not in given] == []


@pytest.mark.once
@pytest.mark.parametrize("path", modules(fast=True), ids=str)
def test_the_table_has_every_private_name_that_the_fast_path_uses(path: Path) -> None:
    given = own_names(tree(path))

    unlisted = {
        name
        for name, of_self in used(path)
        if is_of_aiohttp(name) and name not in LISTED and not (of_self and name in given)
    }
    assert unlisted == set()


@pytest.mark.once
def test_the_fast_path_uses_every_name_of_the_table() -> None:
    text = "".join(
        (PACKAGE / path).read_text() for path in modules(fast=True) if path.name != "fence.py"
    )

    listed = {name for names in fence.NAMES.values() for name in names}
    assert [name for name in sorted(listed) if name not in text] == []


def test_the_installed_release_fits() -> None:
    fence.check()


def test_a_name_that_is_missing_is_reported_with_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {web.Server: {"_connections": "there", "_gone": "not there", "_lost": "not there"}}
    monkeypatch.setattr(fence, "NAMES", MappingProxyType(names))
    with pytest.raises(LookupError, match=r"^Server has no _gone, _lost$"):
        fence.check()


@pytest.mark.parametrize(
    ("expected", "fits"),
    [
        pytest.param(("self", "handler"), True, id="the first ones"),
        pytest.param(("self", "other"), False, id="another name"),
        pytest.param(("handler", "self"), False, id="another order"),
    ],
)
def test_parameters_are_compared_by_name_and_order(
    expected: tuple[str, ...], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures: Any = {web.Server.__init__: expected}
    monkeypatch.setattr(fence, "SIGNATURES", MappingProxyType(signatures))
    if fits:
        fence.check()
    else:
        with pytest.raises(LookupError, match=r"^Server\.__init__ has other parameters$"):
            fence.check()


def test_attributes_that_only_instances_have_are_found() -> None:
    class Other:
        def __init__(self) -> None:
            self._value = asyncio.Event()

    assert "_value" in fence.names_of(Other)
    assert "_other" not in fence.names_of(Other)
