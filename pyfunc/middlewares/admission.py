"""Admission: count each request while it is in flight, and let it in when a place is free.

The place is decided first, then the announced size of the body; only then is a client that waits
for `100 Continue` asked to send it.
"""

import asyncio
import sys
from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from aiohttp.streams import StreamReader
from aiohttp.typedefs import Handler, Middleware

from pyfunc.errors import RequestError, UnavailableError
from pyfunc.invoking.admission import Admission, Place
from pyfunc.invoking.forks import PROCESS
from pyfunc.invoking.observers import note_admission
from pyfunc.invoking.user_code import uncancelled
from pyfunc.lifecycle import Lifecycle, Phase

__all__ = ["CONTINUED", "admission"]

CONTINUED: web.RequestKey[bool] = web.RequestKey("pyfunc_continued", bool)
"""Whether the client was asked for the body that it holds back."""


# A request whose body is late by this many seconds gives its place up, until enough has arrived.
_PATIENCE = 1.0
_ENOUGH = 1 << 16

_STARTING = Phase.STARTING
_ENDING = (Phase.DRAINING, Phase.STOPPED)
_CLOSE: Mapping[str, str] = MappingProxyType({"Connection": "close"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def admission(
    lifecycle: Lifecycle,
    places: Admission,
    max_body: int,
    *,
    reads_body: bool,
    is_observed: bool = False,
) -> Middleware:
    """Make the middleware that admits requests.

    Args:
        lifecycle: Counts requests in flight, and knows when the process is ready.
        places: The limit of concurrent invocations, and the queue.
        max_body: The largest body, in bytes.
        reads_body: Whether the whole body is read before the function is called.
        is_observed: Whether observers want the moment of the admission.
    """

    async def enter(request: web.Request, handler: Handler) -> web.StreamResponse:
        async with Place(places):
            body = request.content
            if not body.is_eof():
                await _expect_body(request, max_body)
            if not reads_body or body.is_eof() or await _has_arrived(body):
                return await handler(request)
        while not await _has_arrived(body):
            pass
        async with Place(places, returns=True):
            return await handler(request)

    is_limited = bool(places.places)

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        task = lifecycle.enter()
        try:
            if lifecycle.phase is _STARTING:
                await _started(lifecycle, places.queue_timeout)
            if request.method == "CONNECT" or hdrs.TRANSFER_ENCODING in request.headers:
                _refuse_unknown(request)
            if request.client_max_size != max_body:
                request = _limited(request, max_body)
            if is_limited:
                return await enter(request, handler)
            if not request.content.is_eof():
                await _expect_body(request, max_body)
            return await handler(request)
        except asyncio.CancelledError as error:
            if lifecycle.is_cut_off:
                task.uncancel()
                raise _stopping() from None
            if request.transport is None or lifecycle.phase in _ENDING:
                raise  # the client has left, or the server around the application has stopped
            raise uncancelled(error) from error
        finally:
            lifecycle.leave(task)
            if PROCESS.is_child:
                PROCESS.end_child(sys.exception())

    return _observed(admit) if is_observed else admit


def _stopping() -> UnavailableError:
    return UnavailableError("the server is stopping: try again", reason="stopping")


def _observed(admit: Middleware) -> Middleware:
    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        async def admitted(request: web.Request) -> web.StreamResponse:
            note_admission(request)
            return await handler(request)

        return await admit(request, admitted)

    return observe


async def _started(lifecycle: Lifecycle, limit: float) -> None:
    if lifecycle.startup is not None:
        await asyncio.wait([lifecycle.startup], timeout=limit)
    if lifecycle.phase is Phase.STARTING:
        raise UnavailableError("the server is still starting: try again", reason="starting")


def _refuse_unknown(request: web.Request) -> None:
    """Refuse tunnels (RFC 9110, section 9.3.6) and transfer codings that nobody undoes.

    Raises:
        RequestError: 501; the bytes that follow are no request (RFC 9112, section 6.1).
    """
    if request.method == "CONNECT":
        raise RequestError(
            "CONNECT is not supported: this server is no proxy", status=501, headers=_CLOSE
        )
    codings = request.headers.getall(hdrs.TRANSFER_ENCODING)
    if ",".join(codings).strip().lower() != "chunked":
        raise RequestError(
            "the Transfer-Encoding is not supported: expected chunked", status=501, headers=_CLOSE
        )


def _limited(request: web.Request, max_body: int) -> web.Request:
    """The request with our limit of its body, where an application around ours has another one."""
    try:
        return request.clone(client_max_size=max_body)
    except RuntimeError:  # a middleware of that application has read the body
        return request


async def _expect_body(request: web.Request, max_body: int) -> None:
    """Refuse a body whose announced size is too large; ask a waiting client for any other.

    Raises:
        RequestError: 413.
    """
    length = request.content_length
    if length is not None and length > max_body:
        raise RequestError("the body is larger than is taken here", status=413)
    expected = request.headers.get(hdrs.EXPECT, "").lower()
    if expected == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(_CONTINUE)
        request[CONTINUED] = True
        request.writer.output_size = 0  # as aiohttp does: the answer itself has not begun


async def _has_arrived(body: StreamReader) -> bool:
    """Wait a little for a body, or for as much of it as fits before it is read."""
    try:
        async with asyncio.timeout(_PATIENCE) as limit:
            await body.wait_eof()
    except TimeoutError:
        if not limit.expired():
            raise  # the body is late for good
        return body.total_bytes >= _ENOUGH
    return True
