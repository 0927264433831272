"""Handlers served by the fast path in this process, and clients that send bytes as they are."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from aiohttp import web

from pyfunc.fastpath.connection import Connection
from pyfunc.fastpath.runner import Connections, FastRunner

__all__ = ["Peer", "Serving", "serving", "until"]

Handler = Callable[[web.Request], Any]


class Peer:
    """A client that sends bytes as they are given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One answer, whose end the Content-Length tells."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    async def is_closed(self) -> bool:
        return await self.reader.read() == b""


class Serving:
    """A handler behind a runner of ours, in this process."""

    def __init__(self, runner: FastRunner, port: int) -> None:
        self.runner = runner
        self.port = port
        self.peers: list[Peer] = []

    @property
    def connections(self) -> Connections:
        assert isinstance(self.runner.server, Connections)
        return self.runner.server

    @property
    def busy(self) -> int:
        """How many connections have a request in progress, or a part of one."""
        connections = cast("list[Connection]", self.connections.connections)
        return sum(not connection.is_idle for connection in connections)

    async def peer(self, octets: bytes = b"") -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port))
        peer.send(octets)
        self.peers.append(peer)
        return peer

    async def close(self) -> None:
        for peer in self.peers:
            peer.writer.close()
            with suppress(ConnectionError):
                await peer.writer.wait_closed()
        await self.runner.cleanup()


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


@asynccontextmanager
async def serving(handler: Handler = hello, **options: Any) -> AsyncIterator[Serving]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    limits = {"read_timeout": 30.0, "keepalive_timeout": 60.0, "max_head": 4096, "max_headers": 20}
    runner = FastRunner(app, **{"access_log": None, "shutdown_timeout": 0.1, **limits, **options})
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = Serving(runner, runner.addresses[0][1])
    try:
        yield server
    finally:
        await server.close()


async def until(reached: Callable[[], bool]) -> None:
    """Let the loop run until something has happened."""
    while not reached():  # noqa: ASYNC110 - what happens has no event to wait for
        await asyncio.sleep(0.001)
