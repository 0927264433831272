import asyncio
import threading
from contextvars import ContextVar
from typing import Any

import pytest
from aiohttp import web

from pyfunc.app import create_app
from pyfunc.function.loader import loaded_from
from pyfunc.settings import Settings
from tests.support.apps import Serve
from tests.support.events import event_headers

LATE = 20  # seconds after which a test has failed


async def test_context_variables_of_the_request_reach_the_thread(
    aiohttp_client: Any,
) -> None:
    user: ContextVar[str] = ContextVar("user")

    def main() -> str:
        return f"{user.get()} {threading.current_thread().name}"

    @web.middleware
    async def name_user(request: web.Request, handler: Any) -> Any:
        user.set(request.query["user"])
        return await handler(request)

    app = create_app(Settings(), loaded_from(main))
    app.middlewares.append(name_user)
    client = await aiohttp_client(app)

    answers = await asyncio.gather(*(client.get(f"/?user={n}") for n in range(20)))

    for number, answer in enumerate(answers):
        assert (await answer.text()).startswith(f"{number} pyfunc")


async def test_probes_answer_while_every_thread_is_blocked(serve: Serve) -> None:
    go, blocked = threading.Event(), threading.Semaphore(0)

    def main() -> str:
        blocked.release()
        go.wait(LATE)
        return "done"

    client = await serve(main, threads=2)
    calls = [asyncio.ensure_future(client.get("/")) for _ in range(4)]
    try:
        for _ in range(2):
            await asyncio.to_thread(blocked.acquire, timeout=LATE)
        for path in (
            "/healthz/live",
            "/healthz/ready",
            "/health/liveness",
            "/health/readiness",
        ):
            assert (await client.get(path)).status == 200
            assert (await client.head(path)).status == 200
    finally:
        go.set()
    assert [await (await call).text() for call in calls] == ["done"] * 4


async def test_async_function_runs_on_the_loop(serve: Serve) -> None:
    async def main() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await (await (await serve(main)).get("/")).json() is True


DECORATED = """
    import functools

    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    @decorated
    async def main(req):
        return type(req).__module__ + " " + (await req.text())
"""


async def test_coroutine_that_a_sync_decorator_returns_is_awaited(serve: Serve) -> None:
    client = await serve(DECORATED)

    answer = await client.post("/", data="body")

    assert await answer.text() == "aiohttp.web_request body"


@pytest.mark.parametrize(
    "source",
    [
        "main = lambda: 'hi'",
        "class Main:\n    def __call__(self):\n        return 'hi'\nmain = Main()",
        "class Main:\n    async def __call__(self):\n        return 'hi'\nmain = Main()",
        "from functools import partial\nmain = partial(lambda word: word, 'hi')",
        "from functools import partial\nmain = partial(lambda data: data, data='hi')",
        "from functools import lru_cache\n@lru_cache\ndef main():\n    return 'hi'",
        "def main():\n    yield 'hi'",
        "async def main():\n    yield 'hi'",
        "class Main:\n    async def __call__(self):\n        yield 'hi'\nmain = Main()",
        "def main(method, colour='hi', /, path=None, *rest, query, size=1, **more):\n"
        "    assert (method, path, size) == ('GET', '/', 1) and not rest and not more\n"
        "    return colour",
    ],
)
async def test_function_may_be_anything_that_is_called(serve: Serve, source: str) -> None:
    answer = await (await serve(source)).get("/")

    assert (answer.status, await answer.text()) == (200, "hi")


@pytest.mark.parametrize("word", ["def", "async def"])
async def test_event_function_that_exits_is_500_too(serve: Serve, word: str) -> None:
    client = await serve(f"import sys\n{word} main(event):\n    sys.exit(3)\n")

    assert (await client.post("/", headers=event_headers())).status == 500


async def test_coroutine_of_a_decorated_function_that_exits_is_500_too(serve: Serve) -> None:
    client = await serve(DECORATED.replace("return type", "raise SystemExit  #"))

    assert (await client.get("/")).status == 500


async def test_cancelled_task_of_the_function_is_its_own_failure(serve: Serve) -> None:
    source = """
        import asyncio

        async def main():
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()
            await task
    """

    assert (await (await serve(source)).get("/")).status == 500


MALFORMED = event_headers() | {"Content-Type": "application/json"}


@pytest.mark.parametrize("data", [b"{", b"\xff", b"[" * 300 + b"]" * 300, b"NaN"])
@pytest.mark.parametrize("source", ["attributes", "attributes, body, req", "headers, attributes"])
async def test_data_that_the_function_does_not_ask_for_is_not_decoded(
    serve: Serve, source: str, data: bytes
) -> None:
    client = await serve(f"def main({source}):\n    return None\n")
    async with client.post("/", data=data, headers=MALFORMED) as response:
        assert response.status == 200


@pytest.mark.parametrize("source", ["data", "event", "events", "attributes, data"])
async def test_malformed_data_is_refused_before_the_call(serve: Serve, source: str) -> None:
    client = await serve(f"def main({source}):\n    raise AssertionError\n")
    async with client.post("/", data=b"{", headers=MALFORMED) as response:
        assert response.status == 400
