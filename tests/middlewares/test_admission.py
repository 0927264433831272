"""The way of a request into the process, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pyfunc.lifecycle import LIFECYCLE
from tests.support.apps import Client, Serve


class Gate:
    """A function that waits until the test lets it go."""

    def __init__(self) -> None:
        self.entered = 0
        self.go = asyncio.Event()

    async def main(self, body: bytes) -> bytes:
        self.entered += 1
        await self.go.wait()
        return body

    async def hold(self, client: Client, count: int = 1) -> list["asyncio.Task[int]"]:
        """So many invocations, until they are inside."""
        tasks = [asyncio.create_task(status(client)) for _ in range(count)]
        while self.entered < count:  # noqa: ASYNC110 - the function has no other way to say so
            await asyncio.sleep(0.001)
        return tasks


async def status(client: Client, **options: Any) -> int:
    async with client.post("/", **options) as response:
        await response.read()
        return response.status


async def until_in_flight(client: Client, count: int) -> None:
    lifecycle = client.app[LIFECYCLE]
    while lifecycle.in_flight != count:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.001)


async def test_beyond_the_limit_is_503_with_retry_after(serve: Serve) -> None:
    gate = Gate()
    client = await serve(gate.main, concurrency=2)
    held = await gate.hold(client, 2)
    async with client.post("/") as refused:
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1"
        assert (await refused.json())["detail"] == "all places are taken: try again later"
    gate.go.set()
    assert await asyncio.gather(*held) == [200, 200]
    assert await status(client) == 200


async def test_a_refusal_comes_before_the_body_is_read(serve: Serve) -> None:
    """The body is never sent: the client waits for the answer before."""
    gate = Gate()
    client = await serve(gate.main, concurrency=1)
    held = await gate.hold(client)

    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
    assert b" 503 " in await reader.readline()
    writer.close()
    gate.go.set()
    assert await asyncio.gather(*held) == [200]


async def test_the_queue_waits_for_a_place(serve: Serve) -> None:
    gate = Gate()
    client = await serve(gate.main, concurrency=1, queue=1, queue_timeout=60.0)
    held = await gate.hold(client)
    others = [asyncio.create_task(status(client)) for _ in range(2)]
    done, queued = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [503]
    gate.go.set()
    assert await asyncio.gather(*held, *queued) == [200, 200]


async def test_readiness_follows_saturation_where_asked_for(serve: Serve) -> None:
    gate = Gate()
    client = await serve(gate.main, concurrency=1, unready_when_full=True)
    held = await gate.hold(client)
    async with client.get("/healthz/ready") as probe:
        assert probe.status == 503
        assert await probe.json() == {"phase": "ready", "reason": "all places are taken"}
    async with client.get("/healthz/live") as probe:
        assert probe.status == 200
    gate.go.set()
    await asyncio.gather(*held)
    async with client.get("/healthz/ready") as probe:
        assert probe.status == 200


@pytest.mark.parametrize("concurrency", [0, 1])
async def test_content_length_above_the_limit_is_413_before_anything_is_sent(
    serve: Serve, concurrency: int
) -> None:
    async def main(body: bytes) -> None: ...

    client = await serve(main, max_body=10, concurrency=concurrency)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b" 413 " in head
    assert b"Connection: close" in head


@pytest.mark.parametrize("path", ["/", "/healthz/ready"])
async def test_a_client_that_was_not_asked_for_its_body_sends_nothing_more(
    path: str, serve: Serve
) -> None:
    """As in oven-sh/bun#33293: its next request would be read as the body."""
    gate = Gate()
    client = await serve(gate.main, concurrency=1, queue=0)
    held = await gate.hold(client)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n".encode()
        + b"Expect: 100-continue\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    gate.go.set()
    await asyncio.gather(*held)
    assert not head.startswith(b"HTTP/1.1 100 ")
    assert b"Connection: close" in head


@pytest.mark.parametrize("concurrency", [0, 1])
async def test_a_body_in_chunks_above_the_limit_is_413(serve: Serve, concurrency: int) -> None:
    async def main(body: bytes) -> None: ...

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x"

    client = await serve(main, max_body=10, concurrency=concurrency)
    assert await status(client, data=chunks()) == 413


async def test_a_small_body_that_inflates_above_the_limit_is_413(serve: Serve) -> None:
    async def main(body: bytes) -> None: ...

    client = await serve(main, max_body=100_000)
    assert await status(client, data=b"x" * 1_000_000, compress="gzip") == 413


async def test_a_client_that_expects_100_continue_is_told_once_it_has_a_place(
    serve: Serve,
) -> None:
    gate = Gate()
    client = await serve(gate.main, concurrency=1, queue=1, queue_timeout=60.0)
    held = await gate.hold(client)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    told = asyncio.create_task(reader.readline())
    await until_in_flight(client, 2)
    assert not told.done()
    gate.go.set()
    await asyncio.gather(*held)
    assert await told == b"HTTP/1.1 100 Continue\r\n"
    assert await reader.readline() == b"\r\n"
    writer.write(b"ok")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b" 200 " in head
    assert b"Connection" not in head


async def test_a_body_that_is_slow_to_arrive_gives_its_place_to_others(serve: Serve) -> None:
    async def main(body: bytes) -> bytes:
        return body

    client = await serve(main, concurrency=1, queue=1, queue_timeout=60.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\no")
    await until_in_flight(client, 1)
    assert await status(client, data=b"x") == 200
    writer.write(b"k")
    assert b" 200 " in await reader.readline()
    writer.close()


async def test_a_client_that_goes_away_while_it_sends_is_no_error_in_the_log(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(body: bytes) -> bytes:
        return body

    client = await serve(main)
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
    await until_in_flight(client, 1)
    writer.transport.abort()
    await until_in_flight(client, 0)
    assert [r for r in caplog.records if r.levelname in ("WARNING", "ERROR")] == []


async def test_the_caller_may_shorten_the_time_limit(serve: Serve) -> None:
    async def main() -> None:
        await asyncio.sleep(60)

    client = await serve(main, timeout=300.0)
    for asked in ("0.01", "0.01s"):
        assert await status(client, headers={"X-Timeout": asked}) == 504


async def test_the_caller_may_not_lengthen_the_time_limit(serve: Serve) -> None:
    async def main(context: Any) -> float | None:
        return context.remaining()  # type: ignore[no-any-return]

    client = await serve(main, timeout=5.0)
    async with client.post("/", headers={"X-Timeout": "1000"}) as response:
        assert 0 < await response.json() <= 5


@pytest.mark.parametrize("asked", ["soon", "", "-1", "0", "inf", "nan", "10m"])
async def test_a_time_limit_that_is_no_number_of_seconds_is_400(serve: Serve, asked: str) -> None:
    async def main() -> None: ...

    client = await serve(main)
    assert await status(client, headers={"X-Timeout": asked}) == 400


async def test_the_time_limit_of_one_does_not_strike_the_next(serve: Serve) -> None:
    gate = Gate()

    async def main(method: str, body: bytes) -> None:
        if method != "GET":
            await gate.main(body)

    short = {"X-Timeout": "0.05"}
    client = await serve(main)
    async with client.get("/", headers=short) as response:
        assert response.status == 204
    [following] = await gate.hold(client)
    assert await status(client, headers=short) == 504
    gate.go.set()
    assert await following == 204
