"""A function to check."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyfunc.cli.check import report
from pyfunc.settings import Settings
from tests.support.checking import Check


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    """The report on a `func.py` of this text."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)

    def checked(text: str, **options: Any) -> Any:
        (tmp_path / "func.py").write_text(text)
        return report(Settings(**options))

    yield checked
    sys.modules.pop("func", None)
