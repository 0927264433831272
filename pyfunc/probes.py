"""Answers the health paths from the lifecycle, before and outside every other middleware.

Liveness asks whether to restart the process, readiness whether to send it traffic. Both dialects
are spoken: `/healthz/...` and the paths that Knative's `func` configures.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from pyfunc.lifecycle import Lifecycle, Phase

__all__ = ["LIVENESS_PATHS", "READINESS_PATHS", "probes_middleware"]

LIVENESS_PATHS = ("/healthz/live", "/health/liveness")
READINESS_PATHS = ("/healthz/ready", "/health/readiness")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Probe = Callable[[], web.Response]


def probes_middleware(lifecycle: Lifecycle) -> Middleware:
    """Answer GET and HEAD on the health paths; everything else goes on to the function."""
    probes: Mapping[str, Probe] = {
        **dict.fromkeys(LIVENESS_PATHS, lambda: _answer(True, lifecycle.phase)),
        **dict.fromkeys(
            READINESS_PATHS, lambda: _answer(lifecycle.phase is Phase.READY, lifecycle.phase)
        ),
    }

    @web.middleware
    async def probe(request: web.Request, handler: Handler) -> web.StreamResponse:
        ask = probes.get(request.path)
        if ask is None or request.method not in ("GET", "HEAD"):
            return await handler(request)
        return ask()

    return probe


def _answer(good: bool, phase: Phase) -> web.Response:
    return web.Response(
        status=200 if good else 503,
        body=msgspec.json.encode({"phase": phase}),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )
