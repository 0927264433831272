"""JSON text to values and back."""

import datetime
import json
import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfunc.cloudevents.json_text import check_octets, dump_json, parse_json
from pyfunc.errors import MalformedBodyError, ReplyError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert parse_json(dump_json(value)) == value


@pytest.mark.slow
@given(JSON)
def test_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps(value)
    assert parse_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[NaN]",
        b"1e400",
        b"9" * 5000,
        b"{'a': 1}",
        b"[1,]",
        b"[1] 2",
        b"\xff",
        b'"\xff"',
        b"",
        b" ",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 257 + b"1" + b"]" * 257,
        b'{"":[' * 150 + b"]}" * 150,
    ],
    ids=lambda text: f"{text[:16]!r} of {len(text)}",
)
def test_json_that_others_could_not_hold_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"18446744073709551616", 2**64),
        (b'{"a": [1, -9223372036854775809]}', {"a": [1, -(2**63) - 1]}),
        (b"1" + b"0" * 4299, 10**4299),
        (b'"\\ud800"', "\ud800"),
        (b'{"\\udfff": "\\ud83d\\ude00 \\ud83d"}', {"\udfff": "\U0001f600 \ud83d"}),
        (b"0.12345678901234567890123", 0.12345678901234568),
        (b'"' + b"9" * 40 + b'"', "9" * 40),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'["' + b"[" * 1000 + b'"]', ["[" * 1000]),
    ],
)
def test_json_that_only_looks_extreme_is_read(text: bytes, value: Any) -> None:
    assert parse_json(text) == value


def test_json_may_be_nested_256_deep() -> None:
    value = parse_json(b"[" * 256 + b"]" * 256)
    assert dump_json(value) == b"[" * 256 + b"]" * 256


@pytest.mark.slow
def test_brackets_in_text_cost_no_more_than_their_length() -> None:
    """To take them off pair by pair would outlast every test."""
    text = b'"' + b"[" * 5_000_000 + b"]" * 5_000_000 + b'"'
    assert len(parse_json(text)) == 10_000_000


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        {"a": {"b": -math.inf, "c": None}},
        object(),
        {(1, 2): 3},
        10**5000,
    ],
    ids=["NaN", "Infinity", "nested", "object", "key", "too long"],
)
def test_what_has_no_json_form_cannot_be_sent(value: Any) -> None:
    with pytest.raises(ReplyError):
        dump_json(value)


def test_value_that_holds_itself_cannot_be_sent() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ReplyError, match="holds itself"):
        dump_json(loop)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a": "\\ud83d", "b": 01}', "malformed JSON: Expecting ',' delimiter"),
        (b"1e400", "malformed JSON: a number is out of range"),
        (b"9" * 5000, "malformed JSON: an integer has too many digits"),
        (b"NaN", "malformed JSON: NaN is not a JSON number"),
        (b'"\xff"', "malformed JSON: expected UTF-8"),
        (b"[1", "malformed JSON: Input data was truncated"),
    ],
)
def test_the_reason_of_a_refusal_is_true(text: bytes, reason: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        parse_json(text)
    assert caught.value.detail.startswith(reason)


def test_octets_are_checked() -> None:
    check_octets("ü".encode())
    with pytest.raises(MalformedBodyError, match="expected UTF-8"):
        check_octets(b"\xed\xa0\x80")


class Text(str):
    def __str__(self) -> str:
        return "another text"


class Whole(int):
    __slots__ = ()


class Real(float):
    pass


class Octets(bytes):
    __slots__ = ()


class Fraction(Decimal):
    pass


class Moment(datetime.datetime):
    pass


class Day(datetime.date):
    pass


class Hour(datetime.time):
    pass


class Span(datetime.timedelta):
    pass


class Id(UUID):
    pass


class Scalar:
    """As NumPy's scalars are."""

    def tolist(self) -> int:
        return 7


class Frame:
    """As pandas' frames are."""

    def to_dict(self) -> dict[str, Scalar]:
        return {"a": Scalar()}


MOMENT = (2026, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize(
    ("value", "like"),
    [
        pytest.param(Text("x"), "x", id="str"),
        pytest.param(Whole(5), 5, id="int"),
        pytest.param(Whole(2**70), 2**70, id="large int"),
        pytest.param(Real(1.5), 1.5, id="float"),
        pytest.param(Octets(b"x"), b"x", id="bytes"),
        pytest.param(Fraction("1.50"), Decimal("1.50"), id="Decimal"),
        pytest.param(Moment(*MOMENT), datetime.datetime(*MOMENT), id="datetime"),
        pytest.param(
            Moment(*MOMENT, tzinfo=datetime.UTC),
            datetime.datetime(*MOMENT, tzinfo=datetime.UTC),
            id="aware datetime",
        ),
        pytest.param(Day(2026, 1, 2), datetime.date(2026, 1, 2), id="date"),
        pytest.param(Hour(1, 2, 3), datetime.time(1, 2, 3), id="time"),
        pytest.param(Span(1, 2), datetime.timedelta(1, 2), id="timedelta"),
        pytest.param(Id(int=5), UUID(int=5), id="UUID"),
        pytest.param(OrderedDict(a=Text("x")), {"a": "x"}, id="OrderedDict"),
        pytest.param(deque([1, 2]), [1, 2], id="deque"),
        pytest.param({"a": 1}.keys(), ["a"], id="keys"),
        pytest.param(range(2), [0, 1], id="range"),
        pytest.param(Scalar(), 7, id="scalar of NumPy"),
        pytest.param(Frame(), {"a": 7}, id="frame of pandas"),
    ],
)
def test_an_instance_of_a_subclass_has_the_json_of_its_base(value: Any, like: Any) -> None:
    text = msgspec.json.encode(like)
    assert dump_json(value) == text
    assert dump_json({"a": [value, (value,)]}) == b'{"a":[' + text + b",[" + text + b"]]}"
    # With half of a surrogate pair, all of it is written by Python's `json`.
    assert dump_json({"\ud83d": value}) == b'{"\\ud83d":' + text + b"}"


def test_keys_are_as_json_dumps_has_them() -> None:
    for key in (None, True, False, 1, Whole(1), 1.5, Real(1.5), "a", Text("a"), "\ud83d"):
        assert json.loads(dump_json({key: [1]})) == json.loads(json.dumps({key: [1]}))


@dataclass
class Point:
    x: Any


@attrs.define
class Place:
    x: Any


class Tagged(msgspec.Struct, rename={"x": "X"}, tag="t"):
    x: Any


class Row(msgspec.Struct, array_like=True):
    x: Any


class Model(pydantic.BaseModel):
    x: Any


class Color(Enum):
    RED = 1


@pytest.mark.parametrize("cls", [Point, Place, Tagged, Row, Model])
def test_objects_are_written_alike_beside_half_of_a_surrogate_pair(cls: Any) -> None:
    usual = json.loads(dump_json([cls(x=1), Color.RED, {1, 2}]))
    assert json.loads(dump_json({"\udfff": [cls(x=1), Color.RED, {1, 2}]})) == {"\udfff": usual}


@pytest.mark.parametrize("value", [math.nan, object(), {(1, 2): 3}])
def test_what_has_no_form_has_none_beside_half_of_a_surrogate_pair(value: Any) -> None:
    with pytest.raises(ReplyError, match="the value has no JSON form"):
        dump_json({"\udfff": value})
