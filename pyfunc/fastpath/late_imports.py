"""Import aiohttp for its server, and its client when it is first used.

`import aiohttp` runs the `__init__` of the package, which imports the client. Without it, a start
takes 11 % fewer instructions and 7 % less CPU time. So `__init__` runs when the package is first
asked for a name that it does not have yet, such as `ClientSession`. A function that imports
`aiohttp.client` or `aiohttp.connector` by name has the certificates of the system read at once.

A release whose server needs more of `__init__` would not start, so other releases than `_KNOWN` are
imported as usual. Delete this module once aiohttp imports its client on first use.
"""

import sys
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

from pyfunc.fastpath.certificates import deferred_certificates

__all__ = ["import_aiohttp", "settle_client"]

_KNOWN = '__version__ = "3.14.'
"""How `__init__` begins in the releases whose server needs nothing else of it."""


def import_aiohttp() -> None:
    """Import aiohttp's server without its client; does nothing if aiohttp has been imported."""
    if "aiohttp" in sys.modules:
        return
    spec = find_spec("aiohttp")
    source = getattr(spec and spec.loader, "get_source", lambda _: None)("aiohttp")
    if spec is not None and source and source.startswith(_KNOWN):
        sys.audit("import", "aiohttp", None, sys.path, sys.meta_path, sys.path_hooks)
        package = module_from_spec(spec)
        vars(package)["__version__"] = source.split('"', 2)[1]  # the server sends it in a header
        package.__class__ = _Package
        sys.modules["aiohttp"] = package
        # In this order: each imports what the next one asks the package for.
        import aiohttp.hdrs
        import aiohttp.payload
    with deferred_certificates():
        import aiohttp.web  # noqa: F401


def settle_client() -> None:
    """Import the client now if a loaded module has aiohttp, so that no request waits for it."""
    package = sys.modules.get("aiohttp")
    if type(package) is _Package and any(
        type(module) is ModuleType and vars(module).get("aiohttp") is package
        for module in list(sys.modules.values())
    ):
        _finish(package)


class _Package(ModuleType):
    """aiohttp until its `__init__` has run; an ordinary module afterwards."""

    is_running = False
    lock = RLock()

    def __getattr__(self, name: str) -> Any:
        if name[:2] != "__" or name == "__all__":  # tools look for others in every module
            _finish(self)
        return ModuleType.__getattribute__(self, name)  # calls the `__getattr__` of aiohttp

    def __dir__(self) -> Any:
        _finish(self)
        return ModuleType.__dir__(self)


def _finish(package: _Package) -> None:
    """Run `__init__`, unless it has run or asks for a name of its own; other threads wait."""
    with _Package.lock:
        if _Package.is_running or type(package) is not _Package:
            return
        _Package.is_running = True
        try:
            with deferred_certificates():
                package.__loader__.exec_module(package)  # type: ignore[union-attr]
            package.__class__ = ModuleType  # type: ignore[assignment]
        finally:
            _Package.is_running = False
