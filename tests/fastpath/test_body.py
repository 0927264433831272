"""Bodies as they arrive: whole, in pieces, compressed, too large, broken off."""

import asyncio
import gzip
import os
import tracemalloc
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from aiohttp.typedefs import Handler

from pyfunc.fastpath.body import read_body

Client = TestClient[web.Request, web.Application]
LIMIT = 1000


async def _tell(request: web.Request) -> web.Response:
    body = await read_body(request)
    assert await read_body(request) is body
    assert await request.read() is body
    return web.Response(body=body)


async def _size(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await read_body(request))))


def _app(handler: Handler = _tell, limit: int = LIMIT) -> web.Application:
    app = web.Application(client_max_size=limit)
    app.router.add_route("*", "/", handler)
    return app


@pytest.fixture
async def client(aiohttp_client: Any) -> Client:
    return await aiohttp_client(_app())  # type: ignore[no-any-return]


async def _pieces(octets: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(octets), size):
        yield octets[start : start + size]
        await asyncio.sleep(0)


@pytest.mark.parametrize("size", [0, 1, 7, LIMIT - 1, LIMIT])
async def test_a_body_is_read_whole(client: Client, size: int) -> None:
    body = bytes(range(256))[:size] * (size // 256 + 1)
    body = body[:size]

    whole = await client.post("/", data=body)
    pieces = await client.post("/", data=_pieces(body, 100))

    assert await whole.read() == body
    assert await pieces.read() == body


async def test_a_request_without_a_body_has_an_empty_one(client: Client) -> None:
    response = await client.get("/")

    assert await response.read() == b""


@pytest.mark.parametrize("over", [1, 10, 100_000])
async def test_a_body_that_is_too_large_is_refused(client: Client, over: int) -> None:
    body = bytes(LIMIT + over)

    whole = await client.post("/", data=body)
    pieces = await client.post("/", data=_pieces(body, 400))

    assert [whole.status, pieces.status] == [413, 413]


async def test_a_compressed_body_is_limited_by_what_it_holds(client: Client) -> None:
    headers = {"Content-Encoding": "gzip"}

    small = await client.post("/", data=gzip.compress(bytes(LIMIT)), headers=headers)
    large = await client.post("/", data=gzip.compress(bytes(LIMIT + 1)), headers=headers)

    assert await small.read() == bytes(LIMIT)
    assert large.status == 413


async def test_without_a_limit_everything_is_taken(aiohttp_client: Any) -> None:
    client: Client = await aiohttp_client(_app(limit=0))
    body = bytes(3 * 1024 * 1024)

    response = await client.post("/", data=BytesIO(body))

    assert await response.read() == body


@pytest.mark.parametrize("announced", [True, False])
async def test_there_is_never_twice_the_body(announced: bool) -> None:
    """Memory that is used once more for each body is what large ones cost most."""
    size, piece = 8 << 20, bytes(1 << 16)
    runner = web.AppRunner(_app(_size, limit=size))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0])
    framing = f"Content-Length: {size}" if announced else "Transfer-Encoding: chunked"
    tracemalloc.start()
    try:
        writer.write(f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
        for _ in range(size // len(piece)):
            writer.write(piece if announced else b"10000\r\n%b\r\n" % piece)
            await writer.drain()
        writer.write(b"" if announced else b"0\r\n\r\n")
        answer = await reader.readuntil(str(size).encode())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    writer.close()
    await runner.cleanup()
    assert answer.startswith(b"HTTP/1.1 200")
    assert size < peak < 1.5 * size


async def test_a_body_may_be_larger_or_smaller_than_announced(aiohttp_client: Any) -> None:
    """Compressed, that is; its length is not its own then."""
    client: Client = await aiohttp_client(_app(limit=1 << 20))
    headers = {"Content-Encoding": "gzip"}
    for body in (bytes(1 << 20), os.urandom(1 << 19), b"short"):
        packed = gzip.compress(body)
        response = await client.post("/", data=_pieces(packed, 1000), headers=headers)
        assert await response.read() == body
        announced = {**headers, "Content-Length": str(len(packed))}
        response = await client.post("/", data=BytesIO(packed), headers=announced)
        assert await response.read() == body


async def test_a_body_that_was_read_before_is_the_same(aiohttp_client: Any) -> None:
    async def read_twice(request: web.Request) -> web.Response:
        before = await request.read()
        return web.Response(text=str(await read_body(request) is before))

    client: Client = await aiohttp_client(_app(read_twice))

    response = await client.post("/", data=b"Hello")

    assert await response.text() == "True"


async def test_a_body_that_breaks_off_raises_what_aiohttp_raises() -> None:
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def fail(request: web.Request) -> web.Response:
        try:
            await read_body(request)
        except BaseException as error:
            raised.set_result(error)
        return web.Response()

    runner = web.AppRunner(_app(fail))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHe")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    error = await raised
    await runner.cleanup()
    assert isinstance(error, ConnectionError | web.RequestPayloadError)
