from typing import Any

import annotated_types as at
import pydantic
import pytest

from pyfunc.function.annotations import UnsupportedTypeError
from pyfunc.function.constraints import checks_of, is_for_pydantic


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (at.Gt(1), 2, 1),
        (at.Ge(1), 1, 0),
        (at.Lt(1), 0, 1),
        (at.Le(1), 1, 2),
        (at.Interval(gt=0, le=2), 2, 3),
        (at.MultipleOf(3), 9, 10),
        (at.MinLen(2), "ab", "a"),
        (at.MaxLen(1), "a", "ab"),
        (at.Len(1, 2), [1], []),
        (at.Predicate(str.islower), "a", "A"),
    ],
)
def test_a_constraint_is_checked(constraint: Any, good: Any, bad: Any) -> None:
    checks = checks_of(("a note", constraint))
    assert all(is_good(good) for _, is_good in checks)
    assert not all(is_good(bad) for _, is_good in checks)
    assert all(expected.startswith("a ") for expected, _ in checks)


def test_an_unknown_constraint_is_refused_with_the_remedy() -> None:
    with pytest.raises(UnsupportedTypeError, match="Timezone is not checked here: check it in"):
        checks_of((at.Timezone(None),))


def test_notes_are_no_constraints() -> None:
    assert checks_of(("a note", at.Unit("m"))) == ()


def test_metadata_of_pydantic_is_left_to_pydantic() -> None:
    assert is_for_pydantic((pydantic.Field(gt=0),))
    assert is_for_pydantic((pydantic.BeforeValidator(int),))
    assert not is_for_pydantic((at.Gt(0), "a note"))
