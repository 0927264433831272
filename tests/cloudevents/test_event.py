"""Events, decoded and encoded without a server; and what comes back from one that echoes them."""

import asyncio
import base64
import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from pyfunc import Event
from pyfunc.cloudevents.event import DeadLetter
from pyfunc.cloudevents.http_binding import (
    ContentMode,
    Message,
    content_mode,
    decode,
    encode,
    encode_batch,
)
from pyfunc.cloudevents.json_format import BATCH_TYPE, STRUCTURED_TYPE
from pyfunc.errors import InvalidEventError, ReplyError, RequestError
from tests.support.apps import Client, Serve

REQUIRED = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}


def read(message: Message) -> list[Event]:
    mode = content_mode(CIMultiDict(message.headers))
    assert mode is not None
    return decode(mode, CIMultiDict(message.headers), message.body)


# --- the class ------------------------------------------------------------------------------------


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


# --- what a function puts into an attribute -------------------------------------------------------


class Colour(Enum):
    RED = "red"


class Number(int):
    """A number of somebody's own."""


EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("value", "header", "member"),
    [
        (True, "true", True),
        (False, "false", False),
        (7, "7", 7),
        (Number(7), "7", 7),
        (-(2**31), "-2147483648", -(2**31)),
        (2**31, "2147483648", "2147483648"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006Z", ...),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z", ...),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=EAST), "2026-01-02T03:04:05+05:30", ...),
        (b"\x00\xff", "AP8=", ...),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", ...),
        (Colour.RED, "red", ...),
        ("", "", ""),
    ],
    ids=lambda value: f"{type(value).__name__} {ascii(value)[:60]}",
)
def test_values_are_written_in_their_canonical_form(value: Any, header: str, member: Any) -> None:
    event = Event({**REQUIRED, "ext": value})
    assert dict(encode(event, ContentMode.BINARY).headers)["ce-ext"] == header
    document = json.loads(encode(event, ContentMode.STRUCTURED).body)
    assert document["ext"] == (header if member is ... else member)


@pytest.mark.parametrize("name", ["id", "subject"])
def test_numbers_become_text_where_text_is_asked_for(name: str) -> None:
    event = Event({**REQUIRED, name: 5})
    assert json.loads(encode(event, ContentMode.STRUCTURED).body)[name] == "5"


def test_none_is_unset() -> None:
    assert "ext" not in Event({**REQUIRED, "ext": None})


@pytest.mark.parametrize(
    "value",
    ["a\r\nb: c", "\r", "\n", "a\0b", "\ud800", "\x7f", "\uffff", 1.5, math.nan, [], {}, object()],
    ids=lambda value: ascii(value)[:12],
)
@pytest.mark.parametrize("name", ["ext", "subject", "type", "id", "datacontenttype"])
def test_values_that_are_none_are_refused(name: str, value: Any) -> None:
    event = Event.unchecked({**REQUIRED, name: value}, None)
    for mode in (None, ContentMode.BINARY, ContentMode.STRUCTURED):
        with pytest.raises(ReplyError, match=f"{name}: expected "):
            encode(event, mode)


@pytest.mark.parametrize("name", ["a\r\nb", "a:b", "", "A", "a b", "a-b", "\ud800", 5, None, b"a"])
def test_names_that_are_none_are_refused(name: Any) -> None:
    event = Event.unchecked({**REQUIRED, name: "x"}, None)
    with pytest.raises(ReplyError, match="expected a name"):
        encode(event)


def test_value_too_long_for_a_header_goes_out_structured() -> None:
    event = Event({**REQUIRED, "ext": "x" * 5000})
    assert encode(event).headers == [("Content-Type", STRUCTURED_TYPE)]


def test_text_that_its_charset_lacks_goes_out_structured() -> None:
    event = Event({**REQUIRED, "datacontenttype": "text/plain; charset=latin-1"}, "\u20ac")
    assert read(encode(event)) == [event]
    with pytest.raises(ReplyError, match="no form in the charset"):
        encode(event, ContentMode.BINARY)


# --- any event ------------------------------------------------------------------------------------

CHARACTERS = st.characters(
    exclude_categories=["Cs", "Cc", "Cn"],
    exclude_characters=[chr(c) for c in (*range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)],
)
TEXT = st.text(CHARACTERS, min_size=1, max_size=20) | st.sampled_from(["%41", "%", '"q"', "\\"])
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
TIMES = st.datetimes(
    min_value=datetime(1000, 1, 1),
    timezones=st.just(UTC),
).map(lambda t: t.isoformat().replace("+00:00", "Z"))
EXTENSIONS = st.dictionaries(
    NAMES.filter(
        lambda name: name not in {"data", "time", "subject", "dataschema", "datacontenttype"}
    ).filter(lambda name: name not in {*REQUIRED, "schemaurl", "datacontentencoding"}),
    st.text(CHARACTERS, max_size=20) | st.booleans() | st.integers(-(2**31), 2**31 - 1),
    max_size=4,
)
ATTRIBUTES = st.builds(
    lambda required, optional, extensions: {**extensions, **optional, **required},
    st.fixed_dictionaries(
        {"id": TEXT, "source": TEXT, "type": TEXT, "specversion": st.sampled_from(["1.0", "0.3"])}
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "subject": TEXT,
            "time": TIMES,
            "dataschema": st.from_regex(r"[a-z]{1,8}:[!-~]{0,20}", fullmatch=True),
        },
    ),
    EXTENSIONS,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)
DATA = st.one_of(
    st.just((None, None)),
    st.tuples(st.sampled_from(["application/json", "text/json", "a/b+json; x=y"]), JSON),
    st.tuples(
        st.sampled_from(["text/plain", "text/html; charset=utf-8", "text/csv; charset=utf-16"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    ),
    st.tuples(
        st.sampled_from(["application/octet-stream", "image/png", "application/xml"]),
        st.binary(min_size=1),
    ),
)


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    content_type, data = draw(DATA)
    attributes = draw(ATTRIBUTES)
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    event = Event.unchecked(attributes, data)
    event.has_data = data is not None or content_type is not None
    return event


def as_text(event: Event) -> Event:
    """Binary mode knows strings only."""
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in event.attributes.items()
    }
    return Event.unchecked(attributes, event.data)


@given(any_event())
def test_any_event_is_read_as_it_was_written(event: Event) -> None:
    assert read(encode(event, ContentMode.BINARY)) == [as_text(event)]
    assert read(encode(event, ContentMode.STRUCTURED)) == [event]
    assert read(encode_batch([event, event])) == [event, event]


def echo(attributes: dict[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
    return attributes, data


async def round_trip(client: Client, message: Message) -> list[Event]:
    response = await client.post(
        "/",
        data=message.body,
        headers=CIMultiDict(message.headers),
        skip_auto_headers=["Content-Type"],
    )
    body = await response.read()
    assert response.status == 200, body
    return read(Message(list(response.headers.items()), body))


@pytest.mark.parametrize("reply_mode", ["auto", "binary", "structured"])
async def test_any_event_comes_back_equal_in_every_mode(serve: Serve, reply_mode: str) -> None:
    client = await serve(echo, reply_mode=reply_mode)
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(any_event())
    def check(event: Event) -> None:
        def trip(message: Message) -> list[Event]:
            return asyncio.run_coroutine_threadsafe(round_trip(client, message), loop).result()

        (back,) = trip(encode(event, ContentMode.BINARY))
        assert as_text(back) == as_text(event)
        (back,) = trip(encode(event, ContentMode.STRUCTURED))
        assert as_text(back) == as_text(event)
        assert trip(encode_batch([event, event])) == [event, event]

    await asyncio.to_thread(check)


@dataclass
class Point:
    x: Any
    y: Any


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes()
    | st.uuids()
    | st.decimals()
    | st.just(object())
    | st.just(Colour.RED)
    | st.builds(lambda data: Event({"type": "t", "source": "/s"}, data), st.binary()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.sampled_from(sorted(REQUIRED)), inner)
        | st.builds(Point, inner, inner)
        | st.tuples(
            st.dictionaries(st.text() | NAMES | st.sampled_from(["id", "type"]), inner), inner
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("reply_mode", ["auto", "binary", "structured"])
async def test_any_value_is_a_valid_answer_or_one_logged_error(
    serve: Serve, reply_mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    returned: list[Any] = []
    client = await serve(lambda event: returned[-1], reply_mode=reply_mode)
    loop = asyncio.get_running_loop()

    async def ask() -> None:
        caplog.clear()
        response = await client.post("/", headers={f"ce-{n}": v for n, v in REQUIRED.items()})
        body = await response.read()
        errors = [
            record.getMessage()
            for record in caplog.records
            if record.name == "pyfunc" and record.levelname == "ERROR"
        ]
        if response.status == 500:
            assert len(errors) == 1
            assert json.loads(body)["status"] == 500
            return
        assert (response.status, errors) == (200, [])
        assert body == b"" or read(Message(list(response.headers.items()), body))

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ANYTHING)
    def check(value: Any) -> None:
        returned.append(value)
        asyncio.run_coroutine_threadsafe(ask(), loop).result()

    await asyncio.to_thread(check)


# --- any octets -----------------------------------------------------------------------------------

MODES = st.sampled_from(list(ContentMode))
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "ce-"])
        | st.sampled_from(["Content-Type", "ce-datacontentencoding", "ce-dataschema", "ce-data"])
        | st.text().map("ce-".__add__)
        | st.text(),
        st.text(st.characters())
        | st.sampled_from(["1.0", "0.3", "base64", "application/json", "%", '"', "%ff", "\\"]),
    )
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode())
DOCUMENTS = st.dictionaries(
    st.sampled_from([*REQUIRED, "data", "data_base64", "time", "datacontenttype"]) | st.text(),
    JSON | st.sampled_from(["1.0", "0.3", "base64", "text/plain; charset=utf-16"]),
).map(lambda value: json.dumps(value).encode())


@given(MODES, HEADERS, BODIES | DOCUMENTS | DOCUMENTS.map(lambda text: b"[%b]" % text))
def test_any_octets_are_an_event_or_a_400(
    mode: ContentMode, headers: list[tuple[str, str]], body: bytes
) -> None:
    refused: RequestError | None = None
    try:
        events = decode(mode, CIMultiDict(headers), body)
        for event in events:
            event.data  # noqa: B018 - read for the first time
    except RequestError as error:
        refused, events = error, []
    if refused is not None:
        assert refused.status == 400
        assert json.dumps(refused.errors)
        assert refused.detail.encode()
    for event in events:
        again = read(encode(event))
        assert as_text(again[0]).attributes == as_text(event).attributes


@given(st.text(st.characters(), max_size=50))
def test_faults_do_not_repeat_what_was_sent(text: str) -> None:
    assume(len(text) > 3 and text not in "expected a value, found an empty one UTF-8 missing")
    with pytest.raises(InvalidEventError) as caught:
        decode(ContentMode.BINARY, {"ce-specversion": f"{text}\x01"}, b"")
    assert text not in str(caught.value)


def test_batch_of_faults_is_told_in_part() -> None:
    with pytest.raises(InvalidEventError) as caught:
        decode(ContentMode.BATCHED, {"Content-Type": BATCH_TYPE}, b"[" + b"{}," * 999 + b"{}]")
    assert len(caught.value.errors) == 101
    assert caught.value.errors[-1] == "and 3900 more"
