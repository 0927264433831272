"""Read request bodies with fewer copies than `request.read()`.

aiohttp collects a body in a `bytearray`, copies that, and asks once more for the end. A body that
arrived in one piece is taken as it is here. Any other is written into a buffer of its announced
size, so that memory never holds it twice.
"""

from io import BytesIO

from aiohttp import web
from aiohttp.streams import StreamReader

__all__ = ["read_body"]

# Bytes that may wait to be written into the buffer; aiohttp stops reading at twice that.
_WAITING = 1 << 17

# The largest buffer for a mere announcement. The system commits its memory as it is written.
_BUFFER = 1 << 26


async def read_body(request: web.Request) -> bytes:
    """Read the whole body; `request.read()` gives the same bytes, before and after.

    Raises:
        web.HTTPRequestEntityTooLarge: It exceeds the limit of the application.
        Exception: Whatever broke it off, as `request.read()` raises it.
    """
    body = request._read_bytes
    if body is None:
        body = _single_piece(request)
    if body is None:
        content, limit = request.content, request.client_max_size
        body = content.read_nowait() if content.is_eof() else await _arriving(request)
        if limit and len(body) > limit:
            raise web.HTTPRequestEntityTooLarge(limit)
        request._read_bytes = body
    return body


def _single_piece(request: web.Request) -> bytes | None:
    """Take a body that has arrived in one piece, as nearly all do; return `None` for any other."""
    content = request._payload
    has_arrived = (
        type(content) is StreamReader
        and content._eof
        and len(content._buffer) == 1
        and not content._buffer_offset
        and content._http_chunk_splits is None
        and content._exception is None
        and content._size <= (request._client_max_size or content._size)
    )
    if not has_arrived:
        return None
    body = request._read_bytes = content._buffer.popleft()
    content._size -= len(body)
    content._cursor += len(body)
    return body


async def _arriving(request: web.Request) -> bytes:
    """Read a body as it arrives, and little more of it than the limit."""
    content, limit = request.content, request.client_max_size
    content.set_read_chunk_size(_WAITING)
    body = BytesIO(bytes(min(request.content_length or 0, _BUFFER)))
    while chunk := await content.readany():
        body.write(chunk)
        if limit and body.tell() > limit:
            break
    body.truncate()
    return body.getvalue()  # not a copy
