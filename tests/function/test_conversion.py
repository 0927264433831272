import json
import sys
from typing import Any

import msgspec
import pytest
from multidict import MultiDict

from pyfunc.cloudevents.data import Payload, media_type
from pyfunc.cloudevents.json_text import dump_json
from pyfunc.errors import DataError, MalformedBodyError
from pyfunc.function.annotations import UnsupportedTypeError, type_name
from pyfunc.function.conversion import from_payload, from_strings
from tests.support.apps import Load, Serve
from tests.support.events import event_headers

TYPES = """
    import datetime, decimal, enum, typing, uuid
    from dataclasses import dataclass, field
    import attrs, msgspec, pydantic

    @dataclass
    class Item:
        qty: int
        name: str = "thing"

    @dataclass
    class Order:
        items: list[Item]
        at: datetime.datetime | None = None

    class TypedItem(typing.TypedDict):
        qty: int
        name: typing.NotRequired[str]

    class TypedOrder(typing.TypedDict):
        items: list[TypedItem]

    class StructItem(msgspec.Struct):
        qty: int

    class StructOrder(msgspec.Struct, rename="camel"):
        items: list[StructItem]
        max_qty: int = 9

    @attrs.define
    class AttrsItem:
        qty: int = attrs.field(validator=attrs.validators.gt(0))

    @attrs.define
    class AttrsOrder:
        items: list[AttrsItem]

    class ModelItem(pydantic.BaseModel):
        qty: int

    class ModelOrder(pydantic.BaseModel):
        items: list[ModelItem]

    class StrictOrder(pydantic.BaseModel, strict=True):
        at: datetime.datetime

    @dataclass
    class OfModels:
        items: list[ModelItem]

    class Colour(enum.Enum):
        RED = "red"
        ONE = "1"

    class Size(enum.IntEnum):
        SMALL = 1

    @dataclass
    class Circle:
        radius: float

    class Cat(msgspec.Struct, tag=True):
        name: str

    class Dog(msgspec.Struct, tag=True):
        name: str

    class Node(msgspec.Struct):
        kids: list["Node"] = []

    @dataclass
    class Positive:
        qty: int

        def __post_init__(self):
            if self.qty < 0:
                raise ValueError("less - at `$.all` - than nothing")

    class Plain:
        pass

    @dataclass
    class WithLock:
        qty: int
        lock: Plain = field(default_factory=Plain)

    class Parcel(msgspec.Struct):
        item: Item | None = None

    Few = typing.Annotated[list[int], msgspec.Meta(max_length=2)]
    Short = typing.Annotated[str, msgspec.Meta(max_length=2)]
    OrderId = typing.NewType("OrderId", int)
"""
JSON = "application/json"
ITEMS = {"items": [{"qty": 1}, {"qty": 2}]}


@pytest.fixture
def types(load_source: Load) -> dict[str, Any]:
    loaded = load_source(f"{TYPES}\n    def main(): ...\n")
    return vars(sys.modules[loaded.module_name])


def annotation(types: dict[str, Any], text: str) -> Any:
    return eval(text, types)  # noqa: S307 - the tests' own text


def convert(
    types: dict[str, Any], text: str, body: bytes, content_type: str | None = JSON, **kept: Any
) -> Any:
    converted = from_payload("data", annotation(types, text), **kept)
    assert converted is not None
    return converted(Payload(body, media_type(content_type)))


def misfit(types: dict[str, Any], text: str, body: object, content_type: str = JSON) -> str:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(DataError) as caught:
        convert(types, text, octets, content_type)
    assert caught.value.status == 422
    return caught.value.detail


# --- what fits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "body", "value"),
    [
        ("Order", ITEMS, "Order([Item(1), Item(2)])"),
        ("TypedOrder", ITEMS, "{'items': [{'qty': 1}, {'qty': 2}]}"),
        ("StructOrder", {**ITEMS, "maxQty": 3}, "StructOrder([StructItem(1), StructItem(2)], 3)"),
        ("AttrsOrder", ITEMS, "AttrsOrder([AttrsItem(1), AttrsItem(2)])"),
        ("ModelOrder", ITEMS, "ModelOrder(items=[ModelItem(qty=1), ModelItem(qty=2)])"),
        ("OfModels", ITEMS, "OfModels([ModelItem(qty=1), ModelItem(qty=2)])"),
        ("list[Item]", [{"qty": 1}], "[Item(1)]"),
        ("list[ModelItem]", [{"qty": 1}], "[ModelItem(qty=1)]"),
        ("dict[str, Item]", {"a": {"qty": 1}}, "{'a': Item(1)}"),
        ("dict[str, list[ModelItem]]", {"a": [{"qty": 1}]}, "{'a': [ModelItem(qty=1)]}"),
        ("Item | None", {"qty": 1}, "Item(1)"),
        ("Item | None", None, "None"),
        ("typing.Optional[ModelItem]", {"qty": 1}, "ModelItem(qty=1)"),
        ("typing.Optional[ModelItem]", None, "None"),
        ("typing.Union[ModelItem, str]", {"qty": 1}, "ModelItem(qty=1)"),
        ("typing.Union[ModelItem, str]", "one", "'one'"),
        ("ModelItem | ModelOrder", ITEMS, "ModelOrder(items=[ModelItem(qty=1), ModelItem(qty=2)])"),
        ("Cat | Dog", {"type": "Dog", "name": "x"}, "Dog('x')"),
        ("Item | list[Item]", [{"qty": 1}], "[Item(1)]"),
        ("Item | Circle", {"radius": 1}, "Circle(1.0)"),
        ("Item | Circle | None", None, "None"),
        ("TypedItem | AttrsItem", {"qty": 1}, "{'qty': 1}"),
        ("Order | Item | str", "a", "'a'"),
        ("int | str", "five", "'five'"),
        ("int", 5, "5"),
        ("float", 5, "5.0"),
        ("bool", True, "True"),
        ("dict", {"a": 1}, "{'a': 1}"),
        ("list", [1], "[1]"),
        ("set[int]", [1], "{1}"),
        ("tuple[int, str]", [1, "a"], "(1, 'a')"),
        ("Colour", "red", "Colour.RED"),
        ("Size", 1, "Size.SMALL"),
        ("typing.Literal['a', 'b']", "a", "'a'"),
        ("datetime.date", "2026-11-23", "datetime.date(2026, 11, 23)"),
        (
            "datetime.datetime",
            "2026-11-23T01:02:03Z",
            "datetime.datetime(2026, 11, 23, 1, 2, 3, tzinfo=datetime.timezone.utc)",
        ),
        ("uuid.UUID", "0" * 32, "uuid.UUID(int=0)"),
        ("decimal.Decimal", "1.10", "decimal.Decimal('1.10')"),
        ("OrderId", 5, "5"),
        ("Few", [1, 2], "[1, 2]"),
        ("Short", "ab", "'ab'"),
        ("Node", {"kids": [{}]}, "Node([Node()])"),
        ("WithLock", {"qty": 1}, None),
        (
            "StrictOrder",
            {"at": "2026-11-23T00:00:00Z"},
            "StrictOrder(at=datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc))",
        ),
    ],
)
def test_json_becomes_what_is_asked_for(
    types: dict[str, Any], text: str, body: object, value: str | None
) -> None:
    converted = convert(types, text, json.dumps(body).encode())

    if value is not None:
        assert converted == annotation(types, value)
        assert type(converted) is type(annotation(types, value))


@pytest.mark.parametrize(
    ("text", "body", "content_type", "value"),
    [
        ("bytes", b'{"a": 1}', JSON, b'{"a": 1}'),
        ("bytes", b"\xff\x00", "application/octet-stream", b"\xff\x00"),
        ("bytearray", b"\xff\x00", "application/octet-stream", bytearray(b"\xff\x00")),
        ("bytes | None", b"null", JSON, b"null"),
        ("str", "grün".encode("latin-1"), "text/plain; charset=latin-1", "grün"),
        ("str", b'{"a": 1}', JSON, '{"a": 1}'),
        ("str", b'"a"', JSON, "a"),
        ("str", b"plain", None, "plain"),
        ("str | None", b"null", JSON, None),
        ("str | None", b" null ", JSON, None),
        ("str | None", b"null", "text/plain", "null"),
        ("Short", b"12", "text/plain", "12"),
        ("dict | str", b"12", "text/plain", "12"),
        ("dict | str", b'{"a": 1}', None, {"a": 1}),
        ("dict | bytes", b"\xff\x00", "image/png", b"\xff\x00"),
        ("int", b"5", "text/plain", 5),
        ("int | None", b"5", None, 5),
        ("bool", b"true", "text/plain", True),
        ("dict", b'{"a": 1}', "application/octet-stream", {"a": 1}),
        ("dict", b'\xef\xbb\xbf{"a": 1}', JSON, {"a": 1}),
        ("dict", '{"a": "ü"}'.encode("latin-1"), f"{JSON}; charset=latin-1", {"a": "ü"}),
    ],
)
def test_content_type_and_annotation_decide_together(
    types: dict[str, Any], text: str, body: bytes, content_type: str | None, value: object
) -> None:
    assert convert(types, text, body, content_type) == value


@pytest.mark.parametrize(("body", "name"), [(b"red", "RED"), (b"1", "ONE")])
def test_text_becomes_an_enumeration(types: dict[str, Any], body: bytes, name: str) -> None:
    assert convert(types, "Colour", body, "text/plain").name == name


def test_defaults_of_dataclasses_are_their_own(types: dict[str, Any]) -> None:
    """Else `vars(order)` has none, and a dataclass that is returned loses them."""
    order = convert(types, "dict[str, list[Order]]", b'{"a": [{"items": [{"qty": 1}]}]}')["a"][0]

    assert vars(order) == {"items": order.items, "at": None}
    assert vars(order.items[0]) == {"qty": 1, "name": "thing"}
    assert dump_json(order) == b'{"items":[{"qty":1,"name":"thing"}],"at":null}'
    parcel = convert(types, "Parcel", b'{"item": {"qty": 1}}')
    assert vars(parcel.item) == {"qty": 1, "name": "thing"}


def test_msgspec_leaves_defaults_of_dataclasses_in_the_class(types: dict[str, Any]) -> None:
    """Once this fails, `_complete` may go."""
    assert vars(msgspec.json.decode(b'{"qty": 1}', type=types["Item"])) == {"qty": 1}


@pytest.mark.parametrize("text", ["typing.Any", "object"])
def test_anything_is_taken_as_it_comes(types: dict[str, Any], text: str) -> None:
    assert from_payload("data", annotation(types, text)) is None


# --- what does not --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["Order", "TypedOrder", "StructOrder", "AttrsOrder", "list[Order]", "dict[str, Order]"]
)
def test_misfit_is_told_with_the_path_of_the_fault(types: dict[str, Any], text: str) -> None:
    body: Any = {"items": [{"qty": 1}, {"qty": 1}, {"qty": "many"}]}
    where = "$"
    if text.startswith("list"):
        body, where = [body], "$[0]"
    if text.startswith("dict"):
        body, where = {"a": body}, "$[...]"

    assert misfit(types, text, body) == (
        f"data does not fit: {where}.items[2].qty: expected int, got str"
    )


@pytest.mark.parametrize("text", ["ModelOrder", "OfModels", "list[ModelOrder]"])
def test_misfit_of_a_model_is_told_with_the_path_of_the_fault(
    types: dict[str, Any], text: str
) -> None:
    body: Any = {"items": [{"qty": 1}, {"qty": "many"}]}
    where = "$"
    if text.startswith("list"):
        body, where = [body], "$[0]"

    assert misfit(types, text, body) == (
        f"data does not fit: {where}.items[1].qty:"
        " input should be a valid integer, unable to parse string as an integer"
    )


def test_every_fault_of_a_model_is_told(types: dict[str, Any]) -> None:
    converted = from_payload("body", types["ModelOrder"])
    assert converted is not None

    with pytest.raises(DataError) as caught:
        converted(Payload(b'{"items": [{}, {"qty": []}]}', media_type(JSON)))

    assert caught.value.errors == (
        "$.items[0].qty: field required",
        "$.items[1].qty: input should be a valid integer",
    )
    assert caught.value.detail == f"body does not fit: {'; '.join(caught.value.errors)}"


@pytest.mark.parametrize(
    ("text", "body", "fault"),
    [
        ("Order", {}, "$.items: missing"),
        ("Order", {"items": [{}]}, "$.items[0].qty: missing"),
        ("TypedOrder", {"items": [{}]}, "$.items[0].qty: missing"),
        ("ModelItem", {}, "$.qty: field required"),
        ("Order", [], "$: expected object, got array"),
        ("Order", None, "$: expected object, got null"),
        ("Order", {"items": [], "at": "noon"}, "$.at: invalid RFC3339 encoded datetime"),
        ("AttrsOrder", {"items": [{"qty": 0}]}, "$.items[0]: 'qty' must be > 0: 0"),
        ("Positive", {"qty": -1}, "$: less - at `$.all` - than nothing"),
        ("Colour", "blue", "$: invalid enum value 'blue'"),
        ("Few", [1, 2, 3], "$: expected array of length <= 2"),
        ("list[Few]", [[1, 2, 3]], "$[0]: expected array of length <= 2"),
        ("Short", "abc", "$: expected str of length <= 2"),
        ("int", "5", "$: expected int, got str"),
        ("dict", [1], "$: expected object, got array"),
        ("WithLock", {"qty": 1, "lock": {}}, "$.lock: expected Plain, which JSON cannot hold"),
        (
            "Item | Circle",
            {"radius": "far"},
            "$.qty: missing, as Item; $.radius: expected float, got str, as Circle",
        ),
        (
            "ModelItem | str",
            5,
            "$.ModelItem: input should be a valid dictionary or instance of ModelItem;"
            " $.str: input should be a valid string",
        ),
    ],
)
def test_misfit_says_what_was_expected(
    types: dict[str, Any], text: str, body: object, fault: str
) -> None:
    assert misfit(types, text, body) == f"data does not fit: {fault}".replace("`$.all`", "$.all")


@pytest.mark.parametrize(
    ("text", "body", "content_type", "fault"),
    [
        ("Order", b"hello", "text/plain", "$: expected object, got str"),
        ("Order", b"\xff", "image/png", "$: expected JSON"),
        ("int", b"5.5", "text/plain", "$: expected int, got float"),
        ("datetime.datetime", b"noon", "text/plain", "$: invalid RFC3339 encoded datetime"),
    ],
)
def test_data_that_is_no_json_is_a_misfit_where_json_is_needed(
    types: dict[str, Any], text: str, body: bytes, content_type: str, fault: str
) -> None:
    assert misfit(types, text, body, content_type) == f"data does not fit: {fault}"


@pytest.mark.parametrize("body", [b"{", b'{"qty": 1', b"\xff", b"[" * 100_000])
def test_malformed_json_is_not_a_misfit(types: dict[str, Any], body: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        convert(types, "Item", body)


# --- what is not there ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("Item | None", ..., None),
        ("Item | None", None, None),
        ("Item", None, None),
        ("int", 7, 7),
        ("str", ..., ""),
        ("bytes", ..., b""),
        ("str | None", ..., None),
        ("bytes | None", ..., None),
        ("str", "none", "none"),
    ],
)
def test_absent_data_is_the_default_or_none(
    types: dict[str, Any], text: str, default: Any, value: object
) -> None:
    converted = from_payload("data", annotation(types, text), default)

    assert converted is not None
    assert converted(None) == value
    assert converted(Payload(b"", media_type(JSON))) == value


def test_absent_data_is_a_misfit_where_it_is_needed(types: dict[str, Any]) -> None:
    assert misfit(types, "list[Item]", b"") == "data: expected list[Item], found nothing"


# --- types that nothing converts to ---------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Plain",
        "list[Plain]",
        "dict[str, Plain]",
        "Plain | None",
        "type('A', (), {})",
        "bytes | str",
    ],
)
def test_type_that_nothing_fits_is_refused_at_once(types: dict[str, Any], text: str) -> None:
    with pytest.raises(UnsupportedTypeError):
        from_payload("data", annotation(types, text))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Item", "Item"),
        ("list[Item]", "list[Item]"),
        ("typing.Optional[Item]", "Item | None"),
        ("dict[str, list[Item]] | None", "dict[str, list[Item]] | None"),
        ("tuple[int, ...]", "tuple[int, ...]"),
        ("typing.Any", "Any"),
        ("None", "None"),
        ("OrderId", "OrderId"),
        ("typing.TypeVar('T')", "T"),
    ],
)
def test_type_is_called_as_its_author_wrote_it(types: dict[str, Any], text: str, name: str) -> None:
    assert type_name(annotation(types, text)) == name


# --- strings --------------------------------------------------------------------------------------

QUERIES = """
    import enum, typing
    from dataclasses import dataclass, field
    import msgspec, pydantic

    class Colour(enum.Enum):
        RED = "red"

    @dataclass
    class Page:
        number: int
        exact: bool = False
        colour: Colour | None = None
        tags: list[str] = field(default_factory=list)

    class Typed(typing.TypedDict, total=False):
        number: int
        tags: set[str]

    class Struct(msgspec.Struct, rename="camel"):
        page_tags: list[int] | None = None

    class Model(pydantic.BaseModel):
        number: int
        tags: list[str] = pydantic.Field(default=[], alias="tag")
"""


@pytest.fixture
def queries(load_source: Load) -> dict[str, Any]:
    loaded = load_source(f"{QUERIES}\n    def main(): ...\n")
    return vars(sys.modules[loaded.module_name])


@pytest.mark.parametrize(
    ("text", "strings", "value"),
    [
        ("Page", "number=2", "Page(2)"),
        (
            "Page",
            "number=2&exact=true&colour=red&tags=a&tags=b&other=1",
            "Page(2, True, Colour.RED, ['a', 'b'])",
        ),
        ("Page", "number=1&number=2&tags=a", "Page(1, tags=['a'])"),
        ("Page | None", "", "None"),
        ("Typed", "", "{}"),
        ("Typed", "number=1&tags=a&tags=a", "{'number': 1, 'tags': {'a'}}"),
        ("Struct", "pageTags=1&pageTags=2", "Struct([1, 2])"),
        ("Model", "number=1&tag=a&tag=b", "Model(number=1, tag=['a', 'b'])"),
        ("dict[str, int]", "a=1&b=2", "{'a': 1, 'b': 2}"),
        ("dict[str, list[int]]", "a=1&a=2", "{'a': [1, 2]}"),
    ],
)
def test_strings_become_what_is_asked_for(
    queries: dict[str, Any], text: str, strings: str, value: str
) -> None:
    converted = from_strings("query", annotation(queries, text))

    assert converted(multidict(strings)) == annotation(queries, value)


def multidict(strings: str) -> "MultiDict[str]":
    pairs = [pair.split("=") for pair in strings.split("&") if pair]
    return MultiDict([(key, value) for key, value in pairs])


@pytest.mark.parametrize(
    ("text", "strings", "fault"),
    [
        ("Page", "", "$.number: missing"),
        ("Page", "number=two", "$.number: expected int, got str"),
        ("Page", "number=1&exact=maybe", "$.exact: expected bool, got str"),
        ("Model", "number=two", "$.number: input should be a valid integer"),
    ],
)
def test_strings_that_do_not_fit_are_told(
    queries: dict[str, Any], text: str, strings: str, fault: str
) -> None:
    with pytest.raises(DataError) as caught:
        from_strings("query", annotation(queries, text))(multidict(strings))

    assert caught.value.detail.startswith(f"query does not fit: {fault}")


@pytest.mark.parametrize("text", ["int", "list[str]", "[1]", "object.__class__"])
def test_strings_need_a_type_with_fields(queries: dict[str, Any], text: str) -> None:
    with pytest.raises(UnsupportedTypeError):
        from_strings("query", annotation(queries, text))


# --- over HTTP ------------------------------------------------------------------------------------

SERVED = """
    from dataclasses import dataclass

    @dataclass
    class Item:
        qty: int

    @dataclass
    class Order:
        items: list[Item]

    {word} main({name}: Order{default}):
        return {{"type": "sum"}}, sum(item.qty for item in {name}.items) {more}
"""


@pytest.mark.parametrize("word", ["def", "async def"])
async def test_data_that_does_not_fit_is_422(serve: Serve, word: str) -> None:
    client = await serve(SERVED.format(word=word, name="data", default="", more=""))

    good = await client.post("/", json=ITEMS, headers=event_headers())
    bad = await client.post("/", json={"items": [{"qty": "1"}]}, headers=event_headers())
    absent = await client.post("/", headers=event_headers())

    assert (good.status, await good.json()) == (200, 3)
    assert (bad.status, bad.content_type) == (422, "application/problem+json")
    assert await bad.json() == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "data does not fit: $.items[0].qty: expected int, got str",
        "errors": ["$.items[0].qty: expected int, got str"],
    }
    assert (absent.status, (await absent.json())["detail"]) == (
        422,
        "data: expected Order, found nothing",
    )


@pytest.mark.parametrize("word", ["def", "async def"])
async def test_body_that_does_not_fit_is_422(serve: Serve, word: str) -> None:
    client = await serve(
        SERVED.format(word=word, name="body", default="", more="").replace('{"type": "sum"},', "")
    )

    good = await client.post("/", json=ITEMS)
    bad = await client.post("/", json={"items": [{"qty": 1}, {}]})
    malformed = await client.post("/", data=b"{", headers={"Content-Type": JSON})

    assert (good.status, await good.json()) == (200, 3)
    assert (bad.status, (await bad.json())["errors"]) == (422, ["$.items[1].qty: missing"])
    assert (malformed.status, (await malformed.json())["title"]) == (400, "Bad Request")


async def test_constraints_of_an_annotation_hold(serve: Serve) -> None:
    source = """
        from typing import Annotated
        import msgspec

        def main(body: Annotated[list[Annotated[int, msgspec.Meta(gt=0)]], "above zero"]):
            return sum(body)
    """
    client = await serve(source)

    assert await (await client.post("/", json=[1, 2])).json() == 3
    assert (await (await client.post("/", json=[1, 0])).json())["errors"] == [
        "$[1]: expected int >= 1"
    ]


async def test_structured_data_is_converted_too(serve: Serve) -> None:
    client = await serve(SERVED.format(word="def", name="data", default="", more=""))
    event = {"id": "1", "source": "/", "type": "t", "specversion": "1.0", "data": ITEMS}

    reply = await client.post(
        "/", json=event, headers={"Content-Type": "application/cloudevents+json"}
    )

    assert await reply.json() == 3


async def test_query_that_does_not_fit_is_422(serve: Serve) -> None:
    source = """
        from dataclasses import dataclass

        @dataclass
        class Page:
            number: int = 1

        def main(query: Page):
            return query
    """
    client = await serve(source)

    assert await (await client.get("/?number=5")).json() == {"number": 5}
    assert await (await client.get("/")).json() == {"number": 1}
    bad = await client.get("/?number=five")
    assert (bad.status, (await bad.json())["detail"]) == (
        422,
        "query does not fit: $.number: expected int, got str",
    )
