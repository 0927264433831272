"""A short run of the random pipelining test, and faults that it has to notice."""

import asyncio
import json
from itertools import count
from random import Random

import pytest

from tests.stress import new_seed, stress
from tests.support.conversations import conversation
from tests.support.talking import Client, Conversation, WrongResponseError


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("--plain",)], ids=["fast path", "plain path"])
def test_random_pipelined_requests_have_the_right_responses(arguments: tuple[str, ...]) -> None:
    lines: list[str] = []

    stress(3, 40, new_seed(), arguments, lines.append)

    assert lines[-1].startswith("no wrong response")


_REPORT = {"token": "other", "before": "", "after": "other", "id": "1", "size": 0, "sum": 0}


def _response(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nX-Request-Id: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        pytest.param(b"", "IncompleteReadError", id="none"),
        pytest.param(_response("500 No", b""), "the status is not 200", id="status"),
        pytest.param(
            _response("200 OK", json.dumps(_REPORT).encode()), "the function saw", id="token"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", "KeyError", id="no length"),
        pytest.param(b"what? 1\r\n\r\n", "a response begins with", id="no response"),
    ],
)
async def test_wrong_response_is_explained(octets: bytes, reason: str) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(octets)
        writer.close()

    plan = _plan()
    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(WrongResponseError, match=reason) as caught:
            await Client(port).hold(plan, 10)

    assert str(caught.value).startswith("request 1 of ")
    assert repr(plan.requests[0].head) in str(caught.value)


async def test_response_that_never_comes_is_wrong() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(WrongResponseError, match=r"^no response within 0\.1 s$"):
            await Client(port).hold(_plan(), 0.1)


def test_same_seed_makes_the_same_conversation() -> None:
    one, same, other = (conversation(Random(seed), "sync HTTP") for seed in (1, 1, 2))  # noqa: S311

    assert one.pieces == same.pieces
    assert one.pieces != other.pieces


def _plan() -> Conversation:
    """Find a conversation that begins with a simple GET, whose response is read."""
    for seed in count():
        plan = conversation(Random(seed), "sync HTTP")  # noqa: S311
        head = plan.requests[0].head
        if plan.responses and head.startswith(b"GET") and b"X-Request-Id" not in head:
            return plan
    raise AssertionError
