"""Applications of one handler, for tests of the request as functions see it."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from pyfunc.errors import RequestError
from pyfunc.request.view import Request

__all__ = ["Look", "catch_all", "view_app"]

Look = Callable[[Request], Any]


def catch_all(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    """An app that sends every request to one handler."""
    app = web.Application(client_max_size=32 * 1024**2)
    app.router.add_route("*", "/{tail:.*}", handler)
    return app


def view_app(look: Look) -> web.Application:
    """An app that answers with what a function sees in the request, as JSON."""

    async def handler(request: web.Request) -> web.Response:
        view = Request(request, await request.read())
        try:
            return web.json_response(look(view))
        except RequestError as error:
            return web.json_response({"detail": error.detail}, status=error.status)

    return catch_all(handler)
