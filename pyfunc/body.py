"""Reads the body of a request: what `request.read()` gives, for less.

aiohttp collects a body in a `bytearray`, copies that, and asks once more for the end. Most bodies
are there, whole, when their request is: those are taken as they are. Others are joined, once.
"""

from aiohttp import web

__all__ = ["read_body"]


async def read_body(request: web.Request) -> bytes:
    """The whole body; `request.read()` gives the same one, before and after.

    Raises:
        web.HTTPRequestEntityTooLarge: It is larger than the app takes.
        Exception: Whatever broke it off, as `request.read()` raises it.
    """
    body = request._read_bytes
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
    if limit:
        content.set_read_chunk_size(limit)  # fewer pauses, as in `request.read()`
    chunks: list[bytes] = []
    size = 0
    while chunk := await content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if limit and size > limit:
            break
    return b"".join(chunks)
