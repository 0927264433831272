"""The plain path: aiohttp's runner of an application, through public API only.

The application itself keeps every promise but speed; `docs/operations.md` lists the limits that
aiohttp has no public means for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast
from weakref import WeakValueDictionary

from aiohttp import web

__all__ = ["PlainRunner"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# A client may have sent its next request on an idle connection just before it learns of the drain.
_GRACE = 0.5


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
        app.middlewares.insert(0, self._note)

    @web.middleware
    def _note(self, request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
        self._requests[request.protocol] = request
        return handler(request)

    def drain(self) -> None:
        """Do nothing: the application adds `Connection: close` to its responses."""

    def close_idle(self) -> None:
        """Close idle connections after a moment, and the others with their next response."""
        asyncio.get_running_loop().call_later(_GRACE, self._close_idle)

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
