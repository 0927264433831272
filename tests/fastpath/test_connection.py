"""One connection over a real socket: what is timed, and what ends it."""

import asyncio
import gc
import json
import logging
import weakref

import pytest
from aiohttp import web

from pyfunc.fastpath.response import DirectResponse
from tests.support.sockets import Serving, serving, until


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


HEAD = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_a_response_goes_with_the_client_that_has_left() -> None:
    responses: weakref.WeakSet[web.Response] = weakref.WeakSet()

    async def main(_: web.Request) -> web.Response:
        response = DirectResponse("", bytes(16 << 20))
        responses.add(response)
        return response

    gc.disable()
    try:
        async with serving(main) as server:
            peer = await server.peer(HEAD % 1)
            await until(lambda: len(responses) == 1)
            peer.writer.transport.abort()
            await until(lambda: not server.connections.connections)
            await until(lambda: not responses)
    finally:
        gc.enable()


_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


async def test_a_chunked_body_that_ends_byte_by_byte_leaves_the_connection_open() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with serving(handler) as server:
        peer = await server.peer(_CHUNKED)
        for octet in b"0\r\n\r\n":
            peer.send(bytes([octet]))
            await peer.writer.drain()
            await asyncio.sleep(0.01)  # a piece of its own for the server
        assert (await peer.answer())[2] == b"a"
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[0] == 200


async def test_a_chunked_body_that_ends_while_its_request_waits_leaves_the_connection_open() -> (
    None
):
    begun, go = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        if request.method == "GET":
            begun.set()
            await go.wait()
        return web.Response(body=await request.read())

    async with serving(handler) as server:
        peer = await server.peer(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + _CHUNKED)
        await begun.wait()
        peer.send(b"0\r\n\r\n")
        [connection] = server.connections.connections
        body = connection._messages[0][1]
        await until(body.is_eof)
        go.set()
        assert [(await peer.answer())[2] for _ in range(2)] == [b"", b"a"]
        peer.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer())[0] == 200
