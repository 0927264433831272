"""Canonical forms, new ids and new times."""

import json
import math
import random
import uuid
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfunc import Event
from pyfunc.cloudevents.attributes import is_timestamp
from pyfunc.cloudevents.canonical import canonicalize, new_id, now
from pyfunc.cloudevents.http_binding import ContentMode, encode
from pyfunc.errors import ReplyError
from tests.cloudevents.strategies import REQUIRED


class Color(StrEnum):
    RED = "red"


TEXTS = st.text(st.sampled_from('aZ0!"%~ \t\x7f\x80ä€\ud800\ufffe'), max_size=4)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.just(Color.RED))


def test_new_ids_are_random_uuids_whatever_is_seeded() -> None:
    made = set()
    for _ in range(100):
        random.seed(1)
        made.add(new_id())

    assert len(made) == 100
    assert {UUID(id).version for id in made} == {4}
    assert {UUID(id).variant for id in made} == {RFC_4122}
    assert all(str(UUID(id)) == id for id in made)


@given(st.dictionaries(st.sampled_from(["subject", "a", "B", "data", ""]), VALUES, max_size=3))
def test_attributes_come_to_the_same_beside_one_that_is_not_verbatim(
    attributes: dict[str, Any],
) -> None:
    whole = {"id": "1", "source": "/", "type": "a", "specversion": "1.0", **attributes}

    assert _outcome({**whole, "beside": "ä"}, "beside") == _outcome(whole)


def _outcome(attributes: dict[str, Any], *left_out: str) -> dict[str, Any] | str:
    try:
        checked = canonicalize(attributes).attributes
    except ReplyError as error:
        return str(error)
    return {name: value for name, value in checked.items() if name not in left_out}


def test_new_time_is_a_timestamp() -> None:
    assert is_timestamp(now())
    assert now().endswith("Z")


class Number(int):
    """A subclass of `int`."""


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
        (Color.RED, "red", ...),
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
def test_invalid_values_are_refused(name: str, value: Any) -> None:
    event = Event.unchecked({**REQUIRED, name: value}, None)
    for mode in (None, ContentMode.BINARY, ContentMode.STRUCTURED):
        with pytest.raises(ReplyError, match=f"{name}: expected "):
            encode(event, mode)


@pytest.mark.parametrize("name", ["a\r\nb", "a:b", "", "A", "a b", "a-b", "\ud800", 5, None, b"a"])
def test_invalid_names_are_refused(name: Any) -> None:
    event = Event.unchecked({**REQUIRED, name: "x"}, None)
    with pytest.raises(ReplyError, match="expected a name"):
        encode(event)
