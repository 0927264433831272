"""What the access log says of an invocation."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.cloudevents.event import Event
from pyfunc.errors import Reject, Retry
from tests.support.apps import app_for
from tests.support.events import EVENT


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    caplog.set_level(logging.INFO, "pyfunc.access")
    return lambda: [r.__dict__ for r in caplog.records if r.name == "pyfunc.access"]


async def answers(req: web.Request) -> str:
    return "hello"


async def streams(req: web.Request) -> Any:
    yield "a"
    yield "bc"


async def fails(req: web.Request) -> None:
    raise ValueError


def rejects(body: bytes) -> None:
    raise Reject("no")


def retries(body: bytes) -> None:
    raise Retry


async def sleeps() -> None:
    await asyncio.Event().wait()


def returns_404() -> tuple[str, int]:
    return "", 404


def raises_404() -> None:
    raise web.HTTPNotFound


def cannot_be_sent() -> object:
    return object()


@pytest.mark.parametrize(
    ("function", "status", "outcome"),
    [
        (answers, 200, "success"),
        (streams, 200, "success"),
        (fails, 500, "failed"),
        (rejects, 422, "rejected"),
        (retries, 503, "retry"),
        (sleeps, 504, "timeout"),
        (returns_404, 404, "rejected"),
        (raises_404, 404, "rejected"),
        (cannot_be_sent, 500, "failed"),
    ],
)
async def test_an_invocation_is_one_line_with_its_outcome(
    function: Callable[..., Any],
    status: int,
    outcome: str,
    aiohttp_client: AiohttpClient,
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    limit = 0.01 if function is sleeps else 0
    client = await aiohttp_client(app_for(function, access_log=True, timeout=limit))
    response = await client.put("/some%20path?secret=1", data=b"x")
    await response.read()
    (line,) = lines()
    assert (line["method"], line["path"]) == ("PUT", "/some%20path")
    assert (line["status"], line["outcome"]) == (status, outcome)
    assert line["duration_ms"] > 0
    assert "secret" not in str(line)


async def test_the_bytes_of_a_stream_are_counted(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client = await aiohttp_client(app_for(streams, access_log=True))
    await (await client.get("/")).read()
    await (await client.get("/")).read()
    assert [line["bytes"] for line in lines()] == [3, 3]


async def breaks(req: web.Request) -> Any:
    yield "a"
    raise ValueError


async def test_a_stream_that_breaks_has_failed(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client = await aiohttp_client(app_for(breaks, access_log=True))
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await client.get("/")).read()
    (line,) = lines()
    assert (line["status"], line["bytes"], line["outcome"]) == (200, 1, "failed")


async def takes(event: Event) -> Any:
    event["type"] = "changed"
    if event["id"] == "bad":
        raise ValueError
    if event["id"] == "gone":
        return web.Response(status=404)
    return object() if event["id"] == "odd" else None


async def test_each_event_of_a_batch_is_a_line(
    aiohttp_client: AiohttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    from pyfunc.function.invocation import CURRENT

    seen = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            current = CURRENT.get()
            assert current is not None
            seen.append((current.fields["event_id"], record.__dict__["outcome"]))
            assert current.fields["event_type"] == "t"

    client = await aiohttp_client(app_for(takes, access_log=True))
    access = logging.getLogger("pyfunc.access")
    access.addHandler(handler := Handler())
    caplog.set_level(logging.INFO, "pyfunc.access")
    batch = [
        {"specversion": "1.0", "type": "t", "source": "/s", "id": name}
        for name in ("good", "bad", "gone", "odd")
    ]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    try:
        assert (await client.post("/", json=batch, headers=headers)).status == 500
    finally:
        access.removeHandler(handler)
    assert sorted(seen) == [
        ("bad", "failed"),
        ("gone", "rejected"),
        ("good", "success"),
        ("odd", "failed"),
    ]


async def test_a_request_that_leads_to_no_invocation_is_a_line(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client = await aiohttp_client(app_for(takes, access_log=True))
    assert (await client.post("/", headers={**EVENT, "ce-id": ""})).status == 400
    (line,) = lines()
    assert (line["status"], line["outcome"]) == (400, "invalid")


async def test_one_who_is_turned_away_is_a_line(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        entered.set()
        await leave.wait()

    client = await aiohttp_client(app_for(waits, access_log=True, concurrency=1))
    first = asyncio.create_task(client.get("/"))
    await entered.wait()
    assert (await client.get("/")).status == 503
    leave.set()
    await first
    assert [line["outcome"] for line in lines()] == ["unavailable", "success"]


async def test_a_caller_who_goes_away_is_a_line(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    entered, written = asyncio.Event(), asyncio.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.set()

    async def waits() -> None:
        entered.set()
        await asyncio.Event().wait()

    app = app_for(waits, access_log=True)
    client = await aiohttp_client(app, server_kwargs={"handler_cancellation": True})
    call = asyncio.create_task(client.get("/"))
    await entered.wait()
    logging.getLogger("pyfunc.access").addHandler(handler := Handler())
    call.cancel()
    await written.wait()
    logging.getLogger("pyfunc.access").removeHandler(handler)
    assert [(line["status"], line["outcome"]) for line in lines()] == [(None, "cancelled")]


async def test_probes_are_never_a_line(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client = await aiohttp_client(app_for(answers, access_log=True))
    for path in ("/healthz/live", "/healthz/ready", "/health/liveness", "/health/readiness"):
        assert (await client.get(path)).status == 200
    assert lines() == []


async def test_there_is_no_access_log_unless_asked_for(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client = await aiohttp_client(app_for(answers))
    await client.get("/")
    assert lines() == []


async def test_each_event_of_a_failed_batch_has_its_own_status(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    def takes(event: Event) -> None:
        if event.id == "bad":
            raise ValueError("a bad one")
        if event.id == "poor":
            raise Reject("not this one")

    one = {"source": "/s", "type": "t", "specversion": "1.0"}
    batch = [{**one, "id": id} for id in ("good", "bad", "poor")]
    client = await aiohttp_client(app_for(takes, access_log=True))
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    assert (await client.post("/", data=json.dumps(batch), headers=headers)).status == 500

    records = sorted(lines(), key=lambda record: record["outcome"])
    assert [(record["status"], record["outcome"]) for record in records] == [
        (500, "failed"),
        (422, "rejected"),
        (200, "success"),
    ]


async def test_a_rejected_request_has_its_reason(
    aiohttp_client: AiohttpClient, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client = await aiohttp_client(app_for(lambda data: data, access_log=True))
    await client.post("/", data=b"x", headers={"Content-Encoding": "foo", "ce-id": "1"})

    [record] = lines()
    assert record["status"] == 415
    assert record["reason"].startswith("the Content-Encoding is not known here")
