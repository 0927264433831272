from dataclasses import dataclass

import pydantic
import pytest

from pyfunc.function.annotations import UnsupportedTypeError
from pyfunc.function.type_info import completion, is_many, keep, type_info


class Silent:
    """A class without fields."""


@dataclass
class Holder:
    n: int
    silent: Silent | None = None


@dataclass
class Needy:
    silents: list[Silent]


def test_a_class_without_fields_is_refused_where_a_sender_has_to_fill_it() -> None:
    for annotation in (Silent, list[Silent], Needy):
        with pytest.raises(UnsupportedTypeError, match="Silent says nothing about its fields"):
            type_info(annotation)
    type_info(Holder)
    type_info(pydantic.BaseModel)


def test_types_that_hold_several_values_are_known() -> None:
    assert is_many(type_info(list[int] | None))
    assert not is_many(type_info(str))


def test_only_types_with_dataclasses_are_completed() -> None:
    assert completion(dict[str, int]) is keep
    assert keep(5) == 5
    holder = Holder.__new__(Holder)
    holder.n = 1
    assert vars(completion(list[Holder])([holder])[0]) == {"n": 1, "silent": None}
