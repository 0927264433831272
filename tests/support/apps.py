"""Applications in the process of the tests, served as by `start`, and the types of fixtures."""

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Protocol

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from pyfunc.app import create_app
from pyfunc.function.loader import Loaded
from pyfunc.invoking.wire import PLAIN, Wire
from pyfunc.server.plain import PlainRunner
from pyfunc.settings import Settings

__all__ = ["IS_PLAIN", "WIRE", "Client", "Function", "Load", "Serve", "Server", "app_for"]

IS_PLAIN = os.environ.get("PYFUNC_PLAIN", "") not in ("", "0", "false")
"""Whether the tests run on the plain path, in this process and in those that they start."""


def _path() -> tuple[Wire, Callable[..., web.AppRunner]]:
    if IS_PLAIN:
        return PLAIN, PlainRunner
    from pyfunc.fastpath.runner import WIRE, FastRunner  # does not fit each aiohttp

    return WIRE, FastRunner


WIRE, RUNNER = _path()

Client = TestClient[web.Request, web.Application]
Function = str | Loaded | Callable[..., Any]


class Load(Protocol):
    """Writes a module and loads its function."""

    def __call__(
        self, source: str, module_name: str = "func", function_name: str | None = None
    ) -> Loaded: ...


class Serve(Protocol):
    """Serves a function, given as its source or itself, and returns a client of the server."""

    async def __call__(self, function: Function, **settings: Any) -> Client: ...


class Server(TestServer):
    """A test server with the runner and the limits of `start`."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        ours = {
            "read_timeout": 30,
            "max_head": 32768,
            "max_headers": 128,
            "keepalive_timeout": 3630,
        }
        return RUNNER(self.app, **{**options, **ours, "handler_cancellation": False})


def app_for(function: Callable[..., Any], **options: Any) -> web.Application:
    """Make the application of a function without hooks."""
    loaded = Loaded(function, MappingProxyType({}), "func", function.__name__, "func.py")
    return create_app(Settings(**options), loaded, wire=WIRE)
