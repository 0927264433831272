"""Classes that build themselves, wherever they stand in a type."""

from dataclasses import InitVar, dataclass, field
from typing import Annotated, Any, Generic, NamedTuple, TypedDict, TypeVar

import annotated_types as at
import attrs
import msgspec
import pydantic
import pytest
from multidict import MultiDict

from pyfunc.cloudevents.data import Payload, media_type
from pyfunc.errors import DataError
from pyfunc.function.annotations import UnsupportedTypeError
from pyfunc.function.classes import stand_in
from pyfunc.function.conversion import from_payload, from_strings

T = TypeVar("T")


def converted(annotation: Any, text: str) -> Any:
    convert = from_payload("data", annotation)
    assert convert is not None
    return convert(Payload(text.encode(), media_type("application/json")))


def tenfold(value: Any) -> Any:
    return value * 10


del tenfold.__annotations__["value"]  # as most converters are written


@attrs.define
class Converted:
    n: int = attrs.field(converter=tenfold)


def doubled(value: float) -> str:
    return str(value * 2)


@attrs.define
class Typed:
    n: str = attrs.field(converter=doubled)
    m: int = attrs.field(converter=int, default=0)


@attrs.define
class Aliased:
    n: int = attrs.field(alias="N")
    m: int = attrs.field(init=False, default=7)
    l: list[int] = attrs.Factory(lambda self: [self.n], takes_self=True)  # noqa: E741


@dataclass
class Computed:
    price: float
    paid: bool = field(init=False, default=False)


@dataclass
class Initialized:
    n: int
    factor: InitVar[int] = 10

    def __post_init__(self, factor: int) -> None:
        self.n *= factor


@dataclass(init=False)
class Own:
    n: int

    def __init__(self, n: int) -> None:
        if n == 13:
            raise ValueError("not thirteen")
        self.n = n * 10


@dataclass
class Child(Computed):
    own: list[Own] = field(default_factory=list)


@dataclass
class Node:
    n: Annotated[int, at.Gt(0)]
    nodes: "list[Node]" = field(default_factory=list)


@dataclass
class Box(Generic[T]):
    content: T
    count: Annotated[int, at.Ge(1)] = 1


class Member(TypedDict, total=False):
    own: Own


class Row(NamedTuple):
    own: Own
    n: int = 3


class Tagged(msgspec.Struct, tag="t", rename={"own": "OWN"}):
    own: Own
    n: int = 3


@pydantic.dataclasses.dataclass
class Valid:
    n: int = pydantic.Field(gt=0)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        pytest.param(Converted, '{"n": 5}', Converted(5), id="converter"),
        pytest.param(Typed, '{"n": 1.5, "m": "5"}', Typed(1.5, 5), id="type of a converter"),
        pytest.param(Aliased, '{"N": 5, "n": 6, "m": 8}', Aliased(5), id="alias"),
        pytest.param(Computed, '{"price": 1, "paid": true}', Computed(1), id="init=False"),
        pytest.param(Initialized, '{"n": 5, "factor": 3}', Initialized(5, 3), id="InitVar"),
        pytest.param(Own, '{"n": 5}', Own(5), id="own __init__"),
        pytest.param(Child, '{"price": 1, "own": [{"n": 5}]}', Child(1, [Own(5)]), id="inside"),
        pytest.param(
            Node, '{"n": 1, "nodes": [{"n": 2}]}', Node(1, [Node(2, [])]), id="holds itself"
        ),
        pytest.param(Box[Own], '{"content": {"n": 5}}', Box(Own(5)), id="generic"),
        pytest.param(Member, '{"own": {"n": 5}}', {"own": Own(5)}, id="TypedDict"),
        pytest.param(Row, '[{"n": 5}]', Row(Own(5)), id="NamedTuple"),
        pytest.param(Tagged, '{"type": "t", "OWN": {"n": 5}}', Tagged(Own(5)), id="Struct"),
        pytest.param(Valid, '{"n": "5"}', Valid(5), id="pydantic"),
        pytest.param(dict[str, list[Valid]], '{"a": [{"n": 5}]}', {"a": [Valid(5)]}, id="values"),
        pytest.param(list[Own | Valid | int], '[{"n": 5}, 5]', [Own(5), 5], id="union"),
        pytest.param(Own | None, "null", None, id="null"),
        pytest.param(dict[int, Own], '{"1": {"n": 5}}', {1: Own(5)}, id="keys"),
    ],
)
def test_a_class_is_built_as_its_author_means_it(annotation: Any, text: str, value: Any) -> None:
    assert converted(annotation, text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "errors"),
    [
        (Own, '{"n": "x"}', ["$.n: expected int, got str"]),
        (Own, '{"n": 13}', ["$: not thirteen"]),
        (Own, "{}", ["$.n: missing"]),
        (Own, "[]", ["$: expected object, got array"]),
        (Aliased, '{"n": 5}', ["$.N: missing"]),
        (
            Child,
            '{"price": 1, "own": [{"n": 1}, {"n": "x"}]}',
            ["$.own[1].n: expected int, got str"],
        ),
        (Node, '{"n": 1, "nodes": [{"n": 0}]}', ["$.nodes[0].n: expected a value > 0"]),
        (Valid, '{"n": -5}', ["$.n: input should be greater than 0"]),
        (list[Valid], '[{"n": 1}, {}]', ["$[1].n: field required"]),
        (Own | Valid, '{"n": []}', ...),
        (Annotated[int, at.Gt(0)], "-5", ["$: expected a value > 0"]),
        (
            list[Annotated[str, at.Len(1, 2)]],
            '["a", "abc"]',
            ["$[1]: expected a length of at most 2"],
        ),
        (Annotated[int, pydantic.Field(gt=0)], "-5", ["$: input should be greater than 0"]),
    ],
)
def test_a_misfit_has_its_path(annotation: Any, text: str, errors: Any) -> None:
    with pytest.raises(DataError) as caught:
        converted(annotation, text)
    assert errors is ... or list(caught.value.errors) == errors


@dataclass
class Usual:
    n: int
    usual: "list[Usual] | None" = None

    def __post_init__(self) -> None:
        self.n += 1


@pytest.mark.parametrize("annotation", [int, dict[str, Any], Usual, pydantic.BaseModel, "list[int"])
def test_usual_types_are_left_to_msgspec(annotation: Any) -> None:
    assert stand_in(annotation) is annotation


def test_what_a_class_cannot_be_called_with_is_refused_at_start() -> None:
    @dataclass(init=False)
    class Positional:
        n: int

        def __init__(self, n: int, /) -> None:
            self.n = n

    with pytest.raises(UnsupportedTypeError, match="Positional takes n by its position only"):
        from_payload("data", Positional)


def test_a_constraint_that_is_not_known_is_refused_at_start() -> None:
    with pytest.raises(UnsupportedTypeError, match="the constraint Timezone is not checked here"):
        from_payload("data", Annotated[int, at.Timezone(None)])


def test_notes_constrain_nothing() -> None:
    assert converted(Annotated[int, "a note", at.Unit("m")], "5") == 5


def test_strings_build_the_classes_too() -> None:
    values = MultiDict([("n", "5"), ("price", "1.5"), ("paid", "true"), ("N", "6")])
    assert from_strings("query", Own)(values) == Own(5)
    assert from_strings("query", Computed)(values) == Computed(1.5)
    assert from_strings("query", Aliased)(values) == Aliased(6)
    assert from_strings("query", Valid)(values) == Valid(5)
    with pytest.raises(DataError, match=r"\$.n: expected a value > 0"):
        from_strings("query", Node)(MultiDict(n="0"))
