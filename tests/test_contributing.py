"""The pages for contributors say of the code what is so."""

import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.support.serving import ROOT
from tests.test_architecture import PACKAGE, POWERS

pytestmark = pytest.mark.once

ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
CODE = re.compile(r"`([^`]+)`")


def test_drawing_shows_the_layers_in_their_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = contracts["contracts"][0]["layers"]
    drawing = (ROOT / "docs/architecture.svg").read_text()
    drawn = re.findall(r'<text class="name" .*y="(\d+)">(\w+)<', drawing)
    rows: dict[str, list[str]] = {}
    for y, name in drawn:
        rows.setdefault(y, []).append(name)
    assert [" | ".join(names) for names in rows.values()] == layers
    assert sorted(map(int, rows)) == list(map(int, rows))


def _owners() -> Iterator[tuple[str, set[str]]]:
    table = ARCHITECTURE.partition("## Owners")[2].partition("\n## ")[0]
    for row in re.findall(r"^\| (.*) \|$", table, re.M):
        powers, _, owners = row.split(" | ")
        for power in CODE.findall(powers):
            yield power, set(CODE.findall(owners))


def test_each_power_has_the_owners_that_the_page_names() -> None:
    assert dict(_owners()) == POWERS


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/releasing.md"])
def test_files_and_modules_that_a_page_names_are_there(page: str) -> None:
    named = CODE.findall((ROOT / page).read_text())
    words = [
        code.partition(" ")[0] for code in named if "NAME" not in code and "build/" not in code
    ]
    files = [word for word in words if re.fullmatch(r"\.?[\w-]+/[\w/-]*(\.\w+)?", word)]
    assert files
    assert [path for path in files if not _exists(path)] == []


def _exists(path: str) -> bool:
    is_module = (PACKAGE / f"{path}.py").exists() or (PACKAGE / path).exists()
    is_in_package = path.startswith("pyfunc/") and (PACKAGE.parent / path).exists()
    return (ROOT / path).exists() or is_in_package or is_module
