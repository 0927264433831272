"""The fixtures of all tests: functions as their authors write them, loaded and served."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.app import create_app
from pyfunc.function.loader import Loaded, load, loaded_from
from pyfunc.settings import Settings
from tests.support.apps import IS_PLAIN, WIRE, Client, Function, Load, Serve, Server
from tests.support.files import write


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of the fast path's own promises on the plain path."""
    if IS_PLAIN:
        for item in items:
            if mark := item.get_closest_marker("fastpath_only"):
                item.add_marker(pytest.mark.skip(reason=f"on the plain path, {mark.args[0]}"))


@pytest.fixture
def _modules() -> Iterator[None]:
    """Forget what a test imports, once it is over."""
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
    """Load a function from its source."""

    def load_it(source: str, module_name: str = "func", function_name: str | None = None) -> Loaded:
        sys.modules.pop(module_name, None)
        write(tmp_path, {f"{module_name.replace('.', '/')}.py": source})
        return load(str(tmp_path), module_name, function_name)

    return load_it


@pytest.fixture
def serve(aiohttp_client: AiohttpClient, load_source: Load) -> Serve:
    """Serve a function in this process."""

    async def serve_it(function: Function, **settings: Any) -> Client:
        if isinstance(function, str):
            function = load_source(function)
        loaded = function if isinstance(function, Loaded) else loaded_from(function)
        server = Server(create_app(Settings(**settings), loaded, wire=WIRE))
        return cast(Client, await aiohttp_client(server))

    return serve_it
