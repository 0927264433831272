"""Import aliases for the module names of CloudEvents SDK 1.x, such as `cloudevents.http`.

SDK 2 moved those modules below `cloudevents.v1`. Nothing here imports the SDK before the user's
code does. Its event classes are for `sdk`.
"""

import importlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["OLD_NAMES", "AliasFinder", "install"]

logger = logging.getLogger("pyfunc")

OLD_NAMES = frozenset({"abstract", "conversion", "exceptions", "http", "kafka", "pydantic", "sdk"})
"""The modules and packages that SDK 1.x had directly below `cloudevents`."""


def install() -> None:
    """Make the old names importable, for the life of the process; idempotent."""
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        # In front, as Python would find `cloudevents.http.event` in the directory of its parent's
        # successor, and make a second copy of that module with other classes.
        sys.meta_path.insert(0, AliasFinder())


class AliasFinder:
    """A meta path finder that resolves `cloudevents.x` to `cloudevents.v1.x`.

    Names that the installed SDK offers itself are left to the finders behind this one.
    """

    def __init__(self) -> None:
        self._warned = threading.Lock()  # taken by the thread that logs, never released

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec whose module is the successor itself, or `None` for any other name."""
        if not fullname.startswith("cloudevents.") or not self._is_alias(fullname, path):
            return None
        successor = _find(_successor(fullname))
        if successor is None:
            return None
        return ModuleSpec(
            fullname,
            _AliasLoader(successor.name, self._warn),  # type: ignore[arg-type]
            origin=successor.origin,
            is_package=successor.submodule_search_locations is not None,
        )

    def _is_alias(self, fullname: str, path: Sequence[str] | None) -> bool:
        parent, _, tail = fullname.rpartition(".")
        if parent == "cloudevents":
            return tail in OLD_NAMES and not self._is_offered(fullname, path)
        return getattr(sys.modules.get(parent), "__name__", None) == _successor(parent)

    def _is_offered(self, fullname: str, path: Sequence[str] | None) -> bool:
        others = [finder for finder in sys.meta_path if finder is not self]
        return any(finder.find_spec(fullname, path) is not None for finder in others)

    def _warn(self, name: str, successor: str) -> None:
        if self._warned.acquire(blocking=False):
            logger.warning(
                "%s is a name of CloudEvents SDK 1.x: please import %s instead"
                " (logged once; the same goes for every old name)",
                name,
                successor,
            )


class _AliasLoader:
    """Loads an old name by importing its successor, which keeps its own name and spec."""

    def __init__(self, successor: str, warn: Callable[[str, str], None]) -> None:
        self._successor = successor
        self._warn = warn

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._successor)
        self._spec = module.__spec__
        self._warn(spec.name, self._successor)
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just overwritten it; to return a stand-in from `create_module`
        # and swap it here would hand the stand-in to another thread that imports the old name.
        module.__spec__ = self._spec


def _successor(name: str) -> str:
    return f"cloudevents.v1.{name.removeprefix('cloudevents.')}"


def _find(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:  # no `cloudevents.v1`, in an SDK that is not 2.x
        return None
