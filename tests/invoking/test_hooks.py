"""The user's hooks: what they may return, how long they may take, who else they may hold up."""

import asyncio
import threading
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from msgspec.structs import replace

from pyfunc.app import create_app
from pyfunc.errors import HookError
from pyfunc.function.loader import Loaded, loaded_from
from pyfunc.invoking.hooks import Check
from pyfunc.lifecycle import LIFECYCLE, Phase
from pyfunc.settings import Settings
from tests.support.apps import Serve


async def main() -> str:
    return "done"


def with_hooks(**hooks: Callable[[], Any]) -> Loaded:
    return replace(loaded_from(main), hooks=MappingProxyType(hooks))


async def test_hooks_run_once_and_in_order_around_the_function(serve: Serve) -> None:
    order: list[str] = []

    async def on_startup() -> None:
        order.append("startup")

    def on_shutdown() -> None:
        order.append("shutdown")

    client = await serve(with_hooks(on_startup=on_startup, on_shutdown=on_shutdown))
    for _ in range(2):
        assert (await client.get("/")).status == 200
    assert order == ["startup"]
    await client.close()
    assert order == ["startup", "shutdown"]


async def test_sync_hooks_run_in_a_thread_of_their_own(serve: Serve) -> None:
    threads: list[threading.Thread] = []
    client = await serve(with_hooks(on_startup=lambda: threads.append(threading.current_thread())))
    assert threads != [threading.main_thread()]
    assert threads[0].name == "pyfunc-on_startup-1"
    await client.close()


async def test_an_app_whose_start_fails_is_not_served() -> None:
    def on_startup() -> None:
        raise ValueError("no database")

    app = create_app(Settings(), with_hooks(on_startup=on_startup))
    app.freeze()
    with pytest.raises(HookError, match=r"(?s)on_startup failed.*ValueError: no database"):
        await app.startup()
    assert app[LIFECYCLE].phase is Phase.STARTING


ANSWERS = [
    pytest.param(True, None, id="True"),
    pytest.param(None, None, id="None"),
    pytest.param((True, "fine"), None, id="True with a message"),
    pytest.param(False, "is_ready says no", id="False"),
    pytest.param((False, "no database"), "no database", id="False with a message"),
    pytest.param((False, ""), "is_ready says no", id="False with an empty message"),
    pytest.param(
        ValueError("no database"), "is_ready raised ValueError: no database", id="exception"
    ),
]


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize(("result", "reason"), ANSWERS)
async def test_readiness_says_what_the_hook_says(
    serve: Serve, how: str, result: Any, reason: str | None
) -> None:
    def is_ready() -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    async def is_ready_async() -> Any:
        return is_ready()

    client = await serve(with_hooks(is_ready=is_ready if how == "sync" else is_ready_async))
    for path in ("/healthz/ready", "/health/readiness"):
        async with client.get(path) as probe:
            expected = (
                {"phase": "ready"} if reason is None else {"phase": "ready", "reason": reason}
            )
            assert await probe.json() == expected
            assert probe.status == (200 if reason is None else 503)
    async with client.get("/healthz/live") as probe:
        assert probe.status == 200


async def test_liveness_says_what_is_alive_says(serve: Serve) -> None:
    client = await serve(with_hooks(is_alive=lambda: (False, "stuck")))
    async with client.get("/health/liveness") as probe:
        assert probe.status == 503
        assert (await probe.json())["reason"] == "stuck"


class Counted:
    """A hook that counts its calls and waits for the test."""

    def __init__(self) -> None:
        self.calls = 0
        self.go = asyncio.Event()
        self.thread_go = threading.Event()

    async def on_loop(self) -> bool:
        self.calls += 1
        await self.go.wait()
        return True

    def in_thread(self) -> bool:
        self.calls += 1
        self.thread_go.wait()
        return True


async def test_results_are_used_again_for_a_time() -> None:
    counted = Counted()
    counted.go.set()
    check = Check("is_ready", counted.on_loop, 1.0, 60.0)
    assert [await check.fault() for _ in range(3)] == [None] * 3
    assert counted.calls == 1
    check = Check("is_ready", counted.on_loop, 1.0, 0.0)
    assert [await check.fault() for _ in range(3)] == [None] * 3
    assert counted.calls == 4


async def test_probes_at_the_same_time_share_one_call() -> None:
    counted = Counted()
    check = Check("is_ready", counted.on_loop, 60.0, 0.0)
    asked = [asyncio.create_task(check.fault()) for _ in range(10)]
    await asyncio.sleep(0)
    counted.go.set()
    assert await asyncio.gather(*asked) == [None] * 10
    assert counted.calls == 1


@pytest.mark.parametrize("kind", ["on_loop", "in_thread"])
async def test_a_hanging_hook_is_a_no_and_piles_nothing_up(kind: str) -> None:
    counted = Counted()
    check = Check(f"hangs_{kind}", getattr(counted, kind), 0.05, 0.0)
    late = f"hangs_{kind} takes longer than 0.05 seconds"
    assert [await check.fault() for _ in range(3)] == [late] * 3
    counted.go.set()
    threads = [t for t in threading.enumerate() if t.name.startswith("pyfunc-hangs_in_thread")]
    if kind == "in_thread":
        assert counted.calls == 1
        assert len(threads) == 1
    counted.thread_go.set()
    while await check.fault() is not None:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)
    check.close()


async def test_hooks_that_hang_do_not_hold_up_the_other_probe(serve: Serve) -> None:
    release = threading.Event()
    client = await serve(with_hooks(is_ready=release.wait), probe_timeout=0.05)
    assert (await client.get("/healthz/ready")).status == 503
    assert (await client.get("/healthz/live")).status == 200
    assert (await client.get("/")).status == 200
    release.set()
