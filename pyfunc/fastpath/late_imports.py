"""Imports aiohttp for its server, and leaves its client until somebody asks for it.

`import aiohttp` runs the `__init__` of the package, which imports the client. A function that calls
nobody needs none of that, and it is a tenth of the work of a start. So `__init__` runs when the
package is first asked for a name that it has not yet, such as `ClientSession`. Functions see no
difference.

The price: for a while the package is imported by half, and a release whose server needs more of its
`__init__` would not start. So another aiohttp than `_KNOWN`, or one that is no plain file, is
imported as ever. This room can go when aiohttp imports its client on first use by itself.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from pyfunc.fastpath.certificates import late_certificates

__all__ = ["import_aiohttp", "settle_client"]

_KNOWN = '__version__ = "3.14.'
"""How `__init__` begins in the releases whose server was seen to need nothing else of it."""


def import_aiohttp() -> None:
    """Import aiohttp's server without its client; nothing where aiohttp was imported."""
    if "aiohttp" in sys.modules:
        return
    sys.meta_path.insert(0, _Finder())
    # In this order: what the server's modules ask the package for has been imported by then.
    import aiohttp.hdrs
    import aiohttp.payload
    import aiohttp.web  # noqa: F401


def settle_client() -> None:
    """Import the client now, where a module that was loaded has aiohttp: so no request waits."""
    package = sys.modules.get("aiohttp")
    if type(package) is _Package and any(
        type(module) is ModuleType and vars(module).get("aiohttp") is package
        for module in list(sys.modules.values())
    ):
        package.__loader__.finish(package)


class _Package(ModuleType):
    """aiohttp as long as its `__init__` has not run; an ordinary module after that."""

    def __getattr__(self, name: str) -> Any:
        if name[:2] != "__" or name == "__all__":  # tools look for others in every module
            self.__loader__.finish(self)
        return ModuleType.__getattribute__(self, name)  # asks the `__getattr__` of aiohttp itself

    def __dir__(self) -> Any:
        self.__loader__.finish(self)
        return ModuleType.__dir__(self)

    __loader__: "_PackageLoader"


class _PackageLoader(SourceFileLoader):
    """Runs `__init__` when it is needed, once; other threads wait for it, as for any import."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self._lock = RLock()
        self._runs = False

    def exec_module(self, module: ModuleType) -> None:
        with Path(self.path).open(encoding="utf-8") as source:
            first = source.readline()
        if not first.startswith(_KNOWN):
            super().exec_module(module)
        else:
            vars(module)["__version__"] = first.split('"')[1]  # its server says it in a header
            module.__class__ = _Package

    def finish(self, package: _Package) -> None:
        """Run `__init__`; nothing where it has run, or does so and is asked for its own names."""
        with self._lock:
            if self._runs or type(package) is not _Package:
                return
            self._runs = True
            try:
                super().exec_module(package)
                package.__class__ = ModuleType  # type: ignore[assignment]
            finally:
                self._runs = False


class _ConnectorLoader(SourceFileLoader):
    """Runs the module that makes the TLS contexts."""

    def exec_module(self, module: ModuleType) -> None:
        with late_certificates():
            super().exec_module(module)


class _Finder:
    """Finds the two modules where Python does, each with its own loader."""

    _loaders = {"aiohttp": _PackageLoader, "aiohttp.connector": _ConnectorLoader}  # noqa: RUF012

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of the two, where it is a plain file."""
        if isinstance(target, _Package):  # which is to be reloaded, so it has to be loaded first
            target.__loader__.finish(target)
        if name not in self._loaders or target is not None:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = self._loaders[name](name, str(spec.loader.path))
        return spec
