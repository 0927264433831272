"""Keeps the modules of two search paths apart, where one process serves functions of both.

Two apps may both have a `func.py` and a `helper.py`, imported at start or at request time. Python
has one table of modules and one path; so the import statement is told apart by the file that it
stands in. With one search path, which is the rule, nothing is installed and nothing is slower.
"""

import builtins
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["put_first"]


class _SearchPath(str):
    """An entry of `sys.path` that pyfunc has put there."""

    __slots__ = ()


def put_first(root: Path) -> None:
    """Put a search path first, and its modules in the place of those of the others."""
    entry = _SearchPath(root)
    others = [other for other in sys.path if isinstance(other, _SearchPath) and other != entry]
    if others and _names(root) & set().union(*map(_names, map(Path, others))):
        _installed(others[0]).turn_to(entry)
    else:
        _put(entry)
    _forget_namesakes(root)


def _put(entry: _SearchPath) -> None:
    if sys.path[:1] != [entry] or not isinstance(sys.path[0], _SearchPath):
        sys.path[:] = [entry, *(other for other in sys.path if other != entry)]


def _names(root: Path) -> set[str]:
    """The names under which the files of a search path are imported."""
    with os.scandir(root) as entries:
        return {e.name.removesuffix(".py") for e in entries if e.name[-3:] == ".py" or e.is_dir()}


def _forget_namesakes(root: Path) -> None:
    """Drop modules from elsewhere whose names would hide the files of this search path.

    Modules of Python itself and of installed packages stay.
    """
    neighbours = _names(root)
    for name in _modules(neighbours, lambda module: _is_namesake(module, root)):
        del sys.modules[name]


def _modules(tops: Set[str], belongs: Callable[[ModuleType], bool]) -> list[str]:
    """Names of modules, all found before one is taken out: a package tells of what is in it."""
    found = [item for item in list(sys.modules.items()) if item[0].partition(".")[0] in tops]
    return [name for name, module in found if belongs(module)]


def _is_namesake(module: ModuleType, root: Path) -> bool:
    top = module.__name__.partition(".")[0]
    file = _file(module)
    if top in sys.stdlib_module_names or top in ("__main__", "pyfunc") or not file:
        return False
    parts = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return root not in Path(file).parents and not parts


def _file(module: ModuleType) -> str:
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    return file or ""


def _installed(front: str) -> "_Imports":
    if not isinstance(builtins.__import__, _Imports):
        builtins.__import__ = _Imports(builtins.__import__, front)
    return builtins.__import__


class _Imports:
    """Stands in for `__import__`: a module's imports are those of its own search path.

    Only names that some search path has a file for are looked at. `importlib.import_module` does
    not come here: it knows no module that it is called from.
    """

    def __init__(self, original: Any, front: str) -> None:
        self._original = original
        self._front = front
        self._aside: dict[str, dict[str, ModuleType]] = {front: {}}
        self._names = _names(Path(front))
        self._lock = threading.RLock()  # for a whole import, so that no other one turns meanwhile

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        asked = (globals or {}).get("__package__") or "" if level else name
        if asked.partition(".")[0] in self._names and (root := self._root_of(globals)):
            with self._lock:
                self.turn_to(root)
                return self._import(name, globals, locals, fromlist, level)
        return self._import(name, globals, locals, fromlist, level)

    def _import(self, *arguments: Any) -> ModuleType:
        module: ModuleType = self._original(*arguments)
        return module

    def _root_of(self, globals: Mapping[str, Any] | None) -> str:
        """The search path, the innermost of several, in which the importing module is."""
        file = (globals or {}).get("__file__") or ""
        within = [root for root in self._aside if file.startswith(root + os.sep)]
        return max(within, key=len, default="")

    def turn_to(self, root: str) -> None:
        """Put the modules of this search path in the place of those that are in front."""
        with self._lock:
            if root not in self._aside:
                self._aside[root] = {}
                self._names |= _names(Path(root))
            if root != self._front:
                self._put_aside()
                sys.modules.update(self._aside[root])
                self._aside[root] = {}
                _put(_SearchPath(root))
                self._front = root

    def _put_aside(self) -> None:
        kept = self._aside[self._front]
        for name in _modules(self._names, self._is_in_front):
            kept[name] = sys.modules.pop(name)

    def _is_in_front(self, module: ModuleType) -> bool:
        return self._root_of({"__file__": _file(module)}) == self._front
