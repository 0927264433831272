"""Defers reading the certificates that the system trusts.

`aiohttp.connector` makes two TLS contexts when it is imported, and each parses every certificate of
the system. That is 39 % of the instructions of a start and 17 % of its CPU time, and most functions
make no TLS connection. The contexts made here read the certificates when they are first used.
Uses public names only; delete it once aiohttp does this itself.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["deferred_certificates"]

_LOADERS = ("load_default_certs", "set_default_verify_paths")


@contextmanager
def deferred_certificates() -> Iterator[None]:
    """Make contexts that read the certificates of the system later."""
    own = {name: vars(ssl.SSLContext).get(name) for name in _LOADERS}
    for name in own:
        setattr(ssl.SSLContext, name, _defer)
    try:
        yield
    finally:
        for name, load in own.items():
            if load is None:  # inherited
                delattr(ssl.SSLContext, name)
            else:
                setattr(ssl.SSLContext, name, load)


class _DeferredContext(ssl.SSLContext):
    """A context that reads the certificates of the system when something depends on them."""

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return self._load().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        return self._load().wrap_socket(*args, **kwargs)

    def get_ca_certs(self, *args: Any, **kwargs: Any) -> Any:
        return self._load().get_ca_certs(*args, **kwargs)

    def cert_store_stats(self) -> dict[str, int]:
        return self._load().cert_store_stats()

    def _load(self) -> ssl.SSLContext:
        """Turn into an ordinary context."""
        self.load_default_certs()
        # Last, so that another thread finds the certificates; at worst it reads them a second time.
        self.__class__ = ssl.SSLContext  # type: ignore[assignment]
        return self


def _defer(context: ssl.SSLContext, *_: Any) -> None:
    context.__class__ = _DeferredContext
