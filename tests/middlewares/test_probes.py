"""The health paths: what they answer, and what never holds them up."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator

import pytest

from pyfunc.lifecycle import LIFECYCLE, Phase
from tests.support.apps import Client, Serve

PATHS = ("/healthz/live", "/healthz/ready", "/health/liveness", "/health/readiness")


async def main(method: str) -> str:
    return f"called by {method}"


async def are_good(client: Client) -> bool:
    statuses = []
    for path in PATHS:
        async with client.get(path) as probe:
            statuses.append(probe.status)
    return statuses == [200] * 4


@pytest.mark.parametrize("path", PATHS)
async def test_get_and_head_are_answered(serve: Serve, path: str) -> None:
    client = await serve(main)
    async with client.get(path) as probe:
        assert (probe.status, await probe.json()) == (200, {"phase": "ready"})
        assert probe.headers["Cache-Control"] == "no-store"
    async with client.head(path) as probe:
        assert (probe.status, await probe.read()) == (200, b"")


@pytest.mark.parametrize("path", PATHS)
async def test_other_methods_go_to_the_function(serve: Serve, path: str) -> None:
    client = await serve(main)
    async with client.post(path) as response:
        assert await response.text() == "called by POST"


async def test_other_paths_may_be_chosen(serve: Serve) -> None:
    client = await serve(main, live_paths=("/livez",), ready_paths=("/readyz", "/up"))
    for path in ("/livez", "/readyz", "/up"):
        async with client.get(path) as probe:
            assert await probe.json() == {"phase": "ready"}
    async with client.get("/healthz/live") as response:
        assert await response.text() == "called by GET"


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.DRAINING, Phase.STOPPED])
async def test_readiness_tells_the_phase_and_liveness_goes_on(serve: Serve, phase: Phase) -> None:
    client = await serve(main)
    client.app[LIFECYCLE].phase = phase
    async with client.get("/healthz/ready") as probe:
        assert probe.status == 503
        assert await probe.json() == {"phase": phase, "reason": f"the server is {phase}"}
    async with client.get("/healthz/live") as probe:
        assert (probe.status, await probe.json()) == (200, {"phase": phase})


async def test_probes_wait_for_no_thread(serve: Serve) -> None:
    release, entered = threading.Event(), threading.Semaphore(0)

    def blocks() -> None:
        entered.release()
        release.wait()

    client = await serve(blocks, threads=2)
    held = [asyncio.create_task(client.get("/")) for _ in range(5)]
    for _ in range(2):
        await asyncio.to_thread(entered.acquire)
    assert await are_good(client)
    release.set()
    await asyncio.gather(*held)


async def test_probes_wait_for_no_place(serve: Serve) -> None:
    go, entered = asyncio.Event(), asyncio.Event()

    async def blocks() -> None:
        entered.set()
        await go.wait()

    client = await serve(blocks, concurrency=1)
    held = asyncio.create_task(client.get("/"))
    await entered.wait()
    assert await are_good(client)
    go.set()
    await held


async def test_probes_wait_for_no_upload(serve: Serve) -> None:
    async def takes(body: bytes) -> str:
        return str(len(body))

    good = asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 1_000_000
        await good.wait()
        for _ in range(50):
            yield b"x" * 1_000_000

    client = await serve(takes, max_body=100_000_000)
    uploading = asyncio.create_task(client.post("/", data=upload()))
    assert await are_good(client)
    good.set()
    assert await (await uploading).text() == "100000000"


async def test_probes_are_neither_logged_nor_counted(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = await serve(main, access_log=True)
    assert await are_good(client)
    assert [record for record in caplog.records if record.name == "pyfunc"] == []
    assert client.app[LIFECYCLE].in_flight == 0
