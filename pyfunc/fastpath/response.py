"""A response that goes to the socket as it is: the one kind that nearly all answers are.

aiohttp prepares each response for all that a response may be: a stream, compressed, with cookies,
for HTTP/1.0, looked at by signals. That costs more than all the rest of a request. Here it is done
only where it is needed, and both ways put the same bytes on the wire, but for the headers' order.
"""

from functools import lru_cache
from time import time
from typing import Any

from aiohttp import web
from aiohttp.compression_utils import MAX_SYNC_CHUNK_SIZE
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11
from multidict import CIMultiDict

from pyfunc.function.trace_context import REQUEST_ID, REQUEST_ID_KEY

__all__ = ["DirectResponse", "name_response"]

# A larger body is not copied to join it with its head, where aiohttp does not need to.
_SMALL = 1 << 16


class DirectResponse(web.Response):
    """A response with the status 200.

    Args:
        lines: Its header lines, each with its end. Nothing looks at them again on their way: they
            hold what is valid in a header, and none of `Content-Length`, `Connection`, `Date` and
            `Server`.
        body: Its body.
    """

    _body: bytes
    _reason = "OK"
    # What aiohttp's own constructor sets by default, for responses that are compressed.
    _zlib_executor_size = MAX_SYNC_CHUNK_SIZE
    _zlib_executor = None

    def __init__(self, lines: str, body: bytes) -> None:
        # Not aiohttp's: that looks for much that is known here.
        self._lines = lines
        self._body = body
        self._known: CIMultiDict[str] | None = None
        self._status = 200
        self._state = {}

    def add_lines(self, lines: str) -> None:
        """Add headers like those that it was made with, before anybody has looked at them."""
        self._lines += lines

    @property
    def _headers(self) -> CIMultiDict[str]:  # type: ignore[override]  # aiohttp has an attribute
        """The headers, for whoever looks at them or changes them; from now on, they count."""
        if self._known is None:
            self._known = CIMultiDict(map(_header, self._lines.split("\r\n")[:-1]))
        return self._known

    def is_sent(self, request: web.Request) -> bool:
        """Send it, whole and at once, if nothing needs more than that.

        The answer whether it did. Whoever asks waits for the client afterwards, if that is slow.

        Raises:
            ConnectionError: The client is gone.
        """
        # Where it is direct, nobody but us has had a say in it: a request that came to its route
        # without aiohttp's search has passed no middlewares but ours, and `name_response` is the
        # only signal that the answer would be shown to.
        is_direct = (
            self._known is None
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


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


@lru_cache(maxsize=1)
def _ending(second: int) -> str:
    return f"Date: {rfc822_formatted_time()}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"


async def name_response(request: web.Request, response: web.StreamResponse) -> None:
    """Give every response of an invocation the id of its request, streams and errors too."""
    try:  # noqa: SIM105 - `suppress` takes longer than all the rest of this
        response.headers[REQUEST_ID] = request[REQUEST_ID_KEY]
    except KeyError:
        pass  # a probe
