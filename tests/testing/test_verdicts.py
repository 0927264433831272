"""The verdict of a Knative broker, row by row of its data plane contract."""

from email.utils import formatdate
from time import time

import pytest
from multidict import CIMultiDict

from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode, encode, encode_batch
from pyfunc.testing.verdicts import Action, judge, reply_events

EVENT = Event({"type": "a.b", "source": "/me"}, {"n": 1})


def judged(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Action:
    return judge(status, CIMultiDict(headers or {}), body).action


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (101, "dead-letter"),
        (200, "acknowledge"),
        (202, "acknowledge"),
        (204, "acknowledge"),
        (302, "dead-letter"),
        (400, "dead-letter"),
        (401, "dead-letter"),
        (404, "retry"),
        (408, "retry"),
        (409, "retry"),
        (413, "dead-letter"),
        (415, "dead-letter"),
        (418, "dead-letter"),
        (422, "dead-letter"),
        (429, "retry"),
        (500, "retry"),
        (503, "retry"),
        (504, "retry"),
        (599, "retry"),
        (999, "retry"),
    ],
)
def test_empty_answer_is_judged_by_its_status(status: int, action: str) -> None:
    assert judged(status) == action


@pytest.mark.parametrize("mode", [ContentMode.BINARY, ContentMode.STRUCTURED])
def test_event_is_forwarded(mode: ContentMode) -> None:
    message = encode(EVENT, mode)
    verdict = judge(200, CIMultiDict(message.headers), message.body)
    assert verdict.ok
    assert verdict.sentence == (
        "A Knative broker would acknowledge the event and forward the reply:"
        " 200 with an event of type a.b."
    )


def test_event_in_a_202_is_dropped() -> None:
    message = encode(EVENT, ContentMode.BINARY)
    verdict = judge(202, CIMultiDict(message.headers), message.body)
    assert verdict.action is Action.ACKNOWLEDGE
    assert "dropped" in verdict.sentence


def test_batch_is_a_failed_delivery() -> None:
    message = encode_batch([EVENT, EVENT])
    assert judged(200, dict(message.headers), message.body) is Action.RETRY


@pytest.mark.parametrize(("events", "action"), [([EVENT, EVENT], "forward"), ([], "acknowledge")])
def test_batch_that_answers_a_batch_is_taken(events: list[Event], action: str) -> None:
    message = encode_batch(events)
    verdict = judge(200, CIMultiDict(message.headers), message.body, of_batch=True)
    assert verdict.action == action
    assert verdict.sentence.startswith("A sender of batches, which no Knative broker is, would ")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"Content-Type": "text/plain"}, b"OK", id="no event"),
        pytest.param({}, b"{}", id="no content type"),
        pytest.param({"ce-specversion": "1.0", "ce-id": "1"}, b"", id="attributes missing"),
        pytest.param({"Content-Type": "application/cloudevents+json"}, b"{", id="malformed"),
        pytest.param({"Content-Type": "application/cloudevents+avro"}, b"x", id="not JSON"),
    ],
)
def test_success_that_is_no_event_is_a_failed_delivery(
    headers: dict[str, str], body: bytes
) -> None:
    assert judged(200, headers, body) is Action.RETRY


def test_data_that_is_not_what_it_says_spoils_the_reply() -> None:
    message = encode(
        Event({**EVENT.attributes, "datacontenttype": "application/json"}, b"{"), ContentMode.BINARY
    )
    assert judged(200, dict(message.headers), message.body) is Action.RETRY


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_tells_when(status: int) -> None:
    verdict = judge(status, CIMultiDict({"Retry-After": "30"}), b"")
    assert verdict.retry_after == 30
    assert "after 30 seconds" in verdict.sentence


def test_retry_after_may_be_a_date() -> None:
    headers = CIMultiDict({"Retry-After": formatdate(time() + 3600, usegmt=True)})
    wait = judge(503, headers, b"").retry_after
    assert wait is not None
    assert 3500 < wait <= 3601


def test_retry_after_in_the_past_is_at_once() -> None:
    headers = CIMultiDict({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert judge(503, headers, b"").retry_after == 0


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", ""])
def test_retry_after_that_is_neither_is_ignored(text: str) -> None:
    verdict = judge(503, CIMultiDict({"Retry-After": text}), b"")
    assert verdict.retry_after is None
    assert "after the back-off of its delivery spec" in str(verdict)


def test_retry_after_of_another_status_is_not_heeded() -> None:
    assert judge(500, CIMultiDict({"Retry-After": "30"}), b"").retry_after is None


def test_answer_without_an_event_has_none() -> None:
    assert reply_events(CIMultiDict({"Content-Type": "text/plain"}), b"OK") == ()
