"""What the package promises to those who import it, and what the README says of the code."""

import subprocess
import sys

import pytest

import pyfunc
from tests.support.serving import ROOT
from tests.tables import PAGES, with_tables

README = (ROOT / "README.md").read_text()


def test_every_public_name_can_be_imported() -> None:
    assert all(hasattr(pyfunc, name) for name in pyfunc.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(pyfunc, "Colour")


def test_outcomes_cost_no_server() -> None:
    code = "import sys; from pyfunc import Reject, Retry; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_those_of_the_code(page: str) -> None:
    """`scripts/tables` writes them."""
    text = (ROOT / page).read_text()
    assert with_tables(text, PAGES[page]) == text


def test_readme_shows_the_demo() -> None:
    assert f"```python\n{(ROOT / 'examples/demo/func.py').read_text()}```" in README


def test_nobody_is_told_to_install_the_name_of_somebody_else() -> None:
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")):
        assert "pip install pyfunc\n" not in path.read_text(), path
        assert "pip install pyfunc " not in path.read_text(), path
