from dataclasses import InitVar, dataclass, field

import attrs
import pydantic

from pyfunc.function.class_parameters import (
    is_called_otherwise,
    is_dataclass,
    is_model,
    is_product,
    is_pydantic,
    parameters_of,
)


@dataclass
class Computed:
    n: int
    factor: InitVar[float] = 1.0
    total: int = field(init=False, default=0)


@attrs.define
class Aliased:
    n: int = attrs.field(alias="N", converter=int)


@dataclass(init=False)
class Own:
    n: int

    def __init__(self, m: str, n: int = 5) -> None: ...


def test_the_parameters_are_those_of_a_call() -> None:
    assert parameters_of(Computed) == {"n": (int, True), "factor": (float, False)}
    assert list(parameters_of(Aliased)) == ["N"]
    assert parameters_of(Own) == {"m": (str, True), "n": (int, False)}


def test_an_init_of_its_own_is_told_from_a_generated_one() -> None:
    assert is_called_otherwise(Own, ("n",))
    assert not is_called_otherwise(Computed, ("n", "factor"))
    assert not is_called_otherwise(Aliased, ("N",))


def test_kinds_of_classes() -> None:
    assert is_dataclass(Computed)
    assert is_dataclass(Aliased)
    assert is_product(Own)
    assert not is_product(int)
    assert is_model(pydantic.BaseModel)
    assert is_pydantic(pydantic.dataclasses.dataclass(Own))
    assert not is_pydantic(Computed)
