"""Responses to bytes that are no request."""

import json
import logging

import pytest

from pyfunc.request.codings import CODINGS
from tests.support.sockets import serving

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


@pytest.mark.parametrize("coding", ["br", "BR", "zstd"])
@pytest.mark.parametrize("framing", ["Content-Length: 2", "Transfer-Encoding: chunked"])
async def test_a_coding_whose_package_is_not_installed_is_not_malformed(
    coding: str, framing: str
) -> None:
    if coding.lower() in CODINGS:
        pytest.skip(f"{coding} is installed")
    octets = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\n{framing}\r\n\r\n{{}}"
    async with serving() as server:
        peer = await server.peer(octets.encode())
        status, headers, _ = await peer.answer()
    assert (status, headers["accept-encoding"]) == (415, ", ".join(CODINGS))
