"""The composed application: requests it takes, and the order of its middlewares."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler, Middleware

from pyfunc.fastpath.chain import chain
from pyfunc.fastpath.runner import FastRunner
from tests.support.apps import Serve


async def _tell(request: web.Request) -> web.Response:
    return web.Response(text=f"{request.method} {request.path}")


def _app(handler: Handler = _tell, *middlewares: Middleware) -> web.Application:
    app = web.Application(middlewares=middlewares)
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def _calls(name: str, calls: list[str]) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        calls.append(name)
        response = await handler(request)
        calls.append(f"{name} again")
        return response

    return middleware


async def _answers(app: web.Application, *paths: str) -> list[str]:
    """The answers to GET on these paths, from the fast path."""
    async with _session(app) as session:
        return [await (await session.get(path)).text() for path in paths]


@asynccontextmanager
async def _session(app: web.Application) -> AsyncIterator[ClientSession]:
    runner = FastRunner(
        app, access_log=None, read_timeout=5, keepalive_timeout=5, max_head=8190, max_headers=100
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    try:
        async with ClientSession(f"http://{host}:{port}") as session:
            yield session
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/a", "/a/b/", "//", "/a%2Fb", "/%7Bx%7D", "/ä"])
async def test_every_method_and_path_is_taken(method: str, path: str) -> None:
    async with _session(_app()) as session:
        response = await session.request(method, path)

        assert response.status == 200
        assert (await response.text()).startswith(f"{method} /")


async def test_the_asterisk_form_is_taken() -> None:
    async with _session(_app()) as session:
        url = (await session.get("/")).url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_the_first_middleware_is_the_outermost() -> None:
    calls: list[str] = []

    await _answers(_app(_tell, _calls("first", calls), _calls("second", calls)), "/")

    assert calls == ["first", "second", "second again", "first again"]


async def test_no_route_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.UrlDispatcher, "resolve", None)

    assert await _answers(_app(), "/", "/a/b") == ["GET /", "GET /a/b"]


async def test_the_request_knows_its_app_and_signals_are_sent() -> None:
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


async def _own(_: web.Request) -> web.Response:
    return web.Response(text="own")


async def test_an_app_with_other_routes_is_served_by_its_router() -> None:
    beside = _app()
    beside.router.add_get("/own", _own)
    first = web.Application()
    first.router.add_get("/own", _own)
    first.router.add_route("*", "/{path:.*}", _tell)

    assert await _answers(beside, "/own", "/") == ["own", "GET /"]
    assert await _answers(first, "/own", "/") == ["own", "GET /"]
    assert chain(web.Application()) is None


async def test_an_app_with_a_mounted_one_is_served_by_its_router() -> None:
    outer, inner = web.Application(), _app()
    outer.add_subapp("/fn", inner)

    assert await _answers(outer, "/fn/a") == ["GET /fn/a"]


@pytest.mark.parametrize(
    ("target", "path"), [("http://b", "/"), ("http://b?a=1", "/"), ("http://b/c", "/c")]
)
async def test_a_target_with_a_host_has_a_path(target: str, path: str, serve: Serve) -> None:
    """An empty path is `/` (RFC 9110, section 4.2.3; python/cpython#132741)."""

    async def main(path: str) -> str:
        return path

    client = await serve(main)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.endswith(f"\r\n\r\n{path}".encode())
