"""The quick looks at attributes say what the close ones say."""

import random
from enum import StrEnum
from typing import Any
from uuid import RFC_4122, UUID

from hypothesis import example, given
from hypothesis import strategies as st

from pyfunc.cloudevents.attributes import (
    are_bare,
    canonical,
    check_value,
    header_value,
    is_bare,
    new_id,
)
from pyfunc.errors import ReplyError


class Color(StrEnum):
    RED = "red"


TEXTS = st.text(st.sampled_from('aZ0!"%~ \t\x7f\x80ä€\ud800\ufffe'), max_size=4)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.none(), st.just(Color.RED))


@given(st.lists(VALUES, min_size=1, max_size=4))
@example(["a", ""])
@example(["a\n"])
@example([Color.RED])
def test_values_are_bare_when_each_of_them_is(values: list[Any]) -> None:
    assert are_bare(values) == all(type(v) is str and bool(is_bare(v)) for v in values)


def test_long_values_are_not_bare_together() -> None:
    assert are_bare(["a" * 2048, "b" * 2048])
    assert not are_bare(["a" * 2048, "b" * 2049])


def test_new_ids_are_random_uuids_whatever_is_seeded() -> None:
    made = set()
    for _ in range(100):
        random.seed(1)
        made.add(new_id())

    assert len(made) == 100
    assert {UUID(id).version for id in made} == {4}
    assert {UUID(id).variant for id in made} == {RFC_4122}
    assert all(str(UUID(id)) == id for id in made)


@given(TEXTS)
def test_a_bare_value_needs_no_decoding_and_no_check(value: str) -> None:
    faults: dict[str, str] = {}
    if are_bare([value]):
        assert header_value("subject", value, faults) == value
        assert check_value("subject", value, faults) == value
        assert not faults


@given(st.dictionaries(st.sampled_from(["subject", "a", "B", "data", ""]), VALUES, max_size=3))
def test_attributes_come_to_the_same_beside_one_that_is_not_bare(
    attributes: dict[str, Any],
) -> None:
    whole = {"id": "1", "source": "/", "type": "a", "specversion": "1.0", **attributes}

    assert _outcome({**whole, "beside": "ä"}, "beside") == _outcome(whole)


def _outcome(attributes: dict[str, Any], *left_out: str) -> dict[str, Any] | str:
    try:
        checked = canonical(attributes).attributes
    except ReplyError as error:
        return str(error)
    return {name: value for name, value in checked.items() if name not in left_out}
