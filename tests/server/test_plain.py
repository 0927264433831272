"""The plain path: limits of heads and the steps of a drain, with aiohttp's own runner."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pyfunc.app import create_app
from pyfunc.errors import StartupError
from pyfunc.function.loader import loaded_from
from pyfunc.lifecycle import LIFECYCLE
from pyfunc.server.plain import PlainRunner, check_response
from pyfunc.settings import Settings

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def running(function: Any = lambda: "text") -> AsyncIterator[PlainRunner]:
    app = create_app(Settings(), loaded_from(function))
    runner = PlainRunner(app, max_head=4096, max_headers=20, read_timeout=30, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def connect(runner: PlainRunner) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*runner.addresses[0])


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="target"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\na: " + b"b" * 5000 + b"\r\n\r\n", id="header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 30 + b"\r\n", id="headers"),
    ],
)
async def test_a_head_beyond_its_limits_is_refused(head: bytes) -> None:
    async with running() as runner:
        reader, writer = await connect(runner)
        writer.write(head)
        assert b" 400 " in await reader.readline()
        writer.close()


async def test_a_drain_closes_idle_connections_and_answers_the_others_first() -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    async def main() -> str:
        entered.set()
        await go.wait()
        return "done"

    async with running(main) as runner:
        idle, busy = await connect(runner), await connect(runner)
        busy[1].write(GET)
        await entered.wait()
        runner.app[LIFECYCLE].drain()
        runner.drain()
        runner.close_idle()
        assert await idle[0].read() == b""
        go.set()
        response = await busy[0].read()
        assert response.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in response
        assert response.endswith(b"done")
        for _, writer in (idle, busy):
            writer.close()


async def test_a_server_that_responds_passes_the_check() -> None:
    async with running() as runner:
        assert runner.server is not None
        await check_response(runner.server)


async def test_a_server_that_does_not_respond_fails_the_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start(self: web.RequestHandler) -> None:
        self.force_close()

    monkeypatch.setattr(web.RequestHandler, "start", start)
    async with running() as runner:
        assert runner.server is not None
        with pytest.raises(StartupError, match=r"^aiohttp/3\S+ does not respond to requests: "):
            await check_response(runner.server)
