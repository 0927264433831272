"""Headers that every response gets: the id of the request, and the end of a connection."""

from typing import Any

import pytest

from pyfunc.lifecycle import LIFECYCLE
from tests.support.apps import Serve, app_for


@pytest.mark.parametrize("path", ["/", "/fail"])
async def test_the_id_of_a_request_is_that_of_its_response(path: str, serve: Serve) -> None:
    async def main(path: str) -> None:
        if path == "/fail":
            raise ValueError

    client = await serve(main)
    async with client.get(path, headers={"X-Request-Id": "mine"}) as response:
        assert response.headers["X-Request-Id"] == "mine"
    async with client.get(path) as first, client.get(path) as second:
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


async def test_a_stream_has_the_id_too(serve: Serve) -> None:
    async def main() -> Any:
        yield "a"

    client = await serve(main)
    async with client.get("/", headers={"X-Request-Id": "mine"}) as response:
        assert response.headers["X-Request-Id"] == "mine"


async def test_probes_have_no_id(serve: Serve) -> None:
    client = await serve(lambda: None)
    async with client.get("/healthz/live") as response:
        assert "X-Request-Id" not in response.headers


@pytest.mark.parametrize("path", ["/", "/healthz/live"])
async def test_each_response_of_a_drain_is_the_last_one_of_its_connection(
    path: str, aiohttp_client: Any
) -> None:
    app = app_for(lambda: "text")
    client = await aiohttp_client(app)
    async with client.get(path) as response:
        assert "Connection" not in response.headers
    app[LIFECYCLE].drain()
    async with client.get(path) as response:
        assert response.headers["Connection"] == "close"
