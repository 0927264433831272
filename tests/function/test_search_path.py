import json
import sys
from pathlib import Path

import pytest

from pyfunc.function.loader import load
from pyfunc.function.search_path import put_first
from tests.support.files import write

pytestmark = pytest.mark.usefixtures("_modules")

FUNCTION = "import who\n\ndef main():\n    return who.name\n"


def two_directories(tmp_path: Path, files: dict[str, str]) -> tuple[Path, Path]:
    """Two directories with the same files; `who.name` is the name of the directory."""
    for name in ("one", "two"):
        write(tmp_path / name, {**files, "who.py": f"name = {name!r}"})
    return tmp_path / "one", tmp_path / "two"


def test_search_path_comes_first_and_once(tmp_path: Path) -> None:
    one, two = two_directories(tmp_path, {})

    for root in (one, two, one):
        put_first(root)

    assert sys.path[:2] == [str(one), str(two)]
    assert sys.path.count(str(one)) == 1


def test_two_apps_have_modules_of_the_same_names(tmp_path: Path) -> None:
    one, two = two_directories(tmp_path, {"func.py": FUNCTION})

    first = load(str(one), "func", None)
    second = load(str(two), "func", None)

    assert (first.function(), second.function()) == ("one", "two")


def test_namespace_packages_of_the_same_name_are_forgotten_whole(tmp_path: Path) -> None:
    source = "from deep.down import place\n\ndef main():\n    return place.name\n"
    files = {"func.py": source, "deep/down/place.py": "from who import name"}
    one, two = two_directories(tmp_path, files)

    first = load(str(one), "func", None)
    second = load(str(two), "func", None)

    assert (first.function(), second.function()) == ("one", "two")


def test_late_import_gets_the_module_of_the_search_path_that_was_put_first_last(
    tmp_path: Path,
) -> None:
    source = "def main():\n    from who import name\n    return name\n"
    one, two = two_directories(tmp_path, {"func.py": source})

    first = load(str(one), "func", None)
    load(str(two), "func", None)

    assert first.function() == "two"


def test_modules_of_python_and_of_installed_packages_stay(tmp_path: Path) -> None:
    write(tmp_path, {"json/__init__.py": "", "pytest.py": "", "pyfunc/__init__.py": ""})

    put_first(tmp_path)

    assert sys.modules["json"] is json
    assert sys.modules["pytest"] is pytest
    assert "pyfunc" in sys.modules


def test_own_modules_are_not_forgotten(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": FUNCTION, "who.py": "name = 1"})
    load(str(tmp_path), "func", None)
    who = sys.modules["who"]

    put_first(tmp_path)

    assert sys.modules["who"] is who
