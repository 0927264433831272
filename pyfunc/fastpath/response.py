"""A whole response that goes to the socket in one write.

aiohttp prepares each response for all that a response may be: a stream, compressed, with cookies,
for HTTP/1.0, seen by signals. That is 36 % of the instructions of an event with a reply. Here it is
done only where it is needed; both ways send the same bytes, apart from the order of the headers.
"""

from functools import lru_cache
from time import time
from typing import Any

from aiohttp import web
from aiohttp.compression_utils import MAX_SYNC_CHUNK_SIZE
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11
from multidict import CIMultiDict

from pyfunc.function.trace_context import REQUEST_ID_KEY
from pyfunc.invoking.wire import WholeResponse, header_fields

__all__ = ["DirectResponse"]

# A larger body is not copied to join it with its head.
_SMALL = 1 << 16


class DirectResponse(WholeResponse):
    """A whole response that makes its header fields only for those who look at them.

    Args:
        lines: The header lines, as `WholeResponse` takes them.
        body: The body.
    """

    _body: bytes
    _reason = "OK"
    # The defaults of aiohttp's constructor, for responses that a middleware compresses.
    _zlib_executor_size = MAX_SYNC_CHUNK_SIZE
    _zlib_executor = None

    def __init__(self, lines: str, body: bytes) -> None:
        # Without aiohttp's constructor, which examines much that is known here.
        self._lines = lines
        self._body = body
        self._fields: CIMultiDict[str] | None = None
        self._status = 200
        self._state = {}

    def add_lines(self, lines: str) -> None:
        """Add headers like those given at the start, before anybody has looked at them."""
        self._lines += lines

    @property
    def _headers(self) -> CIMultiDict[str]:  # type: ignore[override]  # aiohttp has an attribute
        """The header fields; once somebody has asked for them, they are what is sent."""
        if self._fields is None:
            self._fields = header_fields(self._lines)
        return self._fields

    def is_sent(self, request: web.Request) -> bool:
        """Send it in one write, if nothing stands against that; return whether it was sent.

        The caller waits afterwards for a slow client.

        Raises:
            ConnectionError: The client is gone.
        """
        # A request that skipped aiohttp's routing has passed known middlewares only, and the one
        # signal that would see the response adds what is added here.
        is_direct = (
            self._fields is None
            and self._status == 200
            and getattr(request._match_info, "is_direct", False)
            and request._version is HttpVersion11
            and not request._message.should_close
            and request._method != "HEAD"
        )
        if not is_direct:
            return False
        self._keep_alive = True
        writer: Any = request._payload_writer
        protocol: Any = request._protocol
        head, body = self._head(request), self._body
        if len(body) < _SMALL:
            whole = head + body
            writer.output_size += len(whole)
            protocol.send(whole)
        else:
            writer._writelines((head, body))
        self._eof_sent = True
        self._body_length = writer.output_size
        return True

    def _head(self, request: web.Request) -> bytes:
        id = request._state.get(REQUEST_ID_KEY)
        named = "" if id is None else f"X-Request-Id: {id}\r\n"
        return (
            f"HTTP/1.1 200 OK\r\n{self._lines}{named}Content-Length: {len(self._body)}\r\n"
            f"{_ending(int(time()))}"
        ).encode()


@lru_cache(maxsize=1)
def _ending(second: int) -> str:
    return f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
