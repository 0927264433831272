"""The plain path: aiohttp's runner of an application, through public API only.

The application itself keeps every promise but speed; `docs/operations.md` lists the limits that
aiohttp has no public means for.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable
from contextlib import closing, suppress
from typing import Any, cast
from weakref import WeakValueDictionary

from aiohttp import web
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.typedefs import Handler

from pyfunc.errors import StartupError

__all__ = ["PlainRunner", "check_response"]


# A connection that was made or used this recently may have its next request on the way.
_JUST_USED = 0.5

_REQUEST = b"GET /healthz/live HTTP/1.1\r\nHost: pyfunc\r\nConnection: close\r\n\r\n"
_RESPONSE_LINE = b"HTTP/1.1"
_RESPONSE = 5.0  # seconds that it may take


class PlainRunner(web.AppRunner):
    """aiohttp's runner, with the two steps that a drain needs.

    Args:
        app: The application.
        max_head: The largest line of a request's head, in bytes.
        max_headers: The most header fields of a request.
        read_timeout: Not used: aiohttp has no time limit for a request that arrives.
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
        super().__init__(
            app,
            max_line_size=max_head,
            max_field_size=max_head,
            max_headers=max_headers,
            **kwargs,
        )
        self._requests: WeakValueDictionary[Any, web.Request] = WeakValueDictionary()
        """The latest request of each connection."""
        self._used = 0.0
        app.middlewares.insert(0, self._note)

    @web.middleware
    def _note(self, request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
        self._requests[request.protocol] = request
        self._used = time.monotonic()
        return handler(request)

    def protocol(self) -> web.RequestHandler:
        """Make the protocol of a new connection."""
        self._used = time.monotonic()
        return cast(web.Server, self.server)()

    def drain(self) -> None:
        """Do nothing: the application adds `Connection: close` to its responses."""

    def close_idle(self) -> None:
        """Close idle connections, and the others with their next response.

        Wait a moment before, where any of them was just used.
        """
        pause = self._used + _JUST_USED - time.monotonic()
        asyncio.get_running_loop().call_later(max(0.0, pause), self._close_idle)

    def _close_idle(self) -> None:
        # aiohttp's own `pre_shutdown` leaves idle connections open: each would hold the drain, and
        # a request on it would get no response.
        for connection in self.server.connections if self.server else ():
            request = self._requests.get(connection)
            if request is not None and _is_in_progress(request):
                connection.close()
            else:
                connection.force_close()


def _is_in_progress(request: web.Request) -> bool:
    """Whether the response was not sent yet; then aiohttp takes the task from the request."""
    return cast("asyncio.Task[None] | None", request.task) is not None


async def check_response(server: web.Server) -> None:
    """Check that a server responds, by a request over a pair of sockets.

    For releases of aiohttp that nobody has tried: a process that says `ready` must not be mute.

    Raises:
        StartupError: It does not.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    await loop.connect_accepted_socket(server, theirs)
    response = b""
    with closing(ours), suppress(OSError, TimeoutError):
        async with asyncio.timeout(_RESPONSE):
            await loop.sock_sendall(ours, _REQUEST)
            response = await loop.sock_recv(ours, len(_RESPONSE_LINE))
    if response != _RESPONSE_LINE:
        release = SERVER_SOFTWARE.partition(" ")[2]
        raise StartupError(f"{release} does not respond to requests: install another release of it")
