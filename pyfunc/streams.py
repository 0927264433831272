"""Sends what a generator produces, chunk by chunk, as it comes.

No chunk is asked for before the last one was taken by the connection, so that one chunk is held at
most. A sync generator runs in the thread pool. A failure before the first chunk is an ordinary
error; one in mid-stream closes the connection, so that nobody takes the part for the whole.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import Executor
from contextlib import aclosing
from contextvars import copy_context
from functools import partial
from typing import Any

from aiohttp import web

from pyfunc.errors import ReplyError
from pyfunc.payload import dump_json
from pyfunc.replies import Stream

__all__ = ["SENT", "Sent", "collected", "send"]

logger = logging.getLogger("pyfunc")

_END = object()


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


async def send(stream: Stream, request: web.Request, executor: Executor) -> web.StreamResponse:
    """Send the answer's head with its first chunk, then every other chunk."""
    chunks = _chunks(stream.chunks, executor)
    try:
        first = await anext(chunks, _END)
        response = _head(stream, first)
        response[SENT] = sent = Sent()
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            await _write(response, first, chunks, sent)
        except ConnectionError:
            sent.error = asyncio.CancelledError()
            logger.debug("the client went away in mid-stream")
        except asyncio.CancelledError:
            _break_off(request)
            raise
        except Exception as error:
            sent.error = error
            logger.exception("the function failed in mid-stream; the connection is closed")
            _break_off(request)
        return response
    finally:
        await chunks.aclose()


async def collected(chunks: Any, executor: Executor) -> list[Any]:
    """Everything that a generator produces."""
    return [chunk async for chunk in _chunks(chunks, executor)]


async def _write(
    response: web.StreamResponse, first: Any, chunks: AsyncIterator[Any], sent: Sent
) -> None:
    if first is _END:
        return
    await response.write(octets := _octets(first))
    sent.bytes += len(octets)
    async for chunk in chunks:
        if octets := _octets(chunk):
            await response.write(octets)
            sent.bytes += len(octets)


def _break_off(request: web.Request) -> None:
    """End the connection without the chunk that would say that the body is whole."""
    if request.transport is not None:
        request.transport.abort()


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


async def _chunks(chunks: Any, executor: Executor) -> AsyncGenerator[Any, None]:
    if isinstance(chunks, AsyncIterator):
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            if (close := getattr(chunks, "aclose", None)) is not None:
                await close()
        return
    async with aclosing(_in_threads(chunks, executor)) as steps:
        async for chunk in steps:
            yield chunk


async def _in_threads(chunks: Iterator[Any], executor: Executor) -> AsyncGenerator[Any, None]:
    """A sync iterator, one step at a time in a thread, always with the same context variables."""
    loop = asyncio.get_running_loop()
    context = copy_context()
    step = partial(context.run, next, chunks, _END)
    try:
        while (chunk := await loop.run_in_executor(executor, step)) is not _END:
            yield chunk
    finally:
        if (close := getattr(chunks, "close", None)) is not None:
            # The function's own clean-up is not lost when the request is cancelled meanwhile.
            await asyncio.shield(loop.run_in_executor(executor, close))
