"""The ids of an invocation: in its context, its response and its reply."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.cloudevents.event import Event
from pyfunc.errors import Reject
from pyfunc.function.invocation import Context, Invocation, share_trace
from tests.support.apps import app_for
from tests.support.events import EVENT, EXTENSION, HEADER


def answers(context: Context) -> dict[str, Any]:
    return {
        "id": context.id,
        "traceparent": context.traceparent,
        "headers": context.headers(),
    }


async def test_the_context_says_what_an_outgoing_call_should_send(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(app_for(answers))
    sent = {"traceparent": HEADER, "tracestate": "a=1", "X-Request-Id": "mine"}
    response = await client.get("/", headers=sent)
    assert response.headers["X-Request-Id"] == "mine"
    assert await response.json() == {"id": "mine", "traceparent": HEADER, "headers": sent}


async def test_ids_are_made_where_none_came(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(answers))
    first, second = [await client.get("/") for _ in range(2)]
    said = await first.json()
    assert first.headers["X-Request-Id"] == said["id"] == said["headers"]["X-Request-Id"]
    assert said["headers"]["traceparent"] == said["traceparent"]
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


async def prepares(req: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(req)
    return response


async def streams(req: web.Request) -> Any:
    yield "a"


async def fails(req: web.Request) -> None:
    raise ValueError


async def rejects(req: web.Request) -> None:
    raise Reject("no")


async def chooses(req: web.Request) -> None:
    raise web.HTTPNotFound


@pytest.mark.parametrize(
    ("function", "status"),
    [(prepares, 200), (streams, 200), (fails, 500), (rejects, 422), (chooses, 404)],
)
async def test_every_response_names_its_request(
    function: Callable[..., Any], status: int, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(app_for(function))
    response = await client.get("/", headers={"X-Request-Id": "mine"})
    assert response.status == status
    assert response.headers["X-Request-Id"] == "mine"


async def test_a_request_that_is_no_event_is_named_too(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(relays))
    response = await client.get("/")
    assert response.status == 405
    assert len(response.headers["X-Request-Id"]) == 32


def relays(event: Event) -> Event:
    return event


def replies(event: Event) -> tuple[dict[str, Any], str]:
    return {"type": "reply"}, "data"


@pytest.mark.parametrize("function", [relays, replies])
@pytest.mark.parametrize("mode", ["binary", "structured"])
async def test_a_reply_carries_the_hop_on(
    function: Callable[..., Any], mode: str, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(app_for(function, reply_mode=mode))
    sent = {**EVENT, "traceparent": HEADER, "tracestate": "a=1"}
    response = await client.post("/", headers=sent)
    assert response.headers["traceparent"] == HEADER
    assert response.headers["tracestate"] == "a=1"
    if mode == "binary":
        attributes = {n: response.headers[f"ce-{n}"] for n in ("traceparent", "tracestate")}
    else:
        attributes = await response.json(content_type=None)
    assert attributes["traceparent"] == HEADER
    assert attributes["tracestate"] == "a=1"


async def test_a_reply_keeps_the_start_of_its_trace(aiohttp_client: AiohttpClient) -> None:
    """The extension is the start of the trace, the header the hop (M58)."""
    client = await aiohttp_client(app_for(relays))
    sent = {**EVENT, "traceparent": HEADER, "ce-traceparent": EXTENSION}
    response = await client.post("/", headers=sent)
    assert response.headers["ce-traceparent"] == EXTENSION
    assert response.headers["traceparent"] == HEADER
    assert "ce-tracestate" not in response.headers


async def test_a_reply_continues_the_events_trace_where_no_header_came(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(app_for(replies))
    response = await client.post("/", headers={**EVENT, "ce-traceparent": EXTENSION})
    assert response.headers["ce-traceparent"] == EXTENSION
    assert response.headers["traceparent"] == EXTENSION


async def test_a_reply_starts_a_trace_where_none_came(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(replies))
    response = await client.post("/", headers=EVENT)
    assert response.headers["ce-traceparent"] == response.headers["traceparent"]
    assert response.headers["X-Request-Id"] in response.headers["traceparent"]


def test_the_ids_are_those_of_the_event_that_was_received() -> None:
    event = Event.received({"id": "1", "source": "/s", "type": "t"}, None)
    invocation = Invocation(make_mocked_request("POST", "/"), b"", [event])
    event["id"] = "2"
    fields = invocation.fields
    assert (fields["event_id"], fields["event_type"], fields["event_source"]) == ("1", "t", "/s")
    assert fields["invocation_id"] == invocation.id


def test_deadline_is_the_time_left() -> None:
    request = make_mocked_request("GET", "/")
    late = Invocation(request, b"", deadline=time.monotonic() - 1)
    early = Invocation(request, b"", deadline=time.monotonic() + 60)

    assert Invocation(request, b"").context.remaining() is None
    assert late.context.remaining() == 0.0
    assert 0 < (early.context.remaining() or 0) <= 60
    assert early.context.deadline == early.deadline


def test_unknown_name_of_the_context_is_reported_with_all_names() -> None:
    context = Invocation(make_mocked_request("GET", "/"), b"").context

    with pytest.raises(AttributeError) as caught:
        context.nothing  # noqa: B018

    assert str(caught.value) == (
        "the context has no nothing; it has deadline, headers, id, logger, remaining, traceparent"
    )


def test_events_of_a_batch_without_a_trace_share_one() -> None:
    request = make_mocked_request("POST", "/")
    events = [
        Event.received(attributes, None) for attributes in ({}, {"traceparent": EXTENSION}, {})
    ]
    first, traced, last = invocations = [Invocation(request, b"", [event]) for event in events]

    share_trace(invocations)

    assert first.trace is last.trace
    assert traced.trace.traceparent == EXTENSION
