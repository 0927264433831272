from enum import StrEnum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyfunc.cloudevents.attributes import (
    LONGEST_VALUE,
    are_verbatim,
    check,
    check_value,
    invalid_event,
    is_verbatim,
    parse_time,
    sentences,
)

REQUIRED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


class Color(StrEnum):
    RED = "red"


TEXTS = st.text(st.sampled_from('aZ0!"%~ \t\x7f\x80ä€\ud800\ufffe'), max_size=4)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.just(Color.RED))


@given(st.lists(VALUES, min_size=1, max_size=4))
@example(["a", ""])
@example(["a\n"])
@example([Color.RED])
def test_values_are_verbatim_when_each_of_them_is(values: list[Any]) -> None:
    assert are_verbatim(values) == all(type(v) is str and bool(is_verbatim(v)) for v in values)


def test_long_values_are_not_verbatim_together() -> None:
    assert are_verbatim(["a" * (LONGEST_VALUE // 2)] * 2)
    assert not are_verbatim(["a" * LONGEST_VALUE, "b"])


@given(TEXTS)
def test_verbatim_value_passes_the_check(value: str) -> None:
    faults: dict[str, str] = {}
    if are_verbatim([value]):
        assert check_value("subject", value, faults) == value
        assert not faults


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        pytest.param({}, {}, id="valid"),
        pytest.param(
            {"a-b": "1"}, {"a-b": "expected a name of lower-case letters and digits"}, id="name"
        ),
        pytest.param({"data": "1"}, {"data": "expected another name"}, id="data"),
        pytest.param({"specversion": "2"}, {"specversion": "expected 1.0 (or 0.3)"}, id="version"),
        pytest.param({"dataschema": "a"}, {"dataschema": "expected an absolute URI"}, id="URI"),
        pytest.param(
            {"time": "1"},
            {"time": "expected a timestamp such as 2026-01-31T12:00:00Z (RFC 3339)"},
            id="time",
        ),
    ],
)
def test_faults_are_collected_by_name(changed: dict[str, str], faults: dict[str, str]) -> None:
    collected: dict[str, str] = {}

    check({**REQUIRED, **changed}, collected)

    assert collected == faults


def test_every_missing_attribute_is_reported() -> None:
    faults: dict[str, str] = {}

    check({"subject": "s"}, faults)

    assert faults == dict.fromkeys(REQUIRED, "missing")


def test_unprintable_names_are_not_repeated() -> None:
    assert sentences({"a\nb": "wrong", "id": "missing"}) == ["an attribute: wrong", "id: missing"]


def test_at_most_a_hundred_faults_are_listed() -> None:
    error = invalid_event(["wrong"] * 102)

    assert list(error.errors) == [*["wrong"] * 100, "and more"]


def test_leap_second_is_the_next_second() -> None:
    assert parse_time("2016-12-31T23:59:60Z") == parse_time("2017-01-01T00:00:00Z")
