"""The same questions to Flask's own request and to both requests of pyfunc."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.request.flask import flask_request
from pyfunc.request.view import Request
from tests.support import flask_twin
from tests.support.flask_twin import REQUESTS
from tests.support.views import catch_all


@pytest.mark.parametrize(
    "make", [pytest.param(Request, id="view"), pytest.param(flask_request, id="flask")]
)
@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in REQUESTS.items()])
async def test_a_request_answers_as_under_werkzeugs_server(
    raw: bytes,
    make: Callable[[web.Request, bytes], Any],
    aiohttp_client: AiohttpClient,
    flask_port: int,
) -> None:
    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        return web.json_response(flask_twin.ask_all(lambda: make(request, body)))

    client = await aiohttp_client(catch_all(handler))
    assert client.port is not None

    ours = await flask_twin.answers_of(client.port, raw)
    flasks = await flask_twin.answers_of(flask_port, raw)

    assert ours == flasks
