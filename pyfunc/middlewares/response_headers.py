"""Headers that every response of an invocation gets, whoever made it.

A receiver of `on_response_prepare`, since streams are prepared below the middlewares.
"""

from aiohttp import hdrs, web

from pyfunc.function.trace_context import REQUEST_ID, REQUEST_ID_KEY
from pyfunc.invoking.results import PREPARED, check_fields
from pyfunc.lifecycle import LIFECYCLE
from pyfunc.middlewares.admission import CONTINUED
from pyfunc.middlewares.framing import settle_framing

__all__ = ["add_response_headers"]


async def add_response_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add `X-Request-Id`, and `Connection: close` to the last response of a connection."""
    if REQUEST_ID_KEY in request:  # a probe has none
        response.headers[REQUEST_ID] = request[REQUEST_ID_KEY]
    if response.status != 101 and (
        request.config_dict[LIFECYCLE].closes_connections or _is_last(request)
    ):
        response.headers[hdrs.CONNECTION] = "close"
    if "close" in response.headers.get(hdrs.CONNECTION, "").lower():
        response.force_close()  # the header alone does not close it (RFC 9112, section 9.6)
    check_fields(response)
    if response.status != 101:
        settle_framing(request, response)
    request[PREPARED] = response


def _is_last(request: web.Request) -> bool:
    """Whether a request is the last of its connection, since what follows it would be lost.

    aiohttp's parser makes trailer fields header fields of the next request, and drops what follows
    an `Upgrade` that is none to a WebSocket. A client that was not asked for its body may send it
    or not (RFC 9110, section 10.1.1).
    """
    headers = request.headers
    if hdrs.TRANSFER_ENCODING in headers:
        return True
    if hdrs.EXPECT in headers and CONTINUED not in request and not request.content.is_eof():
        return True
    return headers.get(hdrs.UPGRADE, "websocket").strip().lower() != "websocket"
