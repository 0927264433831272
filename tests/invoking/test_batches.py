"""Batches, over HTTP: one call an event, or one call for all; and one answer."""

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse, web

from pyfunc import Context, Event, Reject, Retry
from pyfunc.function.invocation import CURRENT
from tests.support.apps import Client, Serve

BATCH = "application/cloudevents-batch+json"


def event(id: str, **members: Any) -> dict[str, Any]:
    return {"id": id, "source": "/s", "type": "t", "specversion": "1.0", **members}


def events(*ids: str) -> list[dict[str, Any]]:
    return [event(id, data=id) for id in ids]


async def deliver(client: Client, batch: Any, **headers: str) -> ClientResponse:
    body = batch if isinstance(batch, bytes) else json.dumps(batch).encode()
    return await client.post("/", data=body, headers={"Content-Type": BATCH, **headers})


async def replies(response: ClientResponse) -> list[dict[str, Any]]:
    assert response.status == 200, await response.text()
    assert response.headers["Content-Type"] == BATCH
    found = await response.json(content_type=None)
    assert isinstance(found, list)
    return found


async def outcomes(response: ClientResponse, status: int) -> list[tuple[str, str, int]]:
    problem = await response.json(content_type=None)
    assert response.status == problem["status"] == status
    assert [told["index"] for told in problem["outcomes"]] == list(range(len(problem["outcomes"])))
    return [(told["id"], told["outcome"], told["status"]) for told in problem["outcomes"]]


async def test_function_of_events_is_called_once_with_all(serve: Serve) -> None:
    calls: list[list[str]] = []

    def main(events: list[Event]) -> list[Event]:
        calls.append([event.id for event in events])
        return events

    client = await serve(main)
    sent = await replies(await deliver(client, events("1", "2", "3")))
    assert calls == [["1", "2", "3"]]
    assert [reply["id"] for reply in sent] == ["1", "2", "3"]


async def test_function_of_events_gets_a_list_of_one_for_one_event(serve: Serve) -> None:
    def main(events: list[Event]) -> dict[str, int]:
        return {"count": len(events)}

    client = await serve(main)
    headers = {"Content-Type": "application/cloudevents+json"}
    response = await client.post("/", data=json.dumps(event("1")), headers=headers)
    assert await response.json() == {"count": 1}


async def test_replies_to_events_of_a_batch_are_told_from_duplicates(serve: Serve) -> None:
    """A changed event gets an id of its own, whichever event of the batch it was (M42)."""

    def main(events: list[Event]) -> list[Event]:
        events[1]["type"] = "changed"
        return events

    client = await serve(main)
    sent = await replies(await deliver(client, events("1", "2", "3")))
    assert [reply["id"] for reply in sent][::2] == ["1", "3"]
    assert sent[1]["id"] != "2"


async def test_calls_are_made_at_a_time_up_to_the_limit_and_replies_are_in_order(
    serve: Serve,
) -> None:
    running, most = 0, 0
    gate = asyncio.Event()

    async def main(event: Event) -> tuple[dict[str, Any], str]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            gate.set()
        await gate.wait()
        running -= 1
        return {"type": "r"}, event.id

    client = await serve(main, batch_concurrency=3)
    sent = await replies(await deliver(client, events(*"abcdefg")))
    assert [reply["data"] for reply in sent] == list("abcdefg")
    assert most == 3


async def test_the_limit_of_invocations_holds_for_batches(serve: Serve) -> None:
    running, most = 0, 0

    async def main(event: Event) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    client = await serve(main, concurrency=2, queue=1)
    answers = await asyncio.gather(*[deliver(client, events(*"abcdef")) for _ in range(2)])
    assert [answer.status for answer in answers] == [200, 200]
    assert most == 2
    assert (await deliver(client, events("a"))).status == 200  # every place was given back


async def test_sync_functions_run_side_by_side(serve: Serve) -> None:
    from threading import Barrier

    barrier = Barrier(2, timeout=10)

    def main(event: Event) -> None:
        barrier.wait()

    client = await serve(main, batch_concurrency=2)
    assert (await deliver(client, events("1", "2"))).status == 200


async def test_events_do_not_see_the_context_of_others(serve: Serve) -> None:
    seen: ContextVar[str] = ContextVar("seen", default="nothing")

    async def main(event: Event) -> tuple[dict[str, Any], str]:
        before = seen.get()
        seen.set(event.id)
        return {"type": "r"}, before

    client = await serve(main, batch_concurrency=1)
    sent = await replies(await deliver(client, events("1", "2")))
    assert [reply["data"] for reply in sent] == ["nothing", "nothing"]


async def test_calls_await_in_the_context_and_the_task_that_they_began_in(serve: Serve) -> None:
    seen: ContextVar[str] = ContextVar("seen", default="nothing")

    async def child(asked: list[str]) -> None:
        asked.append(seen.get())

    async def main(event: Event) -> tuple[dict[str, Any], list[str]]:
        task = asyncio.current_task()
        found: list[str] = []
        token = seen.set(event.id)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(20)
        async with asyncio.TaskGroup() as group:
            group.create_task(child(found))
            await asyncio.sleep(0)
        found.append(seen.get())
        seen.reset(token)
        assert asyncio.current_task() is task
        return {"type": "r"}, [*found, seen.get()]

    client = await serve(main, batch_concurrency=2)
    sent = await replies(await deliver(client, events("1", "2", "3")))
    assert [reply["data"] for reply in sent] == [[id, id, "nothing"] for id in "123"]


async def test_events_without_a_trace_are_at_the_place_of_their_delivery(serve: Serve) -> None:
    def main(event: Event, context: Context) -> tuple[dict[str, Any], str]:
        return {"type": "r"}, context.traceparent

    own = f"00-{'1' * 32}-{'2' * 16}-01"
    client = await serve(main)
    batch = [event("1", traceparent=own), event("2"), event("3", traceparent="none"), event("4")]
    first, second, third, fourth = await replies(await deliver(client, batch))
    assert (first["data"], first["traceparent"]) == (own, own)
    assert second["data"] == second["traceparent"] == fourth["data"]
    assert third["data"] not in (own, "none")
    named = await replies(await deliver(client, batch[1:], **{"X-Request-Id": "mine"}))
    assert named[0]["data"] == named[2]["data"]

    hop = f"00-{'3' * 32}-{'4' * 16}-01"
    sent = await replies(await deliver(client, batch, traceparent=hop))
    assert [reply["data"] for reply in sent] == [hop] * 4


async def test_one_reply_alone_is_a_batch_too_and_none_is_nothing(serve: Serve) -> None:
    def main(event: Event) -> Any:
        return ({"type": "r"}, 1) if event.id == "2" else None

    client = await serve(main)
    assert len(await replies(await deliver(client, events("1", "2")))) == 1
    response = await deliver(client, events("1"))
    assert (response.status, await response.read()) == (200, b"")
    assert "Content-Type" not in response.headers


async def test_a_sender_that_wants_no_reply_gets_none(serve: Serve) -> None:
    def main(event: Event) -> Event:
        return event

    client = await serve(main)
    response = await deliver(client, events("1", "2"), Prefer="return=minimal")
    assert (response.status, await response.read()) == (200, b"")


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (event("", data=1), "[1].id: expected a value, found an empty one"),
        ({"id": "2"}, "[1].source: missing"),
        (event("2", data=1, data_base64="YQ=="), "[1].data: expected either data or data_base64"),
        (event("2", datacontenttype="text/plain", data_base64="/w=="), "[1].data: the body is not"),
        (event("2", datacontenttype="a/json", data_base64="/w=="), "[1].data: malformed JSON"),
    ],
)
@pytest.mark.parametrize("typed", [False, True])
async def test_one_malformed_event_spoils_the_delivery_before_any_call(
    serve: Serve, bad: Any, fault: str, typed: bool
) -> None:
    calls: list[Any] = []

    def plain(data: Any) -> None:
        calls.append(data)

    def of_a_type(data: dict[str, int]) -> None:
        calls.append(data)

    client = await serve(of_a_type if typed else plain)
    response = await deliver(client, [event("1", data={}), bad, event("3", data={})])
    assert response.status == 400
    assert fault in (await response.text()).replace('\\"', '"')
    assert calls == []


MALFORMED = {"datacontenttype": "application/json", "data_base64": "/w=="}


async def test_the_data_of_a_batch_is_not_decoded_for_a_function_of_attributes(
    serve: Serve,
) -> None:
    client = await serve(lambda attributes: None)
    assert (await deliver(client, [event("1", **MALFORMED)])).status == 200


async def test_the_first_hundred_malformed_events_of_a_batch_are_listed(serve: Serve) -> None:
    client = await serve(lambda data: None)
    response = await deliver(client, [event(str(n), **MALFORMED) for n in range(102)])
    errors = (await response.json())["errors"]
    assert (response.status, len(errors), errors[-1]) == (400, 101, "and more")


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"[[]]", b"[", b"null", b"", b"\xff"])
async def test_what_is_no_array_of_events_is_400(serve: Serve, body: bytes) -> None:
    client = await serve(lambda event: None)
    assert (await deliver(client, body)).status == 400


async def test_data_that_does_not_fit_is_the_outcome_of_its_event(serve: Serve) -> None:
    @dataclass
    class Order:
        number: int

    handled: list[int] = []

    def main(data: Order) -> None:
        handled.append(data.number)

    main.__annotations__["data"] = Order
    client = await serve(main)
    batch = [event("1", data={"number": 1}), event("2", data={"number": "x"})]
    assert await outcomes(await deliver(client, batch), 422) == [
        ("1", "done", 200),
        ("2", "drop", 422),
    ]
    assert handled == [1]


def failing(event: Event) -> None:
    """Fails as the event's data says."""
    fail: dict[str, Callable[[], BaseException]] = {
        "reject": lambda: Reject("no"),
        "gone": lambda: Reject("gone", status=410),
        "retry": lambda: Retry("later"),
        "retry 5": lambda: Retry("later", after=5),
        "retry 60": lambda: Retry("later", after=60),
        "crash": lambda: ValueError("secret"),
        "busy": lambda: web.HTTPConflict(),
        "teapot": lambda: web.HTTPException.__new__(web.HTTPNotAcceptable),
    }
    if event.data in fail and event.data != "teapot":
        raise fail[event.data]()


@pytest.mark.parametrize(
    ("does", "status", "retry_after"),
    [
        (["fine", "reject"], 422, None),
        (["reject", "gone"], 422, None),
        (["reject", "crash", "fine"], 500, None),
        (["busy", "reject"], 409, None),
        (["crash", "retry"], 503, None),
        (["retry 5", "retry 60", "retry", "reject"], 503, "60"),
        (["retry 60", "crash"], 503, "60"),
    ],
)
async def test_the_gravest_outcome_is_that_of_the_delivery(
    serve: Serve, does: list[str], status: int, retry_after: str | None
) -> None:
    client = await serve(failing)
    response = await deliver(client, [event(str(n), data=what) for n, what in enumerate(does)])
    told = await outcomes(response, status)
    assert [id for id, _, _ in told] == [str(n) for n in range(len(does))]
    assert response.headers.get("Retry-After") == retry_after


async def test_outcomes_name_what_to_do_and_keep_secrets(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(failing)
    does = ["fine", "reject", "crash"]
    response = await deliver(client, [event(what, data=what) for what in does])
    assert await outcomes(response, 500) == [
        ("fine", "done", 200),
        ("reject", "drop", 422),
        ("crash", "repeat", 500),
    ]
    text = await response.text()
    assert "2 of 3 events failed: send the batch again" in text
    assert "secret" not in text
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_all_events_are_tried_though_one_failed(serve: Serve) -> None:
    tried: list[str] = []

    async def main(event: Event) -> None:
        tried.append(event.id)
        raise Reject("no")

    client = await serve(main, batch_concurrency=1)
    assert (await deliver(client, events("1", "2", "3"))).status == 422
    assert tried == ["1", "2", "3"]


async def test_an_invalid_reply_is_the_outcome_of_its_event(serve: Serve) -> None:
    def main(event: Event) -> Any:
        return ({"type": "a\nb" if event.id == "2" else "r"}, 1)

    client = await serve(main)
    assert await outcomes(await deliver(client, events("1", "2")), 500) == [
        ("1", "done", 200),
        ("2", "repeat", 500),
    ]


async def test_an_invalid_reply_is_told_beside_another_failure(serve: Serve) -> None:
    async def main(event: Event) -> Any:
        if event.id == "1":
            raise Reject("no")
        return ({"type": "a\nb" if event.id == "2" else "r"}, 1)

    client = await serve(main)
    assert await outcomes(await deliver(client, events("1", "2", "3")), 500) == [
        ("1", "drop", 422),
        ("2", "repeat", 500),
        ("3", "done", 200),
    ]


async def test_an_invalid_reply_is_logged_with_the_ids_of_its_event(serve: Serve) -> None:
    told: list[str] = []

    class Ids(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            invocation = CURRENT.get()
            told.append(invocation.event.id if invocation else "none")

    async def main(event: Event) -> Any:
        return ({"type": "a\nb" if event.id == "7" else "r"}, 1)

    client = await serve(main)
    ids = Ids(logging.ERROR)
    logging.getLogger("pyfunc").addHandler(ids)
    try:
        response = await deliver(client, events(*map(str, range(40))))
    finally:
        logging.getLogger("pyfunc").removeHandler(ids)
    assert [id for id, what, _ in await outcomes(response, 500) if what != "done"] == ["7"]
    assert told == ["7"]


async def test_an_invalid_reply_fails_the_delivery_where_no_reply_is_wanted(serve: Serve) -> None:
    async def main(event: Event) -> Any:
        return {"type": "a\nb"}, 1

    client = await serve(main)
    response = await deliver(client, events("1"), Prefer="return=minimal")
    assert response.status == 500


async def test_a_reply_is_what_it_was_when_the_function_gave_it_back(serve: Serve) -> None:
    """Whatever becomes of its parts in calls that follow."""
    data: dict[str, Any] = {}
    reply = Event({"type": "r", "source": "/r"}, data)

    async def as_event(event: Event) -> Event:
        reply["subject"] = data["now"] = event.id
        return reply

    async def as_pair(event: Event) -> Any:
        data["now"] = event.id
        return {"type": "r"}, data

    sent = await replies(await deliver(await serve(as_event), events("1", "2", "3")))
    assert [(one["subject"], one["data"]["now"]) for one in sent] == [(n, n) for n in "123"]
    sent = await replies(await deliver(await serve(as_pair), events("1", "2", "3")))
    assert [one["data"]["now"] for one in sent] == ["1", "2", "3"]


async def test_responses_of_functions_count_by_their_status(serve: Serve) -> None:
    async def main(event: Event) -> web.Response:
        return web.Response(status=404 if event.id == "2" else 200, text="x")

    client = await serve(main)
    assert (await deliver(client, events("1"))).status == 200
    assert (await outcomes(await deliver(client, events("1", "2")), 404))[1][1] == "repeat"


async def test_the_time_limit_is_that_of_the_delivery(serve: Serve) -> None:
    started: list[str] = []

    async def main(event: Event) -> None:
        started.append(event.id)
        await asyncio.Event().wait()

    client = await serve(main, timeout=0.05, batch_concurrency=1)
    told = await outcomes(await deliver(client, events("1", "2")), 504)
    assert [status for _, _, status in told] == [504, 504]
    assert started == ["1"]


async def test_generators_reply_with_several_events_in_order(serve: Serve) -> None:
    async def main(event: Event) -> Any:
        yield {"type": "r"}, event.id + "a"
        yield {"type": "r"}, event.id + "b"

    client = await serve(main)
    sent = await replies(await deliver(client, events("1", "2")))
    assert [reply["data"] for reply in sent] == ["1a", "1b", "2a", "2b"]


async def test_every_kind_of_data_comes_back_from_a_batch(serve: Serve) -> None:
    def main(attributes: dict[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
        return attributes, data

    client = await serve(main)
    batch = [
        event("1", datacontenttype="application/json", data={"a": [1, None, "x"]}),
        event("2", datacontenttype="text/plain", data="text"),
        event("3", datacontenttype="image/png", data_base64=base64.b64encode(b"\x00").decode()),
        event("4"),
        event("5", data=None, datacontenttype="application/json"),
        event("6", subject="a b \u20ac %", flag=True, count=3),
    ]
    assert await replies(await deliver(client, batch)) == batch
