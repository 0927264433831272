"""The one route: what it takes, and in which order the middlewares stand around the handler."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient
from aiohttp.typedefs import Handler, Middleware

from pyfunc.fastpath.connection import Runner
from pyfunc.fastpath.route import AnyPath, straight


async def _tell(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.method} {request.path}")


def _app(handler: Handler = _tell, *middlewares: Middleware) -> web.Application:
    app = web.Application()
    app.router.register_resource(AnyPath(handler, middlewares))
    return app


def _calls(name: str, calls: list[str]) -> Middleware:
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        calls.append(name)
        response = await handler(request)
        calls.append(f"{name} again")
        return response

    return middleware


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/a", "/a/b/", "//", "/a%2Fb", "/%7Bx%7D", "/ä"])
async def test_every_method_and_path_is_taken(aiohttp_client: Any, method: str, path: str) -> None:
    client: TestClient[web.Request, web.Application] = await aiohttp_client(_app())

    response = await client.request(method, path)

    assert response.status == 200
    assert (await response.text()).startswith(f"{method} /")


async def test_the_asterisk_form_is_taken(aiohttp_server: Any) -> None:
    server = await aiohttp_server(_app())
    reader, writer = await asyncio.open_connection(server.host, server.port)

    writer.write(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()

    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_the_first_middleware_is_the_outermost(aiohttp_client: Any) -> None:
    calls: list[str] = []
    client = await aiohttp_client(_app(_tell, _calls("first", calls), _calls("second", calls)))

    await client.get("/")

    assert calls == ["first", "second", "second again", "first again"]


async def test_middlewares_of_aiohttp_stand_around_all(aiohttp_client: Any) -> None:
    calls: list[str] = []
    app = _app(_tell, _calls("ours", calls))
    app.middlewares.append(web.middleware(_calls("theirs", calls)))
    client = await aiohttp_client(app)

    await client.get("/")

    assert calls == ["theirs", "ours", "ours again", "theirs again"]


async def test_a_client_that_expects_100_is_told_to_continue(aiohttp_client: Any) -> None:
    client = await aiohttp_client(_app())

    response = await client.post("/", data=b"x", expect100=True)

    assert response.status == 200


async def test_the_request_knows_its_app_each_time(aiohttp_client: Any) -> None:
    async def count(request: web.Request) -> web.Response:
        return web.Response(text=str([app is outer for app in request.match_info.apps]))

    outer = _app(count)
    client = await aiohttp_client(outer)

    answers = [await (await client.get("/")).text() for _ in range(2)]

    assert answers == ["[True]", "[True]"]


async def test_an_app_serves_below_a_path_of_another(aiohttp_client: Any) -> None:
    inner, outer = _app(), web.Application()
    outer.add_subapp("/functions/greet", inner)
    client = await aiohttp_client(outer)

    below = [await client.get("/functions/greet/a/b") for _ in range(2)]
    above = await client.get("/functions")

    assert [await response.text() for response in below] == ["GET /functions/greet/a/b"] * 2
    assert above.status == 404


async def _answers(app: web.Application, *paths: str) -> list[str]:
    """What the paths answer, from a server of ours."""
    runner = Runner(
        app, access_log=None, read_timeout=5, keepalive_timeout=5, max_head=8190, max_headers=100
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        async with ClientSession(f"http://{host}:{port}") as session:
            return [await (await session.get(path)).text() for path in paths]
    finally:
        await runner.cleanup()


async def test_a_server_of_ours_asks_for_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.UrlDispatcher, "resolve", None)

    assert await _answers(_app(), "/", "/a/b") == ["GET /", "GET /a/b"]


async def test_without_a_search_the_request_knows_its_app_and_signals_are_sent() -> None:
    async def tell(request: web.Request) -> web.Response:
        apps = [app is outer for app in request.match_info.apps]
        return web.Response(text=f"{apps} {request.app is outer} {request.match_info.route.method}")

    async def sign(_: web.Request, response: web.StreamResponse) -> None:
        signed.append(response.status)

    signed: list[int] = []
    outer = _app(tell)
    outer.on_response_prepare.append(sign)

    assert await _answers(outer, "/", "/a") == ["[True] True *"] * 2
    assert signed == [200, 200]


async def test_other_middlewares_and_routes_are_searched_for() -> None:
    calls: list[str] = []
    wrapped = _app()
    wrapped.middlewares.append(web.middleware(_calls("theirs", calls)))
    beside = _app()
    beside.router.add_get("/own", _own)

    assert await _answers(wrapped, "/") == ["GET /"]
    assert calls == ["theirs", "theirs again"]
    assert await _answers(beside, "/own", "/") == ["own", "GET /"]
    assert straight(web.Application()) is None


async def _own(_: web.Request) -> web.Response:
    return web.Response(text="own")


def test_a_route_table_can_be_shown() -> None:
    [resource] = _app().router.resources()

    assert resource.canonical == "/"
    assert [route.method for route in resource] == ["*"]
    assert len(resource) == 1
    assert str(resource.url_for()) == "/"
    assert resource.get_info() == {"prefix": "/"}
    assert not resource.raw_match("/")
