"""Parse the requests of a connection, and keep them apart from what surrounds them.

aiohttp's parser gives up all bytes that it was given with the first malformed ones, drops what
follows an `Upgrade` that is none to a WebSocket, and makes trailer fields header fields of the next
request. Time limits and responses are left to `connection`.
"""

from typing import Any

from aiohttp import web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.streams import StreamReader

__all__ = ["ParsingHandler"]

_END_OF_HEAD = b"\r\n\r\n"
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class ParsingHandler(web.RequestHandler):
    """aiohttp's protocol with a guarded parser.

    Args:
        args: Those of aiohttp's protocol.
        kwargs: Those of aiohttp's protocol.
    """

    __slots__ = ("_before", "_chunked", "_is_between")

    _parser: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_between = True
        """Whether the parser has nothing of a request that is not complete."""
        self._chunked: StreamReader | None = None
        """A chunked body that is arriving."""
        self._before = b""
        """The end of the bytes before, while a chunked body is arriving."""

    def data_received(self, data: bytes) -> None:
        """Parse bytes that have arrived."""
        known, was_between = self._request_count, self._is_between
        super().data_received(data)
        if self._chunked is not None:
            self._look_for_trailers(self._chunked, data)
        if self._request_count == known:
            self._is_between = was_between and not data
            return
        message: Any
        message, body = self._messages[-1]
        is_single = self._request_count == known + 1
        if is_single and was_between and _is_error(message):
            self._parse_again(data)
        if not is_single or _is_error(message) or message.chunked or message.upgrade:
            for index in range(known - self._request_count, 0):
                self._guard(index, data)
        self._is_between = data.endswith(_END_OF_HEAD) and type(body) is not StreamReader

    def end_with_current(self) -> bool:
        """Close the connection with the response to the current request, if there is one."""
        if (request := self._current_request) is not None:
            request._message = request._message._replace(should_close=True)
            return True
        return False

    def _look_for_trailers(self, body: StreamReader, data: bytes) -> None:
        self._before = _end_of(self._before, data)
        if body.is_eof():
            if self._before != _LAST_CHUNK:
                self._end_with(body)
            self._chunked, self._before = None, b""

    def _end_with(self, body: StreamReader) -> None:
        """Let the request that has this body be the last of its connection."""
        message: Any
        for index, (message, queued) in enumerate(self._messages):
            if queued is body:
                self._messages[index] = (message._replace(should_close=True), body)
                return
        if not self.end_with_current():
            if self._waiter is None:
                self.close()  # after the response: the handler has not begun
            else:
                self.force_close()

    def _guard(self, index: int, data: bytes) -> None:
        """Let a request be the last of its connection where the next one could be another's."""
        message: Any
        message, body = self._messages[index]
        if _is_error(message):
            return
        is_lost = message.upgrade and not self._upgraded
        end = _end_of(b"", data)
        is_mixed = message.chunked and body.is_eof() and (index < -1 or end != _LAST_CHUNK)
        if is_lost or is_mixed:
            self._messages[index] = (message._replace(should_close=True), body)
        if message.chunked and not body.is_eof():
            self._chunked, self._before = body, end

    def _parse_again(self, data: bytes) -> None:
        """Parse data that holds malformed bytes head by head, for the requests before these."""
        heads = data.split(_END_OF_HEAD)
        if len(heads) == 1:
            return
        self._messages.pop()
        self._request_count -= 1
        self._parser = HttpRequestParser(
            self,
            self._loop,
            self._read_bufsize,
            max_line_size=self.max_line_size,
            max_field_size=self.max_field_size,
            max_headers=self.max_headers,
            payload_exception=web.RequestPayloadError,
            max_msg_queue_size=self._max_msg_queue_size,
        )
        for part in [head + _END_OF_HEAD for head in heads[:-1]] + heads[-1:]:
            super().data_received(part)
            if self._messages and _is_error(self._messages[-1][0]):
                self._drop_incomplete()
                break

    def _drop_incomplete(self) -> None:
        """Drop the request whose own body is malformed; the error that follows answers it."""
        if len(self._messages) > 1 and not self._messages[-2][1].is_eof():
            del self._messages[-2]
            self._request_count -= 1


def _is_error(message: Any) -> bool:
    return type(message) is not RawRequestMessage


def _end_of(before: bytes, data: bytes) -> bytes:
    """The last bytes, as many as those of a last chunk without trailer fields."""
    size = len(_LAST_CHUNK)
    return data[-size:] if len(data) >= size else (before + data)[-size:]
