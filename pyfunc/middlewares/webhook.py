"""The handshake of web hooks: who may deliver events here, and how often.

Source: HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4 ("Abuse Protection"). It protects
senders from being pointed at a server that does not want their events, and is no authentication.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

from pyfunc.errors import MethodError, RequestError

__all__ = ["ALLOWED", "Webhook"]

logger = logging.getLogger("pyfunc.webhook")


ALLOWED = "OPTIONS, POST"

_RATE = r"(?a)[1-9]\d{0,8}"
_CALLBACK_TIMEOUT = 10  # seconds
_CALLBACKS = 8  # at a time: they go where a stranger says


class Webhook:
    """Agrees with origins on deliveries, and refuses those of others.

    Args:
        origins: The DNS names that may deliver; `*` for any.
        rate: How many deliveries a minute they may make; 0 for no limit.
    """

    def __init__(self, origins: Sequence[str], rate: int) -> None:
        self.origins = frozenset(origin.lower() for origin in origins)
        self.rate = rate
        self._callbacks: set[asyncio.Task[None]] = set()

    def middleware(self) -> Middleware:
        """Answers OPTIONS, and lets deliveries of agreed origins through."""

        @web.middleware
        async def webhook(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.method == "OPTIONS":
                return self._answer(request, _origin(request, "WebHook-Request-Origin"))
            if request.method == "POST" and not self._may_deliver(request):
                raise RequestError(
                    "deliveries of this WebHook-Request-Origin were not agreed on", status=403
                )
            return await handler(request)

        return webhook

    async def context(self, _: web.Application) -> AsyncIterator[None]:
        """Ends the callbacks that are under way when the app ends."""
        yield
        for task in list(self._callbacks):
            task.cancel()
        await asyncio.gather(*self._callbacks, return_exceptions=True)

    def _is_agreed(self, origin: str) -> bool:
        return "*" in self.origins or origin in self.origins

    def _may_deliver(self, request: web.Request) -> bool:
        """Whether all origins that a delivery names are agreed; `Origin` is the name in 1.0.1."""
        named = [_origin(request, name) for name in _ORIGINS if name in request.headers]
        return all(map(self._is_agreed, named or [""]))

    def _answer(self, request: web.Request, origin: str) -> web.Response:
        """The validation response (section 4.2)."""
        if not origin:
            return web.Response(status=204, headers={"Allow": ALLOWED})
        if not self._is_agreed(origin):
            raise MethodError("no deliveries are expected from there", headers={"Allow": "POST"})
        agreement = self._agreement(request, origin)
        callback = request.headers.get("WebHook-Request-Callback")
        if callback is None:
            return web.Response(headers={"Allow": ALLOWED, **agreement})
        # Permission is granted there, so not here as well (section 4.2).
        self._call_back(callback, agreement)
        return web.Response(headers={"Allow": ALLOWED})

    def _agreement(self, request: web.Request, origin: str) -> dict[str, str]:
        return {
            "WebHook-Allowed-Origin": "*" if "*" in self.origins else origin,
            "WebHook-Allowed-Rate": self._allowed_rate(request.headers.get("WebHook-Request-Rate")),
        }

    def _allowed_rate(self, asked: str | None) -> str:
        if not self.rate:
            return "*"
        number = int(asked) if asked is not None and re.fullmatch(_RATE, asked) else self.rate
        return str(min(self.rate, number))

    def _call_back(self, callback: str, agreement: dict[str, str]) -> None:
        url = _http_url(callback)
        if url is None:
            raise RequestError("the WebHook-Request-Callback is no http or https URL")
        if len(self._callbacks) >= _CALLBACKS:
            raise RequestError(
                "too many callbacks are under way", status=429, headers={"Retry-After": "10"}
            )
        task = asyncio.create_task(_get(url, agreement))
        self._callbacks.add(task)
        task.add_done_callback(self._callbacks.discard)


_ORIGINS = ("WebHook-Request-Origin", "Origin")


def _origin(request: web.Request, name: str) -> str:
    """The DNS name in a header; `Origin` may have a scheme (RFC 6454, section 7)."""
    return request.headers.get(name, "").strip().lower().rpartition("://")[2]


def _http_url(text: str) -> URL | None:
    try:
        url = URL(text)
    except ValueError:
        return None
    return url if url.scheme in ("http", "https") and url.host else None


async def _get(url: URL, agreement: dict[str, str]) -> None:
    """Call the URL; what it answers is not read, and where it redirects to is not asked."""
    # A server has no use for aiohttp's client but this one, which few are asked for.
    from aiohttp import ClientError, ClientSession, ClientTimeout

    # The URL holds a key that makes it difficult to guess (section 4.1.3): only its host is logged.
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=_CALLBACK_TIMEOUT)) as session,
            session.get(url, headers=agreement, allow_redirects=False) as response,
        ):
            logger.info("called back %s: %d", url.host, response.status)
    except (ClientError, OSError, TimeoutError, ValueError) as error:
        logger.warning("cannot call back %s: %s", url.host, type(error).__name__)
