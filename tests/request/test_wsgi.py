from typing import Any

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.request.view import Request
from tests.support import flask_twin
from tests.support.views import view_app


async def test_a_body_that_aiohttp_decompressed_is_not_announced_as_compressed(
    aiohttp_client: AiohttpClient,
) -> None:
    def look(req: Request) -> Any:
        return [
            req.get_data(as_text=True),
            req.content_length,
            "Content-Encoding" in req.headers,
            req.content_encoding,
            "HTTP_CONTENT_ENCODING" in req.environ,
            req.environ["CONTENT_LENGTH"],
        ]

    client = await aiohttp_client(view_app(look))
    response = await client.post("/", data=b"text" * 100, compress="gzip")
    assert await response.json() == ["text" * 100, 400, False, None, False, "400"]


async def test_a_coding_that_aiohttp_does_not_know_stays_announced(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(view_app(lambda req: req.content_encoding))
    response = await client.post("/", data=b"text", headers={"Content-Encoding": "x-own"})
    assert await response.json() == "x-own"


async def test_an_environ_takes_no_header_with_an_underscore(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(view_app(lambda req: req.environ["HTTP_X_USER"]))
    response = await client.get("/", headers=[("X-User", "real"), ("X_User", "false")])
    assert await response.json() == "real"


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("example.com", ["example.com", "80"]),
        ("[::1]:81", ["::1", "81"]),
        ("example.com:nowhere", ["localhost", "80"]),
    ],
)
async def test_an_environ_names_a_server_whatever_host_was_sent(
    host: str, server: list[str], aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(
        view_app(lambda req: [req.environ["SERVER_NAME"], req.environ["SERVER_PORT"]])
    )
    assert client.port is not None
    raw = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert await flask_twin.answers_of(client.port, raw) == server
