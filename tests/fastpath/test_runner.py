"""All connections together: where they begin, how a drain ends them, what is logged."""

import asyncio
import logging
import socket

import pytest
from aiohttp import web

from tests.support.sockets import Peer, serving, until


async def test_connect_and_close_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        peer = await server.peer()
        await until(lambda: bool(server.connections.connections))
        peer.writer.close()
        await until(lambda: not server.connections.connections)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_keep_alive_0_ends_each_connection_with_its_first_answer() -> None:
    async with serving(keepalive_timeout=0) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[1]["connection"] == "close"
        assert await peer.is_closed()


class TestDrain:
    async def test_each_answer_is_the_last_one_of_its_connection(self) -> None:
        go = asyncio.Event()

        async def waits(_: web.Request) -> web.Response:
            await go.wait()
            return web.Response()

        get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        async with serving(waits) as server:
            under_way, kept = await server.peer(get), await server.peer()
            await until(lambda: server.busy == 1)
            server.connections.drain()
            go.set()
            kept.send(get)
            new = await server.peer(get)
            for peer in (under_way, kept, new):
                assert (await peer.answer())[1]["connection"] == "close"
                assert await peer.is_closed()
            await until(lambda: not server.connections.connections)

    async def test_idle_connections_close_and_busy_ones_stay(self) -> None:
        async with serving() as server:
            idle, half = await server.peer(), await server.peer(b"GET / HTTP/1.1\r\n")
            await until(lambda: server.busy == 1)
            server.connections.drain()
            server.connections.close_idle()
            assert await idle.is_closed()
            half.send(b"Host: a\r\n\r\n")
            assert (await half.answer())[0] == 200
            await until(lambda: not server.connections.connections)

    async def test_a_stream_begun_before_the_drain_ends_its_connection_too(self) -> None:
        """Its head has said that more requests may come."""
        go = asyncio.Event()

        async def streams(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "4"})
            await response.prepare(request)
            await go.wait()
            await response.write(b"done")
            return response

        async with serving(streams) as server:
            peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await peer.reader.readuntil(b"\r\n\r\n")
            server.connections.drain()
            server.connections.close_idle()
            go.set()
            assert await peer.reader.readexactly(4) == b"done"
            await until(lambda: not server.connections.connections)
            assert await peer.is_closed()

    async def test_a_request_that_follows_the_last_one_closely_is_answered(self) -> None:
        get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        async with serving() as server:
            peer = await server.peer(get)
            await peer.answer()
            server.connections.drain()
            server.connections.close_idle()
            await (await server.peer(get)).answer()
            peer.send(get)
            assert (await peer.answer())[1]["connection"] == "close"
            await until(lambda: not server.connections.connections)

    async def test_a_connection_accepted_before_and_made_after_the_drain_began_ends_too(
        self,
    ) -> None:
        """Its protocol exists by then, and is not among the connections yet."""
        async with serving() as server:
            protocols = [server.connections(), server.connections()]
            server.connections.drain()
            server.connections.close_idle()
            peers = [await self.connected(protocol) for protocol in protocols]
            server.peers += peers
            peers[0].send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await peers[0].answer())[1]["connection"] == "close"
            assert await peers[1].is_closed()
            await until(lambda: not server.connections.connections)

    async def connected(self, protocol: asyncio.BaseProtocol) -> Peer:
        here, there = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, there)
        return Peer(*await asyncio.open_connection(sock=here))


async def test_the_access_log_of_aiohttp_can_be_had(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(access_log=logging.getLogger("seen")) as server:
        peer = await server.peer(b"GET /path HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[0] == 200
    [record] = [record for record in caplog.records if record.name == "seen"]
    assert '"GET /path HTTP/1.1" 200' in record.getMessage()
