"""Streams over a real socket: the functions wait for what the test sets, never for a time."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from pyfunc.lifecycle import LIFECYCLE
from tests.support.apps import Client, Serve

LATE = 20  # seconds after which a test has failed


class Gates:
    """What a function waits for, and what it tells, in either world."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.thread_go = threading.Event()
        self.closed = asyncio.Event()
        self.asked = 0
        self.loop = asyncio.get_running_loop()

    def open(self) -> None:
        self.go.set()
        self.thread_go.set()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.closed.set)


@pytest.fixture
async def gates() -> Gates:
    return Gates()


def sync_stream(gates: Gates, *chunks: Any) -> Any:
    """Gives the first chunk, and the others once the gate is open."""

    def main() -> Iterator[Any]:
        try:
            for chunk in chunks:
                gates.asked += 1
                yield chunk if not isinstance(chunk, BaseException) else _raise(chunk)
                gates.thread_go.wait(LATE)
        finally:
            gates.close()

    return main


def async_stream(gates: Gates, *chunks: Any) -> Any:
    async def main() -> AsyncIterator[Any]:
        try:
            for chunk in chunks:
                gates.asked += 1
                yield chunk if not isinstance(chunk, BaseException) else _raise(chunk)
                await gates.go.wait()
        finally:
            gates.close()

    return main


def _raise(error: BaseException) -> Any:
    raise error


both = pytest.mark.parametrize("stream", [sync_stream, async_stream], ids=["sync", "async"])


async def in_flight(client: Client, number: int) -> None:
    """Wait until so many invocations are in flight."""
    async with asyncio.timeout(LATE):
        while client.app[LIFECYCLE].in_flight != number:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


@both
async def test_first_chunk_arrives_before_the_end_is_known(
    stream: Any, gates: Gates, serve: Serve
) -> None:
    client = await serve(stream(gates, "one ", "two"))

    response = await client.get("/")
    first = await response.content.readexactly(4)
    gates.open()

    assert (response.status, response.headers["Content-Type"]) == (
        200,
        "text/plain; charset=utf-8",
    )
    assert "Content-Length" not in response.headers
    assert (first, await response.read()) == (b"one ", b"two")


@both
@pytest.mark.parametrize(
    ("chunks", "content_type", "body"),
    [
        pytest.param(("a", "ü"), "text/plain; charset=utf-8", "aü".encode(), id="text"),
        pytest.param((b"\xff", b"\0"), "application/octet-stream", b"\xff\0", id="bytes"),
        pytest.param((bytearray(b"a"), memoryview(b"b")), "application/octet-stream", b"ab"),
        pytest.param(({"a": 1}, [2]), "application/x-ndjson", b'{"a":1}\n[2]\n', id="JSON lines"),
        pytest.param(("", "a", "", "b"), "text/plain; charset=utf-8", b"ab", id="empty chunks"),
        pytest.param(("",), "text/plain; charset=utf-8", b"", id="one empty chunk"),
        pytest.param((), "text/plain; charset=utf-8", b"", id="nothing"),
        pytest.param(("a", b"b", 3), "text/plain; charset=utf-8", b"ab3\n", id="mixed"),
    ],
)
async def test_first_chunk_decides_the_content_type(
    stream: Any,
    chunks: tuple[Any, ...],
    content_type: str,
    body: bytes,
    gates: Gates,
    serve: Serve,
) -> None:
    gates.open()
    client = await serve(stream(gates, *chunks))

    for _ in range(2):  # the connection is good for another request
        response = await client.get("/")

        assert response.headers["Content-Type"] == content_type
        assert await response.read() == body


@both
async def test_failure_before_the_first_chunk_is_a_problem(
    stream: Any, gates: Gates, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(stream(gates, ValueError("secret")))

    response = await client.get("/")

    assert (response.status, response.content_type) == (500, "application/problem+json")
    assert "secret" not in await response.text()
    assert "secret" in caplog.text


@both
@pytest.mark.parametrize("chunk", [object(), "\ud800"], ids=["no JSON", "surrogate"])
async def test_first_chunk_that_cannot_be_sent_is_a_problem(
    stream: Any, chunk: Any, gates: Gates, serve: Serve
) -> None:
    client = await serve(stream(gates, chunk))

    assert (await client.get("/")).status == 500
    await asyncio.wait_for(gates.closed.wait(), LATE)


@both
@pytest.mark.parametrize(
    "failure",
    [ValueError("no"), SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), object()],
    ids=["error", "exit", "interrupt", "cancelled", "no JSON"],
)
async def test_failure_in_mid_stream_closes_the_connection(
    stream: Any, failure: Any, gates: Gates, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(stream(gates, "one ", failure))

    response = await client.get("/")
    await response.content.readexactly(4)
    gates.open()
    with pytest.raises(aiohttp.ClientError):
        await response.read()

    assert "the function failed in mid-stream; the connection is closed" in caplog.text
    assert (await client.get("/")).status == 200


@both
async def test_head_sends_no_chunk_and_closes_the_generator(
    stream: Any, gates: Gates, serve: Serve
) -> None:
    client = await serve(stream(gates, "one", "two"))

    for _ in range(2):
        response = await client.head("/")

        assert (response.status, await response.read()) == (200, b"")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        await asyncio.wait_for(gates.closed.wait(), LATE)
        gates.closed.clear()
    assert gates.asked == 2


@both
async def test_client_that_goes_away_closes_the_generator(
    stream: Any, gates: Gates, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Even while the function produces nothing; a thread closes its generator when it is done."""
    client = await serve(stream(gates, "one ", "two"))

    response = await client.get("/")
    await response.content.readexactly(4)
    response.close()
    if stream is sync_stream:
        await in_flight(client, 0)  # the thread still waits in the function
        gates.thread_go.set()
    await asyncio.wait_for(gates.closed.wait(), LATE)

    assert gates.asked == (2 if stream is sync_stream else 1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@both
async def test_one_chunk_is_held_at_most(stream: Any, gates: Gates, serve: Serve) -> None:
    gates.open()
    large = b"x" * (32 << 20)  # more than the buffers of both sockets take
    client = await serve(stream(gates, large, large, large))

    response = await client.get("/")
    await response.content.readexactly(1 << 20)
    asked = gates.asked
    size = (1 << 20) + len(await response.read())

    assert asked == 1
    assert (size, gates.asked) == (3 * len(large), 3)


@both
async def test_failure_in_closing_is_logged_and_spoils_nothing(
    stream: Any, serve: Serve, gates: Gates, caplog: pytest.LogCaptureFixture
) -> None:
    gates.close = lambda: _raise(ValueError("closing"))  # type: ignore[method-assign]
    client = await serve(stream(gates, "one", "two"))

    assert (await client.head("/")).status == 200
    assert (await client.head("/")).status == 200
    assert "the function failed when its stream was closed" in caplog.text


async def test_generator_that_is_returned_streams_too(serve: Serve) -> None:
    source = """
        def chunks():
            yield "a"
            yield "b"

        async def chunks_of_async():
            yield "c"

        def main(path):
            if path == "/map":
                return map(str, [1, 2])
            if path == "/async":
                return chunks_of_async()
            return chunks(), 201, {"Content-Type": "text/csv"}
    """
    client = await serve(source)

    response = await client.get("/")

    assert (response.status, response.headers["Content-Type"]) == (201, "text/csv")
    assert await response.text() == "ab"
    assert await (await client.get("/map")).text() == "12"
    assert await (await client.get("/async")).text() == "c"


async def test_steps_of_a_sync_generator_share_their_context_variables(serve: Serve) -> None:
    source = """
        from contextvars import ContextVar

        word = ContextVar("word", default="none")

        def main():
            yield word.get()
            word.set("mine")
            yield " "
            yield word.get()
    """
    client = await serve(source, threads=3)

    assert await (await client.get("/")).text() == "none mine"
    assert await (await client.get("/")).text() == "none mine"


async def test_file_streams_and_is_closed(serve: Serve, tmp_path: Any) -> None:
    (tmp_path / "lines.txt").write_bytes(b"one\ntwo\n")
    source = f"""
        opened = []

        def main(path):
            if path == "/closed":
                return opened[0].closed
            opened.append(open({str(tmp_path / "lines.txt")!r}, "rb"))
            return opened[0]
    """
    client = await serve(source)

    assert await (await client.get("/")).read() == b"one\ntwo\n"
    assert await (await client.get("/closed")).json() is True


async def test_http_1_0_client_gets_the_stream_until_the_end_of_the_connection(
    serve: Serve,
) -> None:
    client = await serve("def main():\n    yield 'a'\n    yield 'b'\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")

    answer = await reader.read()
    writer.close()

    assert answer.endswith(b"\r\n\r\nab")
    assert b"chunked" not in answer.lower()
