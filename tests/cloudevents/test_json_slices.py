import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyfunc.cloudevents.json_slices import elements, members
from pyfunc.errors import MalformedBodyError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(VALUES), st.sampled_from([None, 0, 3]))
def test_elements_are_split(value: list[Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=indent is None, allow_nan=True)
    assert [json.loads(part) for part in elements(text.encode("utf-8", "replace"))] == json.loads(
        text.encode("utf-8", "replace")
    )


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(), VALUES))
def test_members_are_split(value: dict[str, Any]) -> None:
    text = f" {json.dumps(value)}\n".encode()
    assert {name: json.loads(part) for name, part in members(text)} == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "the body is not an event in JSON format: expected an array of events"),
        (b"{}", "the body is not an event in JSON format: expected an array of events"),
        (b"[", "malformed JSON: Expecting value"),
        (b"[1", "malformed JSON: expected `,` or the end"),
        (b"[1 2]", "malformed JSON: expected `,` or the end"),
        (b"[1,]", "malformed JSON: Expecting value"),
        (b"[] 1", "malformed JSON: expected `,` or the end"),
        (b"[NaN]", "malformed JSON: NaN is not a JSON number"),
        (b"[" * 100_000, "the JSON is nested too deeply"),
    ],
    ids=lambda value: str(value[:16]),
)
def test_what_is_no_array_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        list(elements(text))
    assert caught.value.detail.startswith(reason)


@pytest.mark.parametrize("text", [b"{", b"{1:2}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{"a', b"[]"])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        list(members(text))


def test_numbers_of_any_size_are_passed_over() -> None:
    digits = b"9" * 10_000
    assert list(elements(b"[%b,1e999]" % digits)) == [digits, b"1e999"]


def test_no_more_is_split_than_is_asked_for() -> None:
    assert next(elements(b"[1, nonsense")) == b"1"
