"""Decode the CloudEvents of a request, for event functions.

The events are left on the request under `DELIVERY`, where the handler takes them.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING
from aiohttp.typedefs import Handler, Middleware

from pyfunc.cloudevents.http_binding import ContentMode, content_mode, decode
from pyfunc.errors import EventRequiredError, MethodError
from pyfunc.function.invocation import DELIVERY, Delivery
from pyfunc.middlewares.webhook import ALLOWED
from pyfunc.request.codings import CODINGS, unknown_coding

__all__ = ["cloudevents"]

ReadBody = Callable[[web.Request], Awaitable[bytes]]

_BATCHED = ContentMode.BATCHED
_SEND_ONE = (
    "this function takes CloudEvents: send a POST with the headers ce-id, ce-source, ce-type"
    " and ce-specversion: 1.0, or with Content-Type: application/cloudevents+json"
)


def cloudevents(read_body: ReadBody) -> Middleware:
    """Make the middleware that decodes the events of each request.

    Args:
        read_body: Reads the whole body of a request.
    """

    @web.middleware
    async def decode_events(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST":
            return _other_method(request.method)
        headers = request.headers
        if CONTENT_ENCODING in headers:
            _refuse_encoding(headers[CONTENT_ENCODING])
        mode = content_mode(headers)
        if mode is None:
            raise EventRequiredError(_SEND_ONE)
        body = await read_body(request)
        request[DELIVERY] = Delivery(decode(mode, headers, body), body, mode is _BATCHED)
        return await handler(request)

    return decode_events


def _other_method(method: str) -> web.Response:
    if method == "OPTIONS":  # Knative's senders may probe with it (data plane)
        return web.Response(status=204, headers={"Allow": ALLOWED})
    raise MethodError(_SEND_ONE, headers={"Allow": "POST"})


_ENCODINGS = frozenset({"", "identity", *CODINGS})


def _refuse_encoding(encoding: str) -> None:
    """Refuse a body in an unknown coding (RFC 9110, section 15.5.16)."""
    if encoding.strip().lower() not in _ENCODINGS:
        raise unknown_coding()
