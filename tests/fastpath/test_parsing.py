"""Requests kept apart from the bytes around them, over a real socket."""

import re

import pytest
from aiohttp import web

from tests.support.sockets import serving

HEAD = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12\r\n\r\n34"
LAST = b"GET /%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
GARBAGE = b"\0garbage\r\n\r\n"


@pytest.mark.parametrize(
    ("octets", "statuses"),
    [
        pytest.param(HEAD % 1 + GARBAGE, [200, 400], id="one"),
        pytest.param(HEAD % 1 + HEAD % 2 + GARBAGE, [200, 200, 400], id="two"),
        pytest.param(BODY % 1 + HEAD % 2 + GARBAGE, [200, 200, 400], id="with a body"),
        pytest.param(HEAD % 1 + BODY % 2 + GARBAGE + HEAD % 3, [200, 200, 400], id="and another"),
        pytest.param(LAST % 1 + HEAD % 2, [200], id="after the last"),
        pytest.param(GARBAGE + HEAD % 1, [400], id="garbage first"),
    ],
)
async def test_malformed_bytes_cost_no_request_before_them(
    octets: bytes, statuses: list[int]
) -> None:
    async with serving() as server:
        peer = await server.peer(octets)
        answers = await peer.reader.read()

    assert [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answers)] == statuses


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"GET /1 HTTP/1.1\r\nHost: a\r\nX-Part: ", id="in a head"),
        pytest.param(HEAD % 1 + b"GET /2 HTTP/1.1\r\nX-Part: ", id="in the second head"),
        pytest.param(b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n", id="in a body"),
    ],
)
async def test_no_request_is_found_within_another_one(begun: bytes) -> None:
    """What follows malformed bytes is parsed again only where a request can begin."""
    paths: list[str] = []

    async def main(request: web.Request) -> web.Response:
        paths.append(request.path)
        await request.read()
        return web.Response()

    async with serving(main) as server:
        peer = await server.peer(begun)
        await peer.writer.drain()
        peer.send(b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n" + GARBAGE * 9)
        await peer.reader.read()

    assert "/inner" not in paths


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("trailer", "is_last"), [(b"", False), (b"X-Part: 1\r\n", True)])
async def test_a_chunked_body_in_pieces_ends_its_connection_with_trailers_only(
    size: int, trailer: bytes, is_last: bool
) -> None:
    async def main(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    octets = (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\n%b\r\n" % trailer
    )
    async with serving(main) as server:
        peer = await server.peer()
        for start in range(0, len(octets), size):
            peer.send(octets[start : start + size])
            await peer.writer.drain()
        status, _, body = await peer.answer()
        assert (status, body) == (200, b"abc")
        if is_last:
            assert await peer.is_closed()
        else:
            peer.send(HEAD % 2)
            assert (await peer.answer())[0] == 200
