"""The one route of an app: any method, any path, and the middlewares around its handler.

aiohttp would look for a matching pattern and put the middlewares around the handler by itself. With
one route for everything both are settled at start, and a server of ours asks for no route at all,
which takes half off what pyfunc adds to the time of a request.
"""

from collections.abc import Awaitable, Iterator, Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_urldispatcher import AbstractResource, AbstractRoute, UrlMappingMatchInfo
from yarl import URL

__all__ = ["AnyPath", "straight"]


def straight(app: web.Application) -> Handler | None:
    """What an app does with a request, without the search for a route.

    Args:
        app: A frozen app.

    Returns:
        `None` where there is more to it: middlewares of aiohttp's, or other routes.
    """
    resources = app.router.resources()
    if app.middlewares or len(resources) != 1:
        return None
    [resource] = resources
    return resource.straight(app) if isinstance(resource, AnyPath) else None


class AnyPath(AbstractResource):
    """Takes every request.

    Args:
        handler: Answers it.
        middlewares: What stands around the handler, the outermost first.
        signal: The receiver of `on_response_prepare` that a response may do without, since it does
            itself what that would do.
    """

    def __init__(
        self, handler: Handler, middlewares: Sequence[Middleware], signal: Any = None
    ) -> None:
        super().__init__()
        self._signal = signal
        self._prefix = ""
        for middleware in reversed(middlewares):
            handler = _around(middleware, handler)
        self._route = web.ResourceRoute(
            "*", _as_coroutine(handler), self, expect_handler=_expect_later
        )
        self._match = _Match(self._route, handler)

    @property
    def canonical(self) -> str:
        """The path above all others."""
        return self._prefix or "/"

    async def resolve(self, request: web.Request) -> tuple[UrlMappingMatchInfo, set[str]]:
        """Every request matches."""
        return self._match, set()

    def straight(self, app: web.Application) -> Handler:
        """What aiohttp would do with a request to `app`, given that it comes here anyway."""
        match, handler = self._match, self._match.handler
        match.add_app(app)
        match.freeze()
        match.is_direct = all(receiver is self._signal for receiver in app.on_response_prepare)

        def answer(request: web.Request) -> Awaitable[web.StreamResponse]:
            request._match_info = match
            return handler(request)

        return answer

    def raw_match(self, path: str) -> bool:
        """No pattern is this one's."""
        return False

    def add_prefix(self, prefix: str) -> None:
        """Serve below a path, as part of another app."""
        self._prefix = prefix + self._prefix

    def url_for(self, **kwargs: str) -> URL:
        """The path above all others."""
        return URL(self.canonical)

    def get_info(self) -> Any:
        """The prefix."""
        return {"prefix": self.canonical}

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[AbstractRoute]:
        yield self._route


class _Match(UrlMappingMatchInfo):
    """What was found for a request; the same for all, since it says nothing about any."""

    is_direct = False
    """Whether the request came without a search, and no other signal is sent about its answer."""

    def __init__(self, route: AbstractRoute, handler: Handler) -> None:
        super().__init__({}, route)
        self._handler = handler

    @property
    def handler(self) -> Handler:
        """The handler, without the coroutine around it that makes a route of it."""
        return self._handler

    def add_app(self, app: web.Application) -> None:
        """The first request tells which apps stand around the route."""
        if not self._frozen:
            super().add_app(app)


def _around(middleware: Middleware, handler: Handler) -> Handler:
    def answer(request: web.Request) -> Awaitable[web.StreamResponse]:
        return middleware(request, handler)

    return answer


def _as_coroutine(handler: Handler) -> Handler:
    """A route takes nothing else."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    return answer


async def _expect_later(_: web.Request) -> None:
    """Leave `Expect: 100-continue` for later: aiohttp would answer it before anything is known."""
