"""The pool of threads: when it grows, what it hands back, and what it leaves behind."""

import asyncio
import logging
import threading

import pytest

from pyfunc.errors import UnavailableError
from pyfunc.invoking.threads import Threads


async def test_threads_are_made_as_they_are_needed() -> None:
    threads = Threads(3, "made")
    for _ in range(5):
        await threads.run(int)
    names = [t.name for t in threading.enumerate() if t.name.startswith("made-")]
    assert names == ["made-1"]
    threads.close()


async def test_no_more_threads_than_the_limit_and_the_rest_waits() -> None:
    threads, release = Threads(2, "few"), threading.Event()
    running: list[str] = []

    def call() -> str:
        running.append(threading.current_thread().name)
        release.wait()
        return "done"

    calls = [asyncio.create_task(threads.run(call)) for _ in range(5)]
    while len(running) < 2:  # noqa: ASYNC110 - a thread tells nobody
        await asyncio.sleep(0.001)
    assert set(running) == {"few-1", "few-2"}
    release.set()
    assert await asyncio.gather(*calls) == ["done"] * 5
    threads.close()


async def test_exceptions_come_back() -> None:
    threads = Threads(1, "raises")
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    for error in (StopIteration, SystemExit, KeyboardInterrupt):

        def fail(error: type[BaseException] = error) -> None:
            raise error

        with pytest.raises(RuntimeError, match=error.__name__):
            await threads.run(fail)
    assert await threads.run(lambda: "goes on") == "goes on"
    threads.close()


async def test_a_call_that_is_given_up_holds_its_thread_and_the_log_says_where(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    threads, release, entered = Threads(1, "held"), threading.Event(), threading.Event()

    def call() -> None:
        entered.set()
        release.wait()

    given_up = asyncio.create_task(threads.run(call))
    await asyncio.to_thread(entered.wait)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert threads.abandoned == 1
    waits = asyncio.create_task(threads.run(lambda: "next"))
    await asyncio.sleep(0)
    assert not waits.done()
    release.set()
    assert await waits == "next"
    assert threads.abandoned == 0
    line = call.__code__.co_firstlineno + 2
    assert [record.getMessage() for record in caplog.records] == [
        f"a thread cannot be stopped and goes on (at test_threads.py:{line});"
        " 1 of 1 threads are held like this",
        "a thread that nobody waited for is free again",
    ]
    threads.close()


async def test_a_call_that_is_given_up_before_a_thread_took_it_never_runs() -> None:
    threads, release = Threads(1, "skips"), threading.Event()
    called: list[int] = []
    first = asyncio.create_task(threads.run(release.wait))
    second = asyncio.create_task(threads.run(lambda: called.append(2)))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    release.set()
    await first
    await threads.run(lambda: called.append(3))
    assert called == [3]
    threads.close()


async def test_threads_are_daemons_and_end_when_closed() -> None:
    threads = Threads(1, "ends")
    await threads.run(int)
    (thread,) = [t for t in threading.enumerate() if t.name == "ends-1"]
    assert thread.daemon
    threads.close()
    thread.join(20)
    assert not thread.is_alive()


async def test_while_no_thread_can_be_started_calls_fail_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    threads, release = Threads(2, "short"), threading.Event()

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        for _ in range(5):
            with pytest.raises(UnavailableError, match="no thread can be started"):
                await threads.run(int)
    assert (threads.busy, threads.abandoned) == (0, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "no thread can be started (can't start new thread), 0 of 2 are there:"
        " calls fail until one can be"
    ]
    both = [asyncio.create_task(threads.run(release.wait)) for _ in range(2)]
    while threads.busy < 2:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    release.set()
    assert await asyncio.gather(*both) == [True, True]
    threads.close()


async def test_without_another_thread_those_that_are_there_serve_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, release = Threads(3, "rest"), threading.Event()
    held = asyncio.create_task(threads.run(release.wait))
    await asyncio.sleep(0)

    def fail(_: threading.Thread) -> None:
        raise MemoryError

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(UnavailableError):
        await threads.run(int)
    release.set()
    assert await held
    assert await threads.run(lambda: "served") == "served"
    threads.close()
