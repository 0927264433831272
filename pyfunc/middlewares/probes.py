"""Answers the health paths from the lifecycle and the user's hooks, before every other middleware.

Liveness asks whether to restart the process, readiness whether to send it traffic. Both dialects
are spoken: `/healthz/...` and the paths that Knative's `func` configures.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pyfunc.invoking.admission import Admission
from pyfunc.invoking.hooks import Check, Hooks
from pyfunc.lifecycle import Lifecycle, Phase
from pyfunc.settings import LIVENESS_PATHS, READINESS_PATHS, Settings

__all__ = ["LIVENESS_PATHS", "READINESS_PATHS", "Probes"]

_METHODS = frozenset({"GET", "HEAD"})

Probe = Callable[[], Awaitable[str | None]]
"""Why the answer is no; `None` if it is yes."""


class Probes:
    """What is asked about one process.

    Args:
        lifecycle: Its phase.
        hooks: What its function's module says.
        admission: Its places, where it is unready while they are taken.
        settings: The health paths, and whether that is so.
    """

    def __init__(
        self, lifecycle: Lifecycle, hooks: Hooks, admission: Admission, settings: Settings
    ) -> None:
        self.prefix = ""
        """The path that the application is mounted under; known once the parent starts."""
        self._lifecycle = lifecycle
        self._hooks = hooks
        self._admission = admission if settings.unready_when_full else None
        self._probes: Mapping[str, Probe] = MappingProxyType(
            {
                **dict.fromkeys(settings.live_paths, self.live),
                **dict.fromkeys(settings.ready_paths, self.ready),
            }
        )

    def middleware(self) -> Middleware:
        """Answer GET and HEAD on the health paths; everything else goes on to the function."""
        probes = self._probes

        @web.middleware
        def probe(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
            if request.method not in _METHODS:
                return handler(request)
            ask = probes.get(request.rel_url.raw_path.removeprefix(self.prefix))
            return handler(request) if ask is None else self._answered(ask)

        return probe

    async def mount(self, app: web.Application) -> None:
        """Find the path that the application is mounted under, now that its routes are settled."""
        [catch_all] = app.router.resources()
        self.prefix = catch_all.canonical.removesuffix("/{path}")

    async def live(self) -> str | None:
        """Why the process should be restarted."""
        return await _fault(self._hooks.is_alive)

    async def ready(self) -> str | None:
        """Why no traffic should come."""
        if self._lifecycle.phase is not Phase.READY:
            return f"the server is {self._lifecycle.phase}"
        if self._admission is not None and self._admission.is_full:
            return "all places are taken"
        return await _fault(self._hooks.is_ready)

    async def _answered(self, ask: Probe) -> web.Response:
        fault = await ask()
        document: dict[str, Any] = {"phase": self._lifecycle.phase}
        if fault is not None:
            document["reason"] = fault
        return web.Response(
            status=200 if fault is None else 503,
            body=msgspec.json.encode(document),
            headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
        )


async def _fault(check: Check | None) -> str | None:
    return None if check is None else await check.fault()
