"""Bodies read and whole responses made by aiohttp's public API."""

from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from pyfunc.invoking.wire import PLAIN, WholeResponse, header_fields, header_lines


def test_header_lines_are_parsed_to_the_same_fields() -> None:
    fields = [("Content-Type", "text/plain"), ("ce-note", "a: b"), ("X-Many", "1"), ("X-Many", "2")]
    assert header_fields(header_lines(fields)) == CIMultiDict(fields)


async def test_a_whole_response_is_sent_with_its_headers_and_body(aiohttp_client: Any) -> None:
    async def answer(request: web.Request) -> web.Response:
        response = WholeResponse("Content-Type: text/csv\r\nX-First: 1\r\n", b"a,b")
        response.add_lines("X-Second: 2\r\n")
        return response

    app = web.Application()
    app.router.add_get("/", answer)
    client = await aiohttp_client(app)
    async with client.get("/") as response:
        assert (response.status, await response.read()) == (200, b"a,b")
        assert response.content_type == "text/csv"
        assert (response.headers["X-First"], response.headers["X-Second"]) == ("1", "2")


async def test_a_body_is_read_whole_and_stays_on_the_request(aiohttp_client: Any) -> None:
    async def echo(request: web.Request) -> web.Response:
        body = await PLAIN.read_body(request)
        assert await request.read() == body
        return web.Response(body=body)

    app = web.Application()
    app.router.add_post("/", echo)
    client = await aiohttp_client(app)
    async with client.post("/", data=b"x" * 100_000) as response:
        assert await response.read() == b"x" * 100_000
