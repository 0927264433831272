"""Sends what a generator produces, chunk by chunk, as it comes.

No chunk is asked for before the last one was taken by the connection, so that one chunk is held at
most. A sync generator runs in the thread pool. A failure before the first chunk is an ordinary
error; one in mid-stream closes the connection, so that nobody takes the part for the whole.
"""

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http import HttpVersion11

from pyfunc.cloudevents.json_text import dump_json
from pyfunc.errors import ReplyError
from pyfunc.invoking.results import Stream
from pyfunc.invoking.threads import Threads
from pyfunc.invoking.user_code import awaited, run_in
from pyfunc.invoking.wire import has_body

__all__ = ["SENT", "Sent", "break_off", "collected", "send"]

logger = logging.getLogger("pyfunc")

_END = object()
_RESET = struct.pack("ii", 1, 0)
_LOOK_EVERY = 0.5  # seconds between looks at whether a client is still there


class Sent:
    """How far a stream has come.

    Attributes:
        bytes: The size of what was sent of the body.
        error: What ended it in mid-stream.
    """

    __slots__ = ("bytes", "error")

    def __init__(self) -> None:
        self.bytes = 0
        self.error: BaseException | None = None


SENT: web.ResponseKey[Sent] = web.ResponseKey("pyfunc_sent", Sent)


async def send(
    stream: Stream, request: web.Request, threads: Threads, context: Context | None = None
) -> web.StreamResponse:
    """Send a streamed response: its head with the first chunk, then every other chunk.

    Args:
        stream: The response.
        request: The request that it answers.
        threads: Run the steps of a sync generator.
        context: The context of the call that made the generator, where it has one of its own.
    """
    chunks = _chunks(stream.chunks, threads, context)
    try:
        first = await anext(chunks, _END)
        octets = b"" if first is _END else _octets(first)
        response = _head(stream, first)
        response[SENT] = Sent()
        await response.prepare(request)
        if has_body(request.method, response.status):
            await _send_body(response, octets, chunks, request)
        return response
    finally:
        await _close(chunks)


async def _send_body(
    response: web.StreamResponse,
    first: bytes,
    chunks: AsyncIterator[Any],
    request: web.Request,
) -> None:
    sent = response[SENT]
    try:
        with _while_client_stays(request):
            await _write(response, first)
            async for chunk in chunks:
                if octets := _octets(chunk):
                    await _write(response, octets)
    except _ClientGoneError:
        sent.error = asyncio.CancelledError()
        logger.debug("the client went away in mid-stream")
    except asyncio.CancelledError:
        break_off(request)
        raise
    except Exception as error:  # of the function, a `ConnectionError` too
        sent.error = error
        logger.exception("the function failed in mid-stream; the connection is closed")
        break_off(request)


class _ClientGoneError(Exception):
    """The client has left, and not a peer of the function's own."""


async def _write(response: web.StreamResponse, octets: bytes) -> None:
    try:
        await response.write(octets)
    except ConnectionError as error:
        raise _ClientGoneError from error
    response[SENT].bytes += len(octets)


async def _close(chunks: AsyncGenerator[Any, None]) -> None:
    """Close what the function has left open; the answer is on its way already."""
    try:
        await chunks.aclose()
    except Exception:
        logger.exception("the function failed when its stream was closed")


async def collected(chunks: Any, threads: Threads, context: Context | None = None) -> list[Any]:
    """Collect all that a generator produces, in the context of its call."""
    async with aclosing(_chunks(chunks, threads, context)) as produced:
        return [chunk async for chunk in produced]


@contextmanager
def _while_client_stays(request: web.Request) -> Iterator[None]:
    """End the block when the client goes away, even while the function produces nothing.

    aiohttp (3.14) tells nobody; it only takes the transport away.

    Raises:
        _ClientGoneError: The client has left.
    """
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    is_gone = False
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal is_gone, timer
        if request.transport is not None:
            timer = loop.call_later(_LOOK_EVERY, look)
        elif task is not None:
            is_gone = True
            task.cancel()

    timer = loop.call_later(_LOOK_EVERY, look)
    try:
        yield
    except asyncio.CancelledError:
        if not is_gone or task is None or task.uncancel():
            raise
        raise _ClientGoneError from None
    finally:
        timer.cancel()


def break_off(request: web.Request) -> None:
    """End the connection so that the client sees that the body is incomplete (RFC 9112, section 8).

    Without the last chunk, or all the bytes that were announced. A body that ends with its
    connection, as for HTTP/1.0, is broken off by a reset.
    """
    transport = request.transport
    if transport is None:
        return
    if request.version < HttpVersion11 and (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def _head(stream: Stream, first: Any) -> web.StreamResponse:
    response = web.StreamResponse(
        status=stream.status, reason=stream.reason, headers=stream.headers
    )
    if "Content-Type" not in stream.headers:
        text = isinstance(first, str) or first is _END
        response.headers["Content-Type"] = (
            "text/plain; charset=utf-8" if text else _other_type(first)
        )
    return response


def _other_type(first: Any) -> str:
    octets = isinstance(first, bytes | bytearray | memoryview)
    return "application/octet-stream" if octets else "application/x-ndjson"


def _octets(chunk: Any) -> bytes:
    """Bytes as they are, text in UTF-8, anything else as a line of JSON."""
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    if isinstance(chunk, str):
        try:
            return chunk.encode()
        except UnicodeEncodeError:
            raise ReplyError("the text holds surrogates, which UTF-8 cannot") from None
    return dump_json(chunk) + b"\n"


async def _chunks(
    chunks: Any, threads: Threads, context: Context | None
) -> AsyncGenerator[Any, None]:
    context = context or copy_context()
    source = (
        _OnLoop(chunks, context)
        if isinstance(chunks, AsyncIterator)
        else _InThreads(chunks, threads, context)
    )
    try:
        while (chunk := await source.next()) is not _END:
            yield chunk
    finally:
        await source.close()


class _OnLoop:
    """An async iterator of the function's, one step at a time in the context of its call."""

    def __init__(self, chunks: AsyncIterator[Any], context: Context) -> None:
        self._chunks = chunks
        self._context = context

    async def next(self) -> Any:
        return await run_in(self._context, self._step())

    async def close(self) -> None:
        if (close := getattr(self._chunks, "aclose", None)) is not None:
            await run_in(self._context, awaited(close()))

    async def _step(self) -> Any:
        return await awaited(anext(self._chunks, _END))


class _InThreads:
    """A sync iterator, one step at a time in a thread, always with the same context variables.

    A step cannot be stopped: where the stream ends meanwhile, its thread closes the iterator.
    """

    def __init__(self, chunks: Iterator[Any], threads: Threads, context: Context) -> None:
        self._chunks = chunks
        self._threads = threads
        self._context = context
        self._lock = threading.Lock()
        self._is_stepping = self._is_closed = False

    async def next(self) -> Any:
        return await self._threads.run(partial(self._context.run, self._step))

    async def close(self) -> None:
        if getattr(self._chunks, "gi_frame", self) is None:
            return  # a generator that has come to its end
        # The function's own clean-up is not lost when the request is cancelled meanwhile.
        await asyncio.shield(self._threads.run(self._end))

    def _step(self) -> Any:
        with self._lock:
            if self._is_closed:
                return _END
            self._is_stepping = True
        try:
            return next(self._chunks, _END)
        finally:
            with self._lock:
                self._is_stepping = False
                is_closed = self._is_closed
            if is_closed:
                self._close()

    def _end(self) -> None:
        with self._lock:
            self._is_closed = True
            is_stepping = self._is_stepping
        if not is_stepping:  # else the context is in use, too
            self._context.run(self._close)

    def _close(self) -> None:
        if (close := getattr(self._chunks, "close", None)) is not None:
            close()
