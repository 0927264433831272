from collections.abc import Callable
from typing import Annotated, Any, NewType, Optional

import pytest

from pyfunc.function.annotations import (
    UnsupportedTypeError,
    bare,
    members_of,
    refuse_value,
    type_name,
    without_none,
)

UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (None, "None"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (int | None, "int | None"),
        (tuple[int, ...], "tuple[int, ...]"),
        (UserId, "UserId"),
        (Callable, "Callable"),
        (Any, "Any"),
    ],
)
def test_a_type_has_the_name_that_its_author_wrote(annotation: Any, name: str) -> None:
    assert type_name(annotation).rpartition(".")[2] == name.rpartition(".")[2]


def test_none_is_taken_out_of_a_union() -> None:
    assert without_none(int | None) == (int, True)
    assert without_none(Optional[int | str]) == (int | str, True)  # noqa: UP045
    assert without_none(int | str) == (int | str, False)
    assert without_none(int) == (int, False)


def test_metadata_is_left_out_of_the_bare_annotation() -> None:
    assert bare(Annotated[int, "note"]) is int
    assert bare(int) is int


def test_members_are_found_at_any_depth() -> None:
    assert int in members_of(dict[str, list[int | None]])


def test_a_value_is_refused_with_the_type_that_was_probably_meant() -> None:
    with pytest.raises(UnsupportedTypeError, match=r"did you mean list\[int\]\?"):
        refuse_value([int])
