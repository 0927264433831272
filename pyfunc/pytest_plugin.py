"""The pytest plugin: the fixture `invoke`. Imports next to nothing until a test asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyfunc.testing import Invoke

__all__ = ["invoke"]


@pytest.fixture
def invoke(request: pytest.FixtureRequest) -> "Iterator[Invoke]":
    """Invokes a function through the application that would serve it.

    `invoke(main, event(...))` in a test, `await invoke(main, event(...))` in an async one.
    """
    from pyfunc.testing import Invoke  # for those tests only that ask for it

    root = request.config.rootpath
    beside = [place for place in request.path.parents if place == root or root in place.parents]
    invoke = Invoke(beside)
    yield invoke
    invoke.close()
