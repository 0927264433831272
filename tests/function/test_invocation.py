"""Ids: what comes with a request, what is made, and where it goes on."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.cloudevents.event import Event
from pyfunc.errors import Reject
from pyfunc.function.invocation import Context, Invocation
from pyfunc.function.trace_context import request_id, trace_context
from tests.support.apps import app_for
from tests.support.events import EVENT, EXTENSION, HEADER, TRACE


def ids_of(headers: dict[str, str], attributes: dict[str, Any] | None = None) -> tuple[str, ...]:
    found = trace_context(CIMultiDict(headers), attributes, "not hexadecimal")
    return found.trace_id, found.span_id, found.flags, found.state


@pytest.mark.parametrize(
    ("headers", "attributes", "trace_id"),
    [
        pytest.param({"traceparent": HEADER}, None, TRACE, id="header"),
        pytest.param({"Traceparent": HEADER}, {"traceparent": EXTENSION}, TRACE, id="header wins"),
        pytest.param({}, {"traceparent": EXTENSION}, "1" * 32, id="extension"),
        pytest.param({"traceparent": "x"}, {"traceparent": EXTENSION}, "1" * 32, id="bad header"),
        pytest.param({"traceparent": f"01{HEADER[2:]}-more"}, None, TRACE, id="later version"),
    ],
)
def test_the_trace_is_the_headers_else_the_events(
    headers: dict[str, str], attributes: dict[str, Any] | None, trace_id: str
) -> None:
    assert ids_of(headers, attributes)[0] == trace_id


@pytest.mark.parametrize(
    "traceparent",
    [
        pytest.param(f"ff{HEADER[2:]}", id="version ff"),
        pytest.param(HEADER.upper(), id="upper case"),
        pytest.param(f"{HEADER}-more", id="more in version 00"),
        pytest.param(HEADER.replace(TRACE, "0" * 32), id="no trace"),
        pytest.param(HEADER.replace("00f067aa0ba902b7", "0" * 16), id="no span"),
        pytest.param(HEADER[:-1], id="short"),
        pytest.param("", id="empty"),
        pytest.param("00-" + "a" * 100_000, id="long"),
    ],
)
def test_a_traceparent_that_is_none_starts_a_new_trace(traceparent: str) -> None:
    trace_id, span_id, flags, state = ids_of({"traceparent": traceparent, "tracestate": "a=1"})
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id)
    assert re.fullmatch(r"[0-9a-f]{16}", span_id)
    assert trace_id != TRACE
    assert (flags, state) == ("00", "")


def test_two_traceparents_start_a_new_trace() -> None:
    headers = CIMultiDict([("traceparent", HEADER), ("traceparent", HEADER)])
    assert trace_context(headers, None, "x").trace_id != TRACE


def test_tracestates_are_joined_and_unusable_ones_dropped() -> None:
    headers = CIMultiDict([("traceparent", HEADER), ("tracestate", "a=1"), ("tracestate", "b=2")])
    assert trace_context(headers, None, "x").state == "a=1,b=2"
    assert ids_of({"traceparent": HEADER, "tracestate": "a" * 513})[3] == ""
    assert ids_of({"traceparent": HEADER, "tracestate": "a=\xff"})[3] == ""


def test_only_flags_that_are_defined_are_handed_on() -> None:
    assert ids_of({"traceparent": f"{HEADER[:-2]}ff"})[2] == "03"


def test_a_trace_that_starts_here_is_named_after_the_request() -> None:
    made = request_id(CIMultiDict())
    assert trace_context(CIMultiDict(), None, made).trace_id == made


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param("abc-123_~:/+=@.Z", True, id="usual characters"),
        pytest.param("a" * 128, True, id="128 characters"),
        pytest.param("a" * 129, False, id="129 characters"),
        pytest.param("", False, id="empty"),
        pytest.param("a b", False, id="space"),
        pytest.param('a"b', False, id="quote"),
        pytest.param("a\x1b[2J", False, id="escape"),
        pytest.param("\xe4", False, id="not ASCII"),
    ],
)
def test_a_request_id_is_taken_over_where_it_is_harmless(given: str, taken: bool) -> None:
    found = request_id(CIMultiDict({"X-Request-Id": given}))
    assert (found == given) is taken
    assert re.fullmatch(r"[!-~]{1,128}", found)


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
