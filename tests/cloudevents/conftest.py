import sys
from collections.abc import Iterator

import pytest

from pyfunc.cloudevents import sdk_aliases


@pytest.fixture
def aliases() -> Iterator[None]:
    """Install the aliases for one test, whatever another has imported."""
    _remove()
    sdk_aliases.install()
    yield
    _remove()


def _remove() -> None:
    """Take the finder away, and every old name that leads to a module of another name."""
    finders = [f for f in sys.meta_path if not isinstance(f, sdk_aliases.AliasFinder)]
    sys.meta_path[:] = finders
    for name, module in list(sys.modules.items()):
        if name.startswith("cloudevents.") and module.__name__ != name:
            del sys.modules[name]
            parent, _, tail = name.rpartition(".")
            if parent == "cloudevents":
                delattr(sys.modules[parent], tail)
