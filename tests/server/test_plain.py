"""The plain path: a drain through aiohttp's public API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pyfunc.app import create_app
from pyfunc.function.loader import loaded_from
from pyfunc.server import plain
from pyfunc.server.plain import PlainRunner
from pyfunc.settings import Settings

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A function on the plain path, and connections to it."""

    def __init__(self, runner: PlainRunner) -> None:
        self.runner = runner
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Streams:
        reader, writer = await asyncio.open_connection(*self.runner.addresses[0])
        self._writers.append(writer)
        return reader, writer

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def served(function: Callable[..., Any]) -> AsyncIterator[Served]:
    app = create_app(Settings(), loaded_from(function))
    runner = PlainRunner(app, max_head=8190, max_headers=100, read_timeout=0, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = Served(runner)
    try:
        yield server
    finally:
        server.close()
        await runner.cleanup()


async def response(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    return await reader.readexactly(int(length.partition(b":")[2]))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "_GRACE", 0)


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param(b"", False, id="never used"),
        pytest.param(GET, True, id="used"),
        pytest.param(GET[:9], False, id="half a head"),
    ],
)
async def test_a_drain_closes_idle_connections(sent: bytes, answered: bool) -> None:
    async with served(lambda: "hello") as server:
        reader, writer = await server.connect()
        writer.write(sent)
        if answered:
            assert await response(reader) == b"hello"
        else:  # by another connection, so that the server has seen this one
            others, other = await server.connect()
            other.write(GET)
            await response(others)
        server.runner.close_idle()
        assert await reader.read() == b""


async def test_a_drain_leaves_a_request_in_progress_its_response() -> None:
    began, end = asyncio.Event(), asyncio.Event()

    async def main() -> str:
        began.set()
        await end.wait()
        return "done"

    async with served(main) as server:
        idle, _ = await server.connect()
        busy, writer = await server.connect()
        writer.write(GET)
        await began.wait()
        server.runner.close_idle()
        assert await idle.read() == b""
        end.set()
        assert await response(busy) == b"done"
        assert await busy.read() == b""


async def test_a_drain_leaves_a_slow_client_the_rest_of_its_response() -> None:
    size = 50_000_000  # more than the buffers of both sides hold
    async with served(lambda: b"x" * size) as server:
        idle, _ = await server.connect()
        slow, writer = await server.connect()
        writer.write(GET)
        await slow.readuntil(b"\r\n\r\n")
        server.runner.close_idle()
        assert await idle.read() == b""
        assert len(await slow.read()) == size
