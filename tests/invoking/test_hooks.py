"""The user's hooks: what they may return, how long they may take, who else they may hold up."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import pytest
from msgspec.structs import replace

from pyfunc.app import create_app
from pyfunc.errors import HookError
from pyfunc.function.loader import Loaded, loaded_from
from pyfunc.invoking.hooks import Check, Hooks
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
    pytest.param(ValueError("no database"), "is_ready raised ValueError", id="exception"),
    pytest.param(TimeoutError("no database"), "is_ready raised TimeoutError", id="TimeoutError"),
    pytest.param(SystemExit(1), "is_ready raised SystemExit", id="SystemExit"),
    pytest.param(KeyboardInterrupt(), "is_ready raised KeyboardInterrupt", id="KeyboardInterrupt"),
    pytest.param(asyncio.CancelledError(), "is_ready raised CancelledError", id="CancelledError"),
    pytest.param(GeneratorExit(), "is_ready raised GeneratorExit", id="GeneratorExit"),
]


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize(("result", "reason"), ANSWERS)
async def test_readiness_says_what_the_hook_says(
    serve: Serve, how: str, result: Any, reason: str | None
) -> None:
    def is_ready() -> Any:
        if isinstance(result, BaseException):
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


async def test_the_text_of_an_exception_is_for_the_log_and_for_debug(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def is_ready() -> None:
        raise ValueError("password hunter2")

    client = await serve(with_hooks(is_ready=is_ready))
    async with client.get("/healthz/ready") as probe:
        assert "hunter2" not in await probe.text()
    (record,) = caplog.records
    assert record.getMessage() == "is_ready raised ValueError"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "password hunter2"

    client = await serve(with_hooks(is_ready=is_ready), debug=True)
    async with client.get("/healthz/ready") as probe:
        assert (await probe.json())["reason"] == "is_ready raised ValueError: password hunter2"


async def test_each_change_of_an_answer_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    answers: list[Any] = [True, (False, "1 left"), (False, "2 left"), 0, 1, 1]
    answers += [KeyError("a"), KeyError("b"), ValueError("c"), True]

    async def is_ready() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    check = Check("is_ready", is_ready, 1.0, 0.0)
    while answers:
        await check.fault()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "is_ready says no: 1 left"),
        ("INFO", "is_ready says yes again"),
        ("ERROR", "is_ready raised KeyError"),
        ("ERROR", "is_ready raised ValueError"),
        ("INFO", "is_ready says yes again"),
    ]


@pytest.mark.parametrize("name", ["on_startup", "on_shutdown"])
async def test_a_hook_that_swallows_its_cancellation_does_not_outlive_its_limit(name: str) -> None:
    ends = asyncio.Event()

    async def swallows() -> None:
        while not ends.is_set():
            with suppress(asyncio.CancelledError):
                await ends.wait()

    settings = Settings(startup_timeout=0.01)
    hooks = Hooks(MappingProxyType({name: swallows}), settings)
    run = hooks.startup() if name == "on_startup" else hooks.shutdown(0.01)
    where = f'test_hooks.py", line {swallows.__code__.co_firstlineno + 3}, in swallows'
    with pytest.raises(HookError, match=rf"(?s){name} was not done within 0.01 seconds.*{where}"):
        await run
    ends.set()


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, TimeoutError])
@pytest.mark.parametrize("how", ["sync", "async"])
async def test_whatever_a_hook_raises_is_a_hook_error(
    how: str, raised: type[BaseException]
) -> None:
    def fails() -> None:
        raise raised

    async def fails_async() -> None:
        raise raised

    hook = fails if how == "sync" else fails_async
    hooks = Hooks(MappingProxyType({"on_startup": hook}), Settings(startup_timeout=60.0))
    with pytest.raises(HookError, match=rf"(?s)on_startup failed.*{raised.__name__}"):
        await hooks.startup()


async def test_a_cancellation_of_the_hooks_own_is_a_hook_error() -> None:
    async def on_startup() -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    with pytest.raises(HookError, match=r"(?s)on_startup failed.*CancelledError"):
        await Hooks(MappingProxyType({"on_startup": on_startup}), Settings()).startup()


async def test_a_check_that_swallows_its_cancellation_is_a_no_until_it_ends() -> None:
    counted, calls = Counted(), []

    async def swallows() -> bool:
        calls.append(1)
        while not counted.go.is_set():
            with suppress(asyncio.CancelledError):
                await counted.go.wait()
        return True

    check = Check("is_alive", swallows, 0.01, 0.0)
    late = "is_alive takes longer than 0.01 seconds"
    assert [await check.fault() for _ in range(3)] == [late] * 3
    assert len(calls) == 1
    counted.go.set()
    while await check.fault() is not None:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)


async def test_a_cancelled_start_ends_with_the_clean_up_of_its_hook() -> None:
    order: list[str] = []

    async def on_startup() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            order.append("cleaned up")

    start = asyncio.create_task(Hooks({"on_startup": on_startup}, Settings()).startup())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert order == ["cleaned up"]


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
