"""All connections of the fast path, and the runner that serves an application with them."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web

from pyfunc.fastpath.body import read_body
from pyfunc.fastpath.chain import chain
from pyfunc.fastpath.connection import Connection, Limits
from pyfunc.fastpath.fence import check
from pyfunc.fastpath.late_imports import settle_client
from pyfunc.fastpath.response import DirectResponse
from pyfunc.fastpath.sending import SendQueue
from pyfunc.invoking.wire import Wire

__all__ = ["WIRE", "Connections", "FastRunner", "check"]

WIRE = Wire(read_body, DirectResponse)
"""The means of the fast path to read bodies and to make responses."""

# An idle connection that was used this recently may have its next request on the way.
_JUST_USED = 0.5


class Connections(web.Server):
    """All connections of a process.

    Args:
        handler: Answers requests.
        limits: Of requests.
        keepalive_timeout: How long a connection may be idle, in seconds; 0 ends each with its
            first response.
        kwargs: Those of aiohttp's own server and protocol.
    """

    def __init__(
        self, handler: Any, *, limits: Limits, keepalive_timeout: float, **kwargs: Any
    ) -> None:
        super().__init__(handler, keepalive_timeout=keepalive_timeout or _JUST_USED, **kwargs)
        self.send_queue = SendQueue(self._loop)
        self._limits = limits
        if not keepalive_timeout:
            self.request_factory = _last_of(self.request_factory)

    def __call__(self) -> Connection:
        """A protocol for a new connection."""
        return Connection(self, loop=self._loop, limits=self._limits, **self._kwargs)

    def drain(self) -> None:
        """Close each connection with its next response."""
        self.request_factory = _last_of(self.request_factory)
        for connection in self._each():
            connection.end()

    def close_idle(self) -> None:
        """Close idle connections, except those just used; from now on, repeatedly."""
        now = self._loop.time()
        for connection in self._each():
            if connection.is_idle and connection.used + _JUST_USED <= now:
                connection.force_close()
        self._loop.call_later(_JUST_USED, self.close_idle)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection on; it was accepted earlier, maybe before the drain began."""
        super().connection_made(handler, transport)
        handler._request_factory = self.request_factory

    def _each(self) -> list[Connection]:
        return cast(list[Connection], self.connections)


class FastRunner(web.AppRunner):
    """aiohttp's runner of an application, with the connections of the fast path.

    Args:
        app: The application.
        max_head: The largest head of a request, in bytes.
        max_headers: The most header fields of a request.
        read_timeout: How long a request may take to arrive, in seconds; 0 for no limit.
        kwargs: Those of aiohttp's runner.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        max_head: int,
        max_headers: int,
        read_timeout: float,
        **kwargs: Any,
    ) -> None:
        settle_client()  # now that the function is loaded
        super().__init__(app, **kwargs)
        self._limits = Limits(max_head, max_headers, read_timeout)

    def protocol(self) -> Connection:
        """Make the protocol of a new connection."""
        return self._connections()

    def drain(self) -> None:
        """Close each connection with its next response."""
        self._connections.drain()

    def close_idle(self) -> None:
        """Close idle connections, now and repeatedly."""
        self._connections.close_idle()

    @property
    def _connections(self) -> Connections:
        return cast(Connections, self.server)

    async def _make_server(self) -> Connections:
        server = await super()._make_server()
        return Connections(
            chain(self.app) or server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            limits=self._limits,
            **server._kwargs,
        )


def _last_of(make: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
    """Make requests whose response carries `Connection: close`."""

    def make_last(message: Any, *rest: Any) -> web.BaseRequest:
        return make(message._replace(should_close=True), *rest)

    return make_last
