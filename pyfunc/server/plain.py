"""The plain path: aiohttp's runner of an application, through public API only.

The application itself keeps every promise but speed; `docs/operations.md` lists the limits that
aiohttp has no public means for.
"""

import asyncio
from typing import Any

from aiohttp import web

__all__ = ["PlainRunner"]

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

    def drain(self) -> None:
        """Do nothing: the application adds `Connection: close` to its responses."""

    def close_idle(self) -> None:
        """Close idle connections after a moment, and the others with their next response."""
        if self.server is not None:
            asyncio.get_running_loop().call_later(_GRACE, self.server.pre_shutdown)
