"""Headers that every response of an invocation gets, whoever made it.

A receiver of `on_response_prepare`, since streams are prepared below the middlewares.
"""

from aiohttp import hdrs, web

from pyfunc.function.trace_context import REQUEST_ID, REQUEST_ID_KEY
from pyfunc.lifecycle import LIFECYCLE

__all__ = ["add_response_headers"]


async def add_response_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add `X-Request-Id`, and `Connection: close` to the last response of a connection."""
    if REQUEST_ID_KEY in request:  # a probe has none
        response.headers[REQUEST_ID] = request[REQUEST_ID_KEY]
    if request.config_dict[LIFECYCLE].closes_connections and response.status != 101:
        response.headers[hdrs.CONNECTION] = "close"
        response.force_close()
