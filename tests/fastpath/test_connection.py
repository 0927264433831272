"""Connections over real sockets: what is refused, what is timed, what a drain says."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
from aiohttp import web

from pyfunc.fastpath.connection import Connection
from pyfunc.fastpath.runner import Connections, FastRunner

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


REFUSED = [
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2 preface"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret\r\n\r\n", 400, id="TLS"),
    pytest.param(b"secret\r\n\r\n", 400, id="no request line"),
    pytest.param(b"GET /secret HTTP/9.9\r\n\r\n", 400, id="unknown version"),
    pytest.param(b"GET /secret HTTP/1.1\r\n\r\n", 400, id="no host"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nsec ret: b\r\n\r\n", 400, id="bad header name"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\na: sec\x00ret\r\n\r\n", 400, id="bad value"),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: secret\r\n\r\n", 400, id="bad length"
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        id="two lengths",
    ),
    pytest.param(b"GET /" + b"secret" * 1000 + b" HTTP/1.1\r\n", 431, id="long target"),
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: a\r\na: " + b"secret" * 1000 + b"\r\n", 431, id="long header"
    ),
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: secret\r\n" * 30 + b"\r\n", 431, id="many headers"
    ),
]


@pytest.mark.parametrize(("octets", "status"), REFUSED)
async def test_what_is_no_request_is_answered_without_an_echo_and_leaves_one_debug_line(
    octets: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        peer = await server.peer(octets)
        got, headers, body = await peer.answer()
        assert await peer.is_closed()
    document = json.loads(body)
    assert (got, document["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert b"secret" not in body
    records = [record for record in caplog.records if record.name != "asyncio"]
    assert [(r.levelname, r.exc_info) for r in records] == [("DEBUG", None)]
    assert "secret" not in records[0].getMessage()


async def test_a_head_that_grows_too_large_piece_by_piece_is_refused() -> None:
    async with serving() as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(3):
            peer.send(b"a: " + b"x" * 1500 + b"\r\n")
            await peer.writer.drain()
            await asyncio.sleep(0)
        status, _, _ = await peer.answer()
        assert status == 431
        assert await peer.is_closed()


async def test_connect_and_close_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        peer = await server.peer()
        await until(lambda: bool(server.connections.connections))
        peer.writer.close()
        await until(lambda: not server.connections.connections)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize(
    "part", [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"], ids=["one byte", "half a head"]
)
async def test_a_head_that_does_not_arrive_in_time_is_answered_408(part: bytes) -> None:
    async with serving(read_timeout=0.05) as server:
        peer = await server.peer(part)
        status, headers, body = await peer.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert json.loads(body)["detail"] == "the head of the request did not arrive in time"
        assert await peer.is_closed()


async def test_a_client_that_sends_byte_after_byte_gains_no_time() -> None:
    async with serving(read_timeout=0.2) as server:
        peer = await server.peer()

        async def drip() -> None:
            for octet in b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"x" * 1000:
                peer.send(bytes([octet]))
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        status, _, _ = await peer.answer()
        assert status == 408
        assert not dripping.done()
        dripping.cancel()


async def time_is_up(server: Serving) -> None:
    """Wait for the read timeout of a request that begins to arrive now."""
    peer = await server.peer(b"G")
    assert (await peer.answer())[0] == 408


async def test_a_connection_that_has_sent_nothing_is_not_timed_as_a_request() -> None:
    async with serving(read_timeout=0.02) as server:
        peer = await server.peer()
        await until(lambda: bool(server.connections.connections))
        await time_is_up(server)
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[0] == 200


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def slow_body_told(request: web.Request) -> web.Response:
    try:
        return await echo(request)
    except TimeoutError as error:
        return web.Response(status=408, text=str(error))


@pytest.mark.parametrize("sent", [b"", b"part"], ids=["nothing", "part"])
async def test_a_body_that_does_not_arrive_in_time_fails_its_reader(sent: bytes) -> None:
    async with serving(slow_body_told, read_timeout=0.05) as server:
        peer = await server.peer(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n" + sent)
        status, headers, body = await peer.answer()
        assert (status, body) == (408, b"the body did not arrive in time")
        assert headers["connection"] == "close"
        assert await peer.is_closed()


async def test_a_body_earns_time_with_what_has_arrived() -> None:
    async with serving(echo, read_timeout=0.1) as server:
        peer = await server.peer(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\n\r\n")
        peer.send(b"x" * 16383)
        await until(lambda: server.busy == 1)
        await time_is_up(server)
        peer.send(b"x")
        assert (await peer.answer())[0] == 200


async def test_a_body_that_waits_for_its_handler_is_not_the_clients_fault() -> None:
    go = asyncio.Event()

    async def late_reader(request: web.Request) -> web.Response:
        await go.wait()
        return await echo(request)

    async with serving(late_reader, read_timeout=0.05) as server:
        size = 900_000
        peer = await server.peer(
            f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        peer.send(b"x" * size)
        await until(lambda: any(one._reading_paused for one in server.connections._each()))
        await time_is_up(server)
        go.set()
        assert (await peer.answer())[0] == 200


async def test_a_broken_chunk_that_nobody_reads_is_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as server:
        peer = await server.peer(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na"
        )
        assert (await peer.answer())[0] == 200
        peer.send(b"\r\nzzz\r\n")
        assert await peer.is_closed()
    assert [r.getMessage() for r in caplog.records if r.levelno > logging.DEBUG] == []


async def test_a_broken_chunk_fails_its_reader_at_once() -> None:
    async def told(request: web.Request) -> web.Response:
        try:
            return await echo(request)
        except web.RequestPayloadError:
            return web.Response(status=400, text="broken")

    async with serving(told) as server:
        peer = await server.peer(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
        )
        await until(lambda: server.busy == 1)
        peer.send(b"zzz\r\n")
        assert (await peer.answer())[0] == 400


async def test_idle_connections_end_after_the_keep_alive_time() -> None:
    async with serving(keepalive_timeout=0.05) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "connection" not in (await peer.answer())[1]
        assert await peer.is_closed()


async def test_keep_alive_0_ends_each_connection_with_its_first_answer() -> None:
    async with serving(keepalive_timeout=0) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[1]["connection"] == "close"
        assert await peer.is_closed()


async def test_keep_alive_does_not_cut_a_request_that_has_begun_to_arrive() -> None:
    async with serving(keepalive_timeout=0.1) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await peer.answer()
        peer.send(b"GET / HTTP/1.1\r\n")
        idle = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await idle.answer()
        assert await idle.is_closed()
        peer.send(b"Host: a\r\n\r\n")
        assert (await peer.answer())[0] == 200


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


async def until(reached: Callable[[], bool]) -> None:
    """Let the loop run until something has happened."""
    while not reached():  # noqa: ASYNC110 - what happens has no event to wait for
        await asyncio.sleep(0.001)


async def test_a_burst_after_a_body_in_pieces_is_answered_whole() -> None:
    """aiohttp takes 32 requests at a time from one connection, and has to be asked for more."""

    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    def post(text: str) -> bytes:
        return f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()

    async with serving(echo) as server:
        peer = await server.peer()
        for number in range(3):
            peer.send(post(f"piece {number}")[:-1])
            await until(lambda: any(one._awaited for one in server.connections._each()))
            peer.send(str(number).encode() + b"".join(post(str(n)) for n in range(70)))
            texts = [(await asyncio.wait_for(peer.answer(), 5))[2] for _ in range(71)]
            assert texts == [f"piece {number}".encode(), *(str(n).encode() for n in range(70))]


async def test_a_handler_that_fails_in_the_middle_of_its_answer_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise ValueError("in the middle")

    async with serving(fail) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.reader.read()).endswith(b"\r\n\r\n4\r\nhalf\r\n")
    assert [record.getMessage() for record in caplog.records] == ["the server failed"]


async def test_a_connection_that_was_busy_when_its_time_was_up_is_closed_later() -> None:
    go = asyncio.Event()

    async def waits(request: web.Request) -> web.Response:
        if request.path == "/wait":
            await go.wait()
        return web.Response()

    async with serving(waits, keepalive_timeout=0.1) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await peer.answer()
        peer.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        idle = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await idle.answer()
        assert await idle.is_closed()
        go.set()
        assert (await peer.answer())[0] == 200
        assert await peer.is_closed()


async def test_the_access_log_of_aiohttp_can_be_had(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(access_log=logging.getLogger("seen")) as server:
        peer = await server.peer(b"GET /path HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[0] == 200
    [record] = [record for record in caplog.records if record.name == "seen"]
    assert '"GET /path HTTP/1.1" 200' in record.getMessage()
