"""The way of a request into the process: start-up, its place, its body; before any of it is read.

Whether there is a place is decided first, then whether the body is one that is taken here; only
then is a client that waits for it told to send.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from aiohttp.streams import StreamReader
from aiohttp.typedefs import Middleware

from pyfunc.errors import RequestError, UnavailableError
from pyfunc.invoking.admission import Admission
from pyfunc.lifecycle import Lifecycle, Phase

__all__ = ["arrival_middleware"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# A body that makes its place wait longer than that gives it up, until enough of it is here.
_PATIENCE = 1.0
_ENOUGH = 1 << 16

_STARTING = Phase.STARTING
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def arrival_middleware(
    lifecycle: Lifecycle, admission: Admission, max_body: int, *, reads_body: bool
) -> Middleware:
    """Count each request while it is in flight, and let it in when its turn has come.

    Args:
        lifecycle: Counts, and knows when the process is ready.
        admission: Has the places.
        max_body: The largest body, in bytes.
        reads_body: Whether the whole body is read before the function is called.
    """
    enter = _place(admission, reads_body) if admission.places else None

    @web.middleware
    async def arrive(request: web.Request, handler: Handler) -> web.StreamResponse:
        task = lifecycle.enter()
        try:
            if lifecycle.phase is _STARTING:
                await _started(lifecycle, admission.queue_timeout)
            if enter is not None:
                return await enter(request, handler, max_body)
            if not request._payload.is_eof():
                await _take_body(request, max_body)
            return await handler(request)
        except asyncio.CancelledError:
            if not lifecycle.is_cut_off:
                raise
            task.uncancel()
            raise UnavailableError("the server is stopping: try again", reason="stopping") from None
        finally:
            lifecycle.leave(task)

    return arrive


async def _started(lifecycle: Lifecycle, limit: float) -> None:
    if lifecycle.startup is not None:
        await asyncio.wait([lifecycle.startup], timeout=limit)
    if lifecycle.phase is Phase.STARTING:
        raise UnavailableError("the server is still starting: try again", reason="starting")


def _place(
    admission: Admission, reads_body: bool
) -> Callable[[web.Request, Handler, int], Awaitable[web.StreamResponse]]:
    async def in_place(request: web.Request, handler: Handler, max_body: int) -> web.StreamResponse:
        await admission.enter()
        has_place = True
        try:
            if not request.content.is_eof():
                await _take_body(request, max_body)
                if reads_body and not await _has_come(request.content):
                    admission.leave()
                    has_place = False
                    while not await _has_come(request.content):
                        pass
                    await admission.come_back()
                    has_place = True
            return await handler(request)
        finally:
            if has_place:
                admission.leave()

    return in_place


async def _take_body(request: web.Request, max_body: int) -> None:
    """Refuse a body that says that it is too large, or have it sent.

    Raises:
        RequestError: 413.
    """
    length = request.content_length
    if length is not None and length > max_body:
        raise RequestError("the body is larger than is taken here", status=413)
    expected = request.headers.get(hdrs.EXPECT, "").lower()
    if expected == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # as aiohttp does: the answer itself has not begun


async def _has_come(body: StreamReader) -> bool:
    """Whether a body is here, or as much of it as fits before it is read."""
    try:
        async with asyncio.timeout(_PATIENCE) as limit:
            await body.wait_eof()
    except TimeoutError:
        if not limit.expired():
            raise  # the body is late for good
        return body.total_bytes >= _ENOUGH
    return True
