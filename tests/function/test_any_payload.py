"""Every annotation of a list against every payload of another: no answer is a 5xx."""

import datetime
import enum
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar

import annotated_types as at
import attrs
import msgspec
import pydantic
import pytest

from pyfunc.cloudevents.data import Payload, media_type
from pyfunc.errors import RequestError
from pyfunc.function.conversion import from_payload

T = TypeVar("T")
Id = NewType("Id", int)


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Typed(TypedDict, total=False):
    a: int
    b: Annotated[str, at.MinLen(1)]


class Pair(NamedTuple):
    a: int
    b: Annotated[int, at.Gt(0)] = 1


@dataclass
class Plain:
    a: int
    b: str = "b"


@dataclass
class Node:
    a: int
    nodes: list["Node"] = field(default_factory=list)


@dataclass
class Computed:
    a: int
    total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.total = self.a * 2


@dataclass
class Initialized:
    a: int
    factor: InitVar[int] = 2

    def __post_init__(self, factor: int) -> None:
        self.a *= factor


@dataclass(init=False)
class Own:
    a: int

    def __init__(self, a: int, **rest: Any) -> None:
        if a < 0:
            raise ValueError("expected a above 0")
        self.a = a


@dataclass
class Box(Generic[T]):
    a: T
    b: Annotated[int, at.Interval(ge=0, lt=10)] = 1


@attrs.define
class Converted:
    a: int = attrs.field(converter=int)
    b: str = attrs.field(default="b", alias="B")


@attrs.define
class Checked:
    a: int = attrs.field(validator=attrs.validators.gt(0))


class Cat(msgspec.Struct, tag=True):
    a: int


class Dog(msgspec.Struct, tag=True):
    a: Annotated[int, at.Gt(0)]


class Model(pydantic.BaseModel):
    a: int
    b: datetime.datetime | None = None


class Strict(pydantic.BaseModel, strict=True):
    a: datetime.date


@pydantic.dataclasses.dataclass
class Valid:
    a: int = pydantic.Field(gt=0)


ANNOTATIONS: list[Any] = [
    *(bytes, str, bytearray, int, float, bool, None, dict, list, tuple, set, frozenset),
    *(list[int], dict[str, int], dict[int, str], tuple[int, str], tuple[int, ...], set[str]),
    *(Sequence[int], Mapping[str, float], list[dict[str, Any]], dict[str, list[int | None]]),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta, uuid.UUID, Decimal),
    *(Color, Level, Literal["a", 1], Id, Any, object, int | str, str | None, bytes | None),
    *(int | None, list[int] | int, str | int | None, Color | None, datetime.date | int),
    *(Typed, Pair, Plain, Node, Computed, Initialized, Own, Box[int], Box[str], Converted, Checked),
    *(Cat, Cat | Dog, Model, Strict, Valid, Plain | None, list[Plain], dict[str, Model]),
    *(Plain | Model, Model | int, Model | None, list[Plain | Model], Valid | Model | None),
    *(list[Valid], dict[str, Valid], Own | int, list[Own | Computed], Plain | Own),
    *(
        Annotated[int, at.Gt(0)],
        Annotated[str, at.MinLen(2)],
        Annotated[str, msgspec.Meta(max_length=1)],
    ),
    *(Annotated[list[int], at.Len(1, 2)], Annotated[int, pydantic.Field(gt=0)] | None),
    *(
        Annotated[str, at.Predicate(str.islower)],
        Annotated[bytes, at.MaxLen(2)],
        pydantic.PositiveInt,
    ),
]

PAYLOADS = [
    *(b"", b" ", b"null", b"true", b"0", b"1", b"-1", b"1.5", b"1e5", b"1e400", b"-0.0"),
    *(
        b"18446744073709551616",
        b"1" * 400,
        b"1" * 5000,
        b"NaN",
        b"Infinity",
        b'""',
        b'"a"',
        b'"red"',
    ),
    *(b'"1"', b'"2026-01-02"', b'"2026-01-02T03:04:05Z"', b'"P1D"', b'"\\ud83d"', b'"\\u0000"'),
    *(b'"00000000-0000-0000-0000-000000000001"', b'"\xff"', b"\xff", b"\xed\xa0\x80", b"\x00"),
    *(b"abc", b"a b\nc", "ü".encode(), b"\xef\xbb\xbf1", b"[", b"{", b'{"a"', b"[1,]", b"{'a':1}"),
    *(b"[]", b"[1]", b"[1,2,3]", b'["a",1]', b"[null]", b"[[]]", b"[{}]", b'[{"a":1}]', b"[1,0]"),
    *(b"[" * 300 + b"]" * 300, b"[" * 100_000, b'{"a":' * 400 + b"1" + b"}" * 400),
    *(b"{}", b'{"a":1}', b'{"a":-1}', b'{"a":0}', b'{"a":"1"}', b'{"a":null}', b'{"a":[]}'),
    *(b'{"a":1,"b":2}', b'{"a":1,"B":null}', b'{"a":1,"total":9}', b'{"a":1,"factor":"x"}'),
    *(b'{"a":1,"nodes":[{"a":2,"nodes":[]}]}', b'{"type":"Cat","a":1}', b'{"type":"Dog","a":0}'),
    *(b'{"a":1,"\xac":2}', b'{"a":1,"z":"\xff"}', b'{"\\ud83d":1}', b'{"a":"\\ud83d"}'),
    *(
        b'{"a":123456789012345678901234567890}',
        b'{"a":1,"\xac":"1234567890123456789"}',
        b'{"1":"a"}',
    ),
    *(b'{"a":"2026-01-02"}', b'{"a":1,"b":"2026-01-02T03:04:05Z"}', b'{"a":1.5}', b'{"a":{"a":1}}'),
]

CONTENT_TYPES = [
    *("application/json", "text/plain", "text/plain; charset=utf-16", "application/octet-stream"),
    *("application/json; charset=latin-1", "text/plain; charset=nonsense", "a/b+json", None),
]


def payloads(octets: bytes) -> list[Payload]:
    plain = [Payload(octets, media_type(kind)) for kind in CONTENT_TYPES]
    return plain + [Payload(octets, media_type(kind), in_json=True) for kind in CONTENT_TYPES]


def check_refusal(error: RequestError) -> None:
    assert error.status in (400, 422)
    assert "\0" not in error.detail
    assert error.detail.encode()


@pytest.mark.parametrize(
    "annotation", [pytest.param(a, id=f"{n} {a}") for n, a in enumerate(ANNOTATIONS)]
)
def test_no_payload_is_a_fault_of_the_server(annotation: Any) -> None:
    convert = from_payload("data", annotation)
    for octets in PAYLOADS:
        for payload in payloads(octets):
            try:
                convert(payload) if convert is not None else payload.value()
            except RequestError as error:
                check_refusal(error)
            except Exception as error:
                pytest.fail(f"{payload!r}: {error!r}")
