"""Lets aiohttp's client be imported without reading the system's certificates.

`aiohttp.connector` makes two TLS contexts while it is imported, and each parses every certificate
that the system trusts: a quarter of the time in which a function gets ready, mostly for nothing.
Here those two only note what they were to read, and read it when they are first used. Functions see
no difference. This room can go when aiohttp makes its contexts on first use.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

__all__ = ["late_certificates"]

Load = tuple[Callable[..., None], tuple[Any, ...]]

_Context = ssl.SSLContext  # Python's own: a library may put another in its place meanwhile
_LOADERS = ("load_default_certs", "set_default_verify_paths")


@contextmanager
def late_certificates() -> Iterator[None]:
    """Contexts that this thread makes meanwhile read their certificates late."""
    own = {name: vars(_Context).get(name) for name in _LOADERS}
    for name in own:
        setattr(_Context, name, _noted(getattr(_Context, name), get_ident()))
    try:
        yield
    finally:
        for name, load in own.items():
            if load is None:  # it is inherited
                delattr(_Context, name)
            else:
                setattr(_Context, name, load)


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
        self.__class__ = _Context  # type: ignore[assignment]
        return self


def _noted(load: Callable[..., None], thread: int) -> Callable[..., None]:
    def note(context: Any, *arguments: Any) -> None:
        if context.__class__ is _Context and get_ident() == thread:
            context.__class__ = _LateContext
            vars(context)["_loads"] = []
        if context.__class__ is _LateContext:
            vars(context)["_loads"].append((load, arguments))
        else:
            load(context, *arguments)  # a subclass has its own ways

    return note
