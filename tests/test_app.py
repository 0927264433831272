"""`create_app`: the application that serves one function, alone and beside others."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.app import create_app
from pyfunc.errors import LoadError, SignatureError
from pyfunc.function.loader import load
from pyfunc.settings import Settings
from tests.support.apps import app_for
from tests.support.files import write


async def text(client: Any, path: str = "/") -> str:
    async with client.get(path) as response:
        body: str = await response.text()
        return body


@pytest.mark.usefixtures("_modules")
async def test_options_and_function_are_those_of_the_environment(
    aiohttp_client: AiohttpClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"orders.py": "def count(): return 'counted'"})
    monkeypatch.setenv("PYFUNC_SEARCH_PATH", str(tmp_path))
    monkeypatch.setenv("MODULE_NAME", "orders")
    monkeypatch.setenv("FUNCTION_NAME", "count")
    assert await text(await aiohttp_client(create_app())) == "counted"


def test_a_function_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="absent_orders"):
        create_app(Settings(search_path=str(tmp_path), module_name="absent_orders"))


def test_a_function_that_cannot_be_bound_is_refused() -> None:
    def main(nonsense: int) -> None: ...

    with pytest.raises(SignatureError, match="nonsense"):
        app_for(main)


async def test_a_middleware_of_the_user_stands_where_it_is_put(
    aiohttp_client: AiohttpClient,
) -> None:
    app = app_for(lambda path: path)
    every, invoked = Paths(), Paths()
    app.middlewares.insert(0, every.middleware)
    app.middlewares.append(invoked.middleware)
    client = await aiohttp_client(app)
    assert await text(client, "/a") == "/a"
    await text(client, "/healthz/live")
    assert (every.seen, invoked.seen) == (["/a", "/healthz/live"], ["/a"])


class Paths:
    """A middleware that keeps the paths of its requests."""

    def __init__(self) -> None:
        self.seen: list[str] = []

        @web.middleware
        async def keep(request: web.Request, handler: Any) -> web.StreamResponse:
            self.seen.append(request.path)
            response: web.StreamResponse = await handler(request)
            return response

        self.middleware = keep


async def test_it_can_be_mounted_below_another_application(aiohttp_client: AiohttpClient) -> None:
    parent = web.Application()
    parent.add_subapp("/one", app_for(lambda path: f"one {path}"))
    parent.add_subapp("/two", app_for(lambda path: f"two {path}"))
    client = await aiohttp_client(parent)
    assert await text(client, "/one/a") == "one /one/a"
    assert await text(client, "/two/") == "two /two/"


@pytest.mark.usefixtures("_modules")
async def test_two_apps_in_one_process_never_see_each_other(
    aiohttp_client: Any, tmp_path: Any
) -> None:
    source = """
        import helper
        count = 0

        def main():
            global count
            count += 1
            return f"{helper.name} {count}"
    """
    clients = []
    for name in ("one", "two"):
        root = write(tmp_path / name, {"func.py": source, "helper.py": f"name = {name!r}"})
        loaded = load(str(root), "func", None)
        clients.append(await aiohttp_client(create_app(Settings(), loaded)))

    answers = [await (await client.get("/")).text() for client in clients * 2]

    assert answers == ["one 1", "two 1", "one 2", "two 2"]
