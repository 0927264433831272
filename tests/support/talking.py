"""A client that holds one conversation after the other over HTTP/1.1, and checks each response.

Bytes are written and read as they are, without a library for HTTP.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Client", "Conversation", "Piece", "Request", "Response", "WrongResponseError", "short"]

# What a client that goes away has not written by then, it does not write.
_WRITING = 0.05


class Response(NamedTuple):
    """A response, as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.status} {dict(self.headers)} {short(self.body)}"


class WrongResponseError(AssertionError):
    """A response is not the one to its request, or is missing."""


@dataclass(frozen=True)
class Request:
    """A request, and what its response has to be."""

    head: bytes
    body: bytes
    """As it is on the wire."""
    check: Callable[[Response], None]
    is_head: bool = False
    waits_for_continue: bool = False
    may_be_last: bool = False
    """Whether the server may close the connection with its response, and nothing is sent before
    that: it does so where the parser would mix up trailer fields and the next request."""


Piece = bytes | tuple[str, int]
"""Bytes to write, or what to wait for: `continue` or `response`, and the number of the request."""


@dataclass
class Conversation:
    """What one connection sends, in steps, and how it ends."""

    requests: list[Request]
    pieces: list[Piece]
    ending: str
    """`keep`, `close`, `garbage`, or `abort`."""
    responses: int
    """How many responses are read."""
    resets: bool = False


@dataclass
class Client:
    """Holds conversations with a server, and counts.

    Args:
        port: The server's.
    """

    port: int
    conversations: int = 0
    responses: int = 0
    aborted: int = 0
    ids: set[str] = field(default_factory=set)

    async def hold(self, plan: Conversation, seconds: float) -> None:
        """Hold one conversation.

        Raises:
            WrongResponseError: A response is wrong or late.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._hold(plan)
        except TimeoutError:
            raise WrongResponseError(f"no response within {seconds:g} s") from None
        self.conversations += 1

    async def _hold(self, plan: Conversation) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        reached = {
            (what, index): asyncio.Event()
            for what in ("continue", "response")
            for index in range(len(plan.requests))
        }
        writing = asyncio.create_task(_write(plan.pieces, writer, reached))
        try:
            for index, request in enumerate(plan.requests[: plan.responses]):
                try:
                    response = await _read(reader, request.is_head, reached["continue", index].set)
                except (OSError, EOFError, AssertionError, LookupError, ValueError) as error:
                    raise WrongResponseError(_explanation(plan, index, error)) from error
                try:
                    self._check(request, response)
                except (AssertionError, LookupError, ValueError) as error:
                    explanation = f"{_explanation(plan, index, error)}\nreceived: {response}"
                    raise WrongResponseError(explanation) from error
                if request.may_be_last and response.headers.get("connection") == "close":
                    return await _end(plan, index, reader)
                reached["continue", index].set()
                reached["response", index].set()
            if plan.ending == "abort":
                await asyncio.wait([writing], timeout=_WRITING)
                self.aborted += 1
                _abort(writer, plan.resets)
            elif plan.ending != "keep":
                await _end(plan, len(plan.requests), reader)
        finally:
            writing.cancel()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _check(self, request: Request, response: Response) -> None:
        request.check(response)
        id = response.headers["x-request-id"]
        assert id not in self.ids, f"another request had the id {id}"
        self.ids.add(id)
        self.responses += 1


async def _end(plan: Conversation, index: int, reader: asyncio.StreamReader) -> None:
    """Read the end of a connection; after all of the requests, the response to garbage, too."""
    try:
        if plan.ending == "garbage" and index == len(plan.requests):
            response = await _read(reader, False, lambda: None)
            assert response.status == 400, f"garbage met {response}"
        rest = await reader.read()
        assert not rest, f"{short(rest)} followed"
    except (OSError, EOFError, AssertionError) as error:
        last = min(index, len(plan.requests) - 1)
        raise WrongResponseError(_explanation(plan, last, error)) from error


async def _write(
    pieces: Iterable[Piece],
    writer: asyncio.StreamWriter,
    reached: Mapping[tuple[str, int], asyncio.Event],
) -> None:
    with suppress(ConnectionError):  # the reader says what is missing
        for piece in pieces:
            if isinstance(piece, tuple):
                await reached[piece].wait()
            else:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)


def _abort(writer: asyncio.StreamWriter, resets: bool) -> None:
    if resets:
        linger = struct.pack("ii", 1, 0)
        with suppress(OSError):  # the server has closed the connection
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _read(
    reader: asyncio.StreamReader, is_head: bool, may_continue: Callable[[], None]
) -> Response:
    while True:
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode().split("\r\n")
        protocol, status, *_ = first.split(" ")
        assert protocol.startswith("HTTP/1."), f"a response begins with {first!r}"
        if status != "100":
            break
        may_continue()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    if is_head or status == "204":
        pass
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        assert await reader.readexactly(2) == b"\r\n", "the last chunk has no end"
    else:
        body = await reader.readexactly(int(headers["content-length"]))
    return Response(int(status), headers, body)


def _explanation(plan: Conversation, index: int, fault: object) -> str:
    request = plan.requests[index]
    reason = f"{type(fault).__name__}: {fault}" if isinstance(fault, Exception) else fault
    return (
        f"request {index + 1} of {len(plan.requests)}, ending {plan.ending!r}: {reason}\n"
        f"sent: {short(request.head)} and {len(request.body)} bytes"
    )


def short(value: str | bytes) -> str:
    """Show a value, without what makes it long."""
    return repr(value if len(value) <= 600 else value[:600])
