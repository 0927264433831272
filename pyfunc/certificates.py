"""Imports aiohttp without reading the system's certificates, which its client needs and we do not.

`aiohttp.connector` makes two TLS contexts while it is imported, and each parses every certificate
that the system trusts: a quarter of the time in which a function gets ready, mostly for nothing.
Here those two only note what they were to read, and read it when they are first used. Functions see
no difference. This room can go when aiohttp makes its contexts on first use.
"""

import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["import_aiohttp"]

Load = tuple[Callable[..., None], tuple[Any, ...]]


def import_aiohttp() -> None:
    """Import aiohttp, and leave its certificates for later; nothing where it was imported."""
    if "aiohttp" in sys.modules:
        return
    with _noting():
        import aiohttp  # noqa: F401


class _LateContext(ssl.SSLContext):
    """A context that reads its certificates when something depends on them."""

    _loads: list[Load]

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self._loaded().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return self._loaded().wrap_socket(*args, **kwargs)

    def get_ca_certs(self, *args: Any, **kwargs: Any) -> Any:
        return self._loaded().get_ca_certs(*args, **kwargs)

    def cert_store_stats(self) -> dict[str, int]:
        return self._loaded().cert_store_stats()

    def _loaded(self) -> ssl.SSLContext:
        """Turn into an ordinary context; two threads at a time may read the same twice."""
        for load, arguments in self._loads:
            load(self, *arguments)
        self.__class__ = ssl.SSLContext  # type: ignore[assignment]
        return self


@contextmanager
def _noting() -> Iterator[None]:
    """Contexts that are made meanwhile read their certificates late."""
    own = {name: vars(ssl.SSLContext).get(name) for name in _LOADERS}
    for name in own:
        setattr(ssl.SSLContext, name, _noted(getattr(ssl.SSLContext, name)))
    try:
        yield
    finally:
        for name, load in own.items():
            if load is None:  # it is inherited
                delattr(ssl.SSLContext, name)
            else:
                setattr(ssl.SSLContext, name, load)


_LOADERS = ("load_default_certs", "set_default_verify_paths")


def _noted(load: Callable[..., None]) -> Callable[..., None]:
    def note(context: Any, *arguments: Any) -> None:
        if context.__class__ is ssl.SSLContext:
            context.__class__ = _LateContext
            vars(context)["_loads"] = []
        if context.__class__ is _LateContext:
            vars(context)["_loads"].append((load, arguments))
        else:
            load(context, *arguments)  # a subclass has its own ways

    return note
