"""The end of each response is where its head says, whatever the function wrote into it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import hdrs, web

from tests.support.apps import Serve

_NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def answers(serve: Serve, function: Any, request: bytes = b"") -> list[bytes]:
    """All that a connection gets for a request and for the one behind it, cut at each head."""
    client = await serve(function)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write((request or b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") + _NEXT)
    octets = await reader.read()
    writer.close()
    return [part for part in re.split(rb"(?=HTTP/1\.[01] \d)", octets) if part]


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"Transfer-Encoding": "chunked"},
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "2"},
        {"Content-Length": "9"},
        {"Content-Length": "3", "Transfer-Encoding": "chunked"},
    ],
)
async def test_a_whole_response_has_the_length_of_its_body(
    headers: dict[str, str], serve: Serve
) -> None:
    """As in benoitc/gunicorn#3322, where one response was framed twice."""

    async def main(path: str) -> Any:
        return "next" if path == "/next" else web.Response(body=b"abc", headers=headers)

    first, second = await answers(serve, main)

    assert body_of(first) == b"abc"
    assert first.lower().count(b"content-length: 3\r\n") == 1
    assert b"transfer-encoding" not in first.lower()
    assert body_of(second) == b"next"


async def test_a_length_that_is_no_number_is_a_500(serve: Serve) -> None:
    async def main(path: str) -> Any:
        return "next" if path == "/next" else web.Response(headers={"Content-Length": "+3"})

    first, second = await answers(serve, main)

    assert first.startswith(b"HTTP/1.1 500 ")
    assert body_of(second) == b"next"


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "3"}])
async def test_a_compressed_response_has_its_compressed_length(
    headers: dict[str, str], serve: Serve
) -> None:
    async def main(path: str) -> Any:
        response = web.Response(body=b"abc" * 1000, headers=headers)
        response.enable_compression(web.ContentCoding.gzip)
        return "next" if path == "/next" else response

    first, second = await answers(serve, main)

    assert int(re.findall(rb"Content-Length: (\d+)", first)[0]) == len(body_of(first)) < 3000
    assert body_of(second) == b"next"


async def test_a_body_in_parts_of_a_response_object_is_chunked(serve: Serve) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"abc"

    async def main() -> web.Response:
        return web.Response(body=parts(), headers={"Transfer-Encoding": "identity"})

    client = await serve(main)
    async with client.get("/") as response:
        assert response.headers[hdrs.TRANSFER_ENCODING] == "chunked"
        assert await response.read() == b"abc"


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200)])
@pytest.mark.parametrize("kind", ["generator", "own response", "own response, chunked"])
async def test_nothing_follows_a_head_that_has_no_body(
    kind: str, method: str, status: int, serve: Serve
) -> None:
    """As in Kludex/starlette#1764, where the body reached the client as the next response."""

    def chunks() -> Any:
        yield b"abc"

    async def main(request: web.Request) -> Any:
        if request.path == "/next":
            return "next"
        if kind == "generator":
            return chunks(), status
        response = web.StreamResponse(status=status)
        if "chunked" in kind:
            response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"abc")
        await response.write_eof()
        return response

    first, second = await answers(serve, main, f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert body_of(first) == b""
    assert body_of(second) == b"next"


async def test_the_end_of_a_compression_is_the_end_of_a_connection_without_a_body(
    serve: Serve,
) -> None:
    async def main(request: web.Request) -> Any:
        response = web.StreamResponse(status=204)
        response.enable_compression(web.ContentCoding.gzip)
        await response.prepare(request)
        return response

    (first,) = await answers(serve, main)

    assert b"Connection: close" in first


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize("is_own", [True, False])
async def test_a_stream_to_http_1_0_ends_with_its_connection(
    is_own: bool, headers: dict[str, str], serve: Serve
) -> None:
    """Also where the client asks to keep it, as in reactphp/http#552: it would wait for ever."""

    def chunks() -> Any:
        yield b"ab"
        yield b"c"

    async def main(request: web.Request) -> Any:
        if not is_own:
            return chunks(), headers
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(b"abc")
        return response

    (only,) = await answers(serve, main, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    assert body_of(only) == b"abc"
    assert b"transfer-encoding" not in only.lower()
    assert b"keep-alive" not in only.lower()


@pytest.mark.parametrize("written", [b"", b"abc"])
async def test_an_own_response_that_is_shorter_than_its_length_is_broken_off(
    written: bytes, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The next response on the connection would be taken for the rest of its body."""

    async def main(request: web.Request) -> Any:
        response = web.StreamResponse(headers={"Content-Length": "9"})
        await response.prepare(request)
        await response.write(written)
        return response

    parts = await answers(serve, main)

    assert len(parts) <= 1
    assert b"".join(map(body_of, parts)) == written
    assert "failed in mid-response" in caplog.text


@pytest.mark.parametrize(("written", "last"), [(b"abc", b""), (b"abc", b"def"), (b"", b"abcdef")])
async def test_no_response_follows_an_own_one_that_ended_without_a_count(
    written: bytes, last: bytes, serve: Serve
) -> None:
    async def main(request: web.Request) -> Any:
        response = web.StreamResponse(headers={"Content-Length": "6"})
        await response.prepare(request)
        await response.write(written)
        await response.write_eof(last)
        return response

    (only,) = await answers(serve, main)

    assert body_of(only) == written + last


@pytest.mark.parametrize(("method", "status"), [("GET", 500), ("HEAD", 200)])
async def test_a_stream_without_a_body_has_no_length(
    method: str, status: int, serve: Serve
) -> None:
    async def main(path: str) -> Any:
        return "next" if path == "/next" else web.StreamResponse(headers={"Content-Length": "9"})

    first, second = await answers(serve, main, f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert body_of(second) == b"next"


@pytest.mark.parametrize("ends", [True, False])
async def test_an_own_response_of_its_length_keeps_the_connection(ends: bool, serve: Serve) -> None:
    async def main(request: web.Request) -> Any:
        if request.path == "/next":
            return "next"
        response = web.StreamResponse(headers={"Content-Length": "3"})
        await response.prepare(request)
        await response.write(b"abc")
        if ends:
            await response.write_eof()
        return response

    first, second = await answers(serve, main)

    assert body_of(first) == b"abc"
    assert body_of(second) == b"next"


async def test_a_prepared_response_with_its_body_keeps_the_connection(serve: Serve) -> None:
    async def main(request: web.Request) -> Any:
        response = web.Response(text=request.path)
        await response.prepare(request)
        return response

    first, second = await answers(serve, main)

    assert body_of(first) == b"/"
    assert body_of(second) == b"/next"
