"""Functions as their authors write them, served; and events to send to them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, Protocol, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.app import create_app
from pyfunc.fastpath.connection import Runner
from pyfunc.function.loader import Loaded, load, loaded_from
from pyfunc.settings import Settings

Client = TestClient[web.Request, web.Application]
Function = str | Loaded | Callable[..., Any]


class Load(Protocol):
    """Writes a module and loads its function."""

    def __call__(
        self, source: str, module_name: str = "func", function_name: str | None = None
    ) -> Loaded: ...


class Serve(Protocol):
    """A client of the app that serves a function: its source, or the function itself."""

    async def __call__(self, function: Function, **settings: Any) -> Client: ...


@pytest.fixture
def _modules() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path, modules, bytecode = list(sys.path), set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # two sources of one second and size would be taken for one
    yield
    sys.dont_write_bytecode = bytecode
    sys.path[:] = path
    for name, module in list(sys.modules.items()):
        if name not in modules and _is_of_a_test(module):
            del sys.modules[name]


def _is_of_a_test(module: Any) -> bool:
    try:
        places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    except KeyError:  # a namespace package whose parent is gone
        return True
    return any("pytest-of-" in place for place in places)


@pytest.fixture
def load_source(tmp_path: Path, _modules: None) -> Load:
    def load_it(source: str, module_name: str = "func", function_name: str | None = None) -> Loaded:
        sys.modules.pop(module_name, None)
        write(tmp_path, {f"{module_name.replace('.', '/')}.py": source})
        return load(str(tmp_path), module_name, function_name)

    return load_it


@pytest.fixture
def serve(aiohttp_client: AiohttpClient, load_source: Load) -> Serve:
    async def serve_it(function: Function, **settings: Any) -> Client:
        if isinstance(function, str):
            function = load_source(function)
        loaded = function if isinstance(function, Loaded) else loaded_from(function)
        server = _Server(create_app(Settings(**settings), loaded))
        return cast(Client, await aiohttp_client(server))

    return serve_it


class _Server(TestServer):
    """Serves as `start` does: no handler is cancelled when its client leaves."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        ours = {"read_timeout": 30, "max_head": 32768, "keepalive_timeout": 3630}
        return Runner(self.app, **{**options, **ours, "handler_cancellation": False})


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write these files below `root`, and give it."""
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(source))
    return root


def event_headers(**attributes: str) -> dict[str, str]:
    """The headers of an event in binary mode; a `content_type` is the data's."""
    content_type = attributes.pop("content_type", "application/json")
    given = {"id": "1", "source": "/tests", "type": "test", "specversion": "1.0", **attributes}
    return {"Content-Type": content_type, **{f"ce-{name}": value for name, value in given.items()}}
