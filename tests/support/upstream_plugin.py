"""Puts the connections of the fast path in place of aiohttp's, in a run of aiohttp's own tests.

A pytest plugin, loaded by `python -m tests.upstream` before any test imports a class. What it puts
in place takes the arguments of aiohttp's classes, with aiohttp's defaults; the rest is the code
that serves functions. aiohttp's runner stays: it makes the server that is put in place here.
"""

import sys
from typing import Any

from aiohttp import web
from aiohttp.web_server import Server

from pyfunc.fastpath.connection import Connection, Limits
from pyfunc.fastpath.runner import Connections
from pyfunc.fastpath.sending import SendQueue

__all__: list[str] = []

_SIZE = 8190
_HEADERS = 128


class RequestHandler(Connection):
    """A connection, made as aiohttp's is."""

    __slots__ = ()

    def __init__(
        self,
        manager: Any,
        *,
        loop: Any,
        max_line_size: int = _SIZE,
        max_field_size: int = _SIZE,
        max_headers: int = _HEADERS,
        **kwargs: Any,
    ) -> None:
        if not hasattr(manager, "send_queue"):  # a mock of aiohttp's server
            manager.send_queue = SendQueue(loop)
        limits = Limits(max(max_line_size, max_field_size), max_headers, read_timeout=0)
        super().__init__(manager, loop=loop, limits=limits, **kwargs)


class _Server(Connections):
    """All connections, made as aiohttp's server is."""

    def __init__(self, handler: Any, *, keepalive_timeout: float = 3630, **kwargs: Any) -> None:
        limits = Limits(_SIZE, _HEADERS, read_timeout=0)
        super().__init__(handler, limits=limits, keepalive_timeout=keepalive_timeout, **kwargs)

    def __call__(self) -> Any:
        return Server.__call__(self)  # passes the arguments of aiohttp's connection


def _replace(theirs: type, ours: type) -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "aiohttp":
            for attribute, value in list(vars(module).items()):
                if value is theirs:
                    setattr(module, attribute, ours)


_replace(web.RequestHandler, RequestHandler)
_replace(web.Server, _Server)
