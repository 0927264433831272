"""Headers that every response of an invocation gets, whoever made it.

A receiver of `on_response_prepare`, since streams are prepared below the middlewares.
"""

from collections.abc import Mapping

from aiohttp import hdrs, web

from pyfunc.function.trace_context import REQUEST_ID, REQUEST_ID_KEY
from pyfunc.invoking.results import PREPARED, check_fields
from pyfunc.lifecycle import LIFECYCLE
from pyfunc.middlewares.framing import settle_framing

__all__ = ["add_response_headers"]


async def add_response_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add `X-Request-Id`, and `Connection: close` to the last response of a connection."""
    if REQUEST_ID_KEY in request:  # a probe has none
        response.headers[REQUEST_ID] = request[REQUEST_ID_KEY]
    if response.status != 101 and (
        request.config_dict[LIFECYCLE].closes_connections or _is_last(request.headers)
    ):
        response.headers[hdrs.CONNECTION] = "close"
    if "close" in response.headers.get(hdrs.CONNECTION, "").lower():
        response.force_close()  # the header alone does not close it (RFC 9112, section 9.6)
    check_fields(response)
    if response.status != 101:
        settle_framing(request, response)
    request[PREPARED] = response


def _is_last(headers: Mapping[str, str]) -> bool:
    """Whether a request is the last of its connection, since aiohttp's parser loses what follows.

    It makes trailer fields header fields of the next request, and drops what follows an `Upgrade`
    that is none to a WebSocket.
    """
    if hdrs.TRANSFER_ENCODING in headers:
        return True
    return headers.get(hdrs.UPGRADE, "websocket").strip().lower() != "websocket"
