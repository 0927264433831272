"""Reads the body of a request: what `request.read()` gives, for less.

aiohttp collects a body in a `bytearray`, copies that, and asks once more for the end. Most bodies
are there, whole, when their request is: those are taken as they are. Others get a place as large as
they say that they are, and are put there as they arrive, so that there is never twice the body.
"""

from io import BytesIO

from aiohttp import hdrs, web
from aiohttp.streams import StreamReader

from pyfunc.cloudevents.data import Kind, media_type
from pyfunc.server.collector import expect_for_now

__all__ = ["body_at_hand", "expect_parsed", "read_body"]

# What may wait to be put in place: aiohttp stops reading at twice that.
_WAITING = 1 << 17

# The largest place that is made because of a mere announcement. None of it is in memory yet.
_PLACE = 1 << 26


def body_at_hand(request: web.Request) -> bytes | None:
    """The whole body, where it has arrived in one piece, as nearly all do; else `None`.

    For less than aiohttp takes for one that may still be under way.
    """
    content = request._payload
    is_here = (
        type(content) is StreamReader
        and content._eof
        and len(content._buffer) == 1
        and not content._buffer_offset
        and content._http_chunk_splits is None
        and content._exception is None
        and content._size <= (request._client_max_size or content._size)
    )
    if not is_here:
        return None
    body = request._read_bytes = content._buffer.popleft()
    content._size -= len(body)
    content._cursor += len(body)
    return body


async def read_body(request: web.Request) -> bytes:
    """The whole body; `request.read()` gives the same one, before and after.

    Raises:
        web.HTTPRequestEntityTooLarge: It is larger than the app takes.
        Exception: Whatever broke it off, as `request.read()` raises it.
    """
    body = request._read_bytes
    if body is None:
        body = body_at_hand(request)
    if body is None:
        content, limit = request.content, request.client_max_size
        body = content.read_nowait() if content.is_eof() else await _arriving(request)
        if limit and len(body) > limit:
            raise web.HTTPRequestEntityTooLarge(limit)
        request._read_bytes = body
    return body


async def _arriving(request: web.Request) -> bytes:
    """A body that is under way; not much more of it than the app takes."""
    content, limit = request.content, request.client_max_size
    content.set_read_chunk_size(_WAITING)
    body = BytesIO(bytes(min(request.content_length or 0, _PLACE)))
    while chunk := await content.readany():
        body.write(chunk)
        if limit and body.tell() > limit:
            break
    body.truncate()
    return body.getvalue()  # not a copy


def expect_parsed(request: web.Request, body: bytes) -> None:
    """Have the collector expect what a large body becomes, if it is JSON."""
    if media_type(request._headers.get(hdrs.CONTENT_TYPE)).kind is Kind.JSON:
        expect_for_now(body)
