"""Samples fit the function that they are made for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from multidict import CIMultiDict

from pyfunc.cloudevents.data import Payload, media_type
from pyfunc.cloudevents.http_binding import ContentMode, content_mode, decode
from pyfunc.function.conversion import from_payload
from pyfunc.function.signature import compile_plan
from pyfunc.testing.samples import (
    DEFAULT_DATA,
    event_request,
    new_event,
    plain_request,
    sample,
    sample_for,
    to_body,
)


class Colour(Enum):
    RED = "red"


class Item(TypedDict):
    name: str
    price: float


@dataclass
class Tree:
    name: str
    children: list["Tree"]


@dataclass
class Order:
    id: UUID
    at: datetime
    ats: list[datetime]
    day: date
    wait: timedelta
    colour: Colour
    item: Item
    items: list[Item]
    pair: tuple[int, str]
    kind: Literal["a", "b"]
    score: Annotated[int, msgspec.Meta(ge=10, multiple_of=4)]
    code: Annotated[str, msgspec.Meta(min_length=6)]
    raw: bytes
    note: str | None
    open: bool
    extra: dict[str, int]
    tags: list[str] = field(default_factory=list)


@dataclass
class Times:
    at: datetime
    times: list[time]
    pair: tuple[str, datetime]
    later: Annotated[datetime, msgspec.Meta(tz=False)]
    clock: Annotated[time, msgspec.Meta(tz=False)]
    zoned: Annotated[datetime, msgspec.Meta(tz=True)]
    maybe: datetime | None
    places: "Places"
    name: str


class Places(NamedTuple):
    name: str
    at: datetime


class Address(pydantic.BaseModel):
    street: str
    number: int = pydantic.Field(gt=3)


class Customer(pydantic.BaseModel):
    name: str = pydantic.Field(min_length=8)
    address: Address
    nick: str | None = None


class Struct(msgspec.Struct):
    n: int
    customer: Customer


@pytest.mark.parametrize(
    "wanted",
    [
        *(Order, Order | None, Times, Tree, Customer, Struct, list[Customer], Item, Colour),
        *(dict, dict[str, int], list, tuple[int, ...], int, float, bool, datetime, time, UUID),
    ],
    ids=str,
)
def test_sample_fits_the_annotation(wanted: Any) -> None:
    convert = from_payload("data", wanted)
    assert convert is not None
    octets, content_type = to_body(sample(wanted))
    convert(Payload(octets, media_type(content_type)))


def test_text_beside_a_time_stays_text() -> None:
    value = sample(Times)

    assert (value["name"], value["pair"][0]) == ("text", "text")
    assert value["at"] == "2026-01-31T12:00:00Z"
    assert value["later"] == "2026-01-31T12:00:00"


@pytest.mark.parametrize("wanted", [..., Any, object], ids=str)
def test_sample_of_anything_is_an_object(wanted: Any) -> None:
    assert sample(wanted) == DEFAULT_DATA


def test_text_and_octets_are_themselves() -> None:
    assert (sample(str), sample(bytes)) == ("hello", b"hello")


def typed(data: Order) -> None: ...
def text(event: object, data: str) -> None: ...
def plain(query: object) -> None: ...
def posted(body: Item) -> None: ...
def asked(query: Item) -> None: ...


@pytest.mark.parametrize(
    ("function", "method", "is_event"),
    [
        (typed, "POST", True),
        (text, "POST", True),
        (plain, "GET", False),
        (posted, "POST", False),
        (asked, "GET", False),
    ],
)
def test_request_suits_the_function(
    function: Callable[..., Any], method: str, is_event: bool
) -> None:
    outgoing = sample_for(compile_plan(function, "f"))
    assert (outgoing.method, outgoing.is_event) == (method, is_event)


def test_query_is_made_up_too() -> None:
    assert sample_for(compile_plan(asked, "f")).query == [("name", "text"), ("price", "1")]


@pytest.mark.parametrize("mode", ContentMode)
def test_event_has_every_content_mode(mode: ContentMode) -> None:
    event = new_event({"subject": "s"}, {"n": 1})
    outgoing = event_request([event], mode)
    headers = {name.lower(): value for name, value in outgoing.headers}
    found = content_mode({**headers, "Content-Type": headers["content-type"]})
    assert found is mode
    assert decode(mode, CIMultiDict(outgoing.headers), outgoing.body) == [event]


def test_several_events_are_a_batch() -> None:
    outgoing = event_request([new_event({}), new_event({})])
    assert outgoing.header("content-type") == "application/cloudevents-batch+json"


def test_header_that_is_given_replaces_the_event_s() -> None:
    outgoing = event_request([new_event({}, 1)], headers=[("CE-ID", "x")])
    assert [v for k, v in outgoing.headers if k.lower() == "ce-id"] == ["x"]


def test_plain_request_is_a_get_without_a_body_and_a_post_with_one() -> None:
    assert plain_request().method == "GET"
    assert plain_request(body=b"x").method == "POST"
    assert plain_request("put", body=b"x").method == "PUT"
    assert not plain_request(body=b"x", content_type="text/plain").is_event
