"""The pytest plugin: the fixture `invoke`. It imports almost nothing until a test uses it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyfunc.testing import Invoke

__all__ = ["invoke"]


@pytest.fixture
def invoke(request: pytest.FixtureRequest) -> "Iterator[Invoke]":
    """Invoke a function through the application that serves it.

    `invoke(main, event(...))` in a test, `await invoke(main, event(...))` in an async one.
    """
    from pyfunc.testing import Invoke  # only when a test uses it

    root = request.config.rootpath
    places = [place for place in request.path.parents if place == root or root in place.parents]
    invoke = Invoke(places)
    yield invoke
    invoke.close()
