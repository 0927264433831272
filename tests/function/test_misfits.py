from dataclasses import dataclass

import msgspec
import pydantic
import pytest

from pyfunc.function.misfits import OWN_PATH, misfit, path_and_reason, pydantic_reason


@dataclass
class Item:
    qty: int


def fault_of(text: bytes) -> msgspec.ValidationError:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=list[Item])
    return caught.value


def test_the_path_comes_before_the_reason() -> None:
    error = misfit("data", fault_of(b'[{"qty": "x"}]'))
    assert error.detail == "data does not fit: $[0].qty: expected int, got str"
    assert error.errors == ("$[0].qty: expected int, got str",)


def test_a_missing_field_is_part_of_the_path() -> None:
    assert path_and_reason(fault_of(b"[{}]")) == ("$[0].qty", "missing")


def test_each_reason_with_a_path_of_its_own_is_one_error() -> None:
    error = msgspec.ValidationError(f"{OWN_PATH}.a: no{OWN_PATH}[1]: neither - at `$.b`")
    assert misfit("body", error).errors == ("$.b.a: no", "$.b[1]: neither")


def test_faults_of_pydantic_have_paths() -> None:
    class Order(pydantic.BaseModel):
        counts: list[int]

    with pytest.raises(pydantic.ValidationError) as caught:
        Order.model_validate({"counts": [1, "x"]})
    reason = pydantic_reason(caught.value)
    assert reason.startswith(f"{OWN_PATH}.counts[1]: input should be a valid integer")
