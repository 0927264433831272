import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from cloudevents.core.base import BaseCloudEvent

from pyfunc import Event
from pyfunc.cloudevents.data import JSON_TYPE, OCTETS, Payload, media_type
from pyfunc.cloudevents.event import DeadLetter
from pyfunc.cloudevents.http_binding import ContentMode, decode
from tests.cloudevents.strategies import REQUIRED


def test_new_event_is_completed_and_leaves_the_mapping_alone() -> None:
    given = {"type": "t", "source": "/s"}
    event = Event(given, {"a": 1})
    assert given == {"type": "t", "source": "/s"}
    assert str(uuid.UUID(event.id)) == event.id
    assert event.specversion == "1.0"
    assert event.time is not None
    assert event.time.tzinfo is not None
    assert event.data == {"a": 1}


def test_event_is_read_like_a_dict() -> None:
    event = Event({**REQUIRED, "subject": "s"})
    assert event["type"] == event.type == event.get_type() == "t"
    assert event.get("nothing", "default") == "default"
    assert "subject" in event
    assert set(event) == {*REQUIRED, "subject", "time"}
    assert len(event) == 6
    event["subject"] = "other"
    del event["time"]
    assert (event.subject, event.time) == ("other", None)


def test_event_that_is_not_valid_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="Bad: expected a name of lower-case letters and digits"):
        Event({**REQUIRED, "Bad": "x"})


def test_changes_leave_what_was_received() -> None:
    (event,) = decode(ContentMode.STRUCTURED, {}, json.dumps({**REQUIRED, "data": 1}).encode())
    event["type"] = "changed"
    event.attributes["more"] = 1
    event.data = 2
    assert event.original == {**REQUIRED, "datacontenttype": "application/json"}
    assert (event["type"], event["more"], event.data) == ("changed", 1, 2)


def test_payload_of_data_that_was_read_already_is_found_once() -> None:
    searches: list[None] = []

    def payload() -> Payload:
        searches.append(None)
        return Payload(b'{"a": 1}', media_type(JSON_TYPE))

    event = Event.received(dict(REQUIRED), payload, {"a": 1})

    assert (event.data, event.has_data, searches) == ({"a": 1}, True, [])
    assert event.payload is event.payload
    assert len(searches) == 1


@pytest.mark.parametrize(
    ("event", "has_data"),
    [
        pytest.param(Event(REQUIRED), False, id="new without"),
        pytest.param(Event(REQUIRED, ""), True, id="new, empty text"),
        pytest.param(Event.received({}, None), False, id="received without"),
        pytest.param(Event.received({}, Payload(b"", OCTETS)), False, id="received, empty"),
        pytest.param(Event.received({}, Payload(b"1", OCTETS)), True, id="received"),
        pytest.param(Event.received({}, None, None), True, id="received, JSON null"),
    ],
)
def test_empty_data_is_no_data_unless_it_is_null(event: Event, has_data: bool) -> None:
    assert event.has_data is has_data


def test_event_has_the_getters_of_the_sdk() -> None:
    getters = {name for name in vars(BaseCloudEvent) if name.startswith("get_")}

    assert getters
    assert getters <= set(dir(Event))


@pytest.mark.parametrize(
    ("extensions", "letter"),
    [
        ({}, None),
        (
            {
                "knativeerrorcode": "500",
                "knativeerrordest": "http://a.example",
                "knativeerrordata": base64.b64encode(b'{"detail": "no"}').decode(),
            },
            DeadLetter(500, "http://a.example", b'{"detail": "no"}'),
        ),
        ({"knativeerrorcode": 500}, DeadLetter(500, None, b"")),
        ({"knativeerrorcode": "none"}, DeadLetter(None, None, b"")),
        ({"knativeerrordata": "plain text"}, DeadLetter(None, None, b"plain text")),
        ({"knativeerrordata": "\u20ac"}, DeadLetter(None, None, "\u20ac".encode())),
    ],
)
def test_dead_letters_are_decoded(extensions: Mapping[str, Any], letter: DeadLetter | None) -> None:
    assert Event({**REQUIRED, **extensions}).dead_letter == letter
