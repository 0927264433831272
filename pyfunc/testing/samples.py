"""Requests to try a function with: events and plain requests, complete where nothing is said.

What the function asks for says what is made up: data that fits the annotation, and an event or a
plain request.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from pyfunc.cloudevents.data import JSON_TYPE, dump_json
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode, Message, encode, encode_batch
from pyfunc.cloudevents.json_format import BATCH_TYPE
from pyfunc.function.signature import Plan

__all__ = [
    "DEFAULT_DATA",
    "Outgoing",
    "Pairs",
    "event_request",
    "new_event",
    "plain_request",
    "sample",
    "sample_for",
]

Pairs = Sequence[tuple[str, str]]

DEFAULT_TYPE = "com.example.sample"
DEFAULT_SOURCE = "/pyfunc/sample"
DEFAULT_DATA: Mapping[str, Any] = {"hello": "world"}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request that is to be sent."""

    method: str
    path: str
    """The path, with a query if it has one."""
    query: Pairs = ()
    """What is added to the query."""
    headers: Pairs = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def is_batch(self) -> bool:
        """Whether it carries events as a batch."""
        return (self.header("Content-Type") or "").lower().startswith(BATCH_TYPE)

    @property
    def is_event(self) -> bool:
        """Whether it means to be an event."""
        content_type = (self.header("Content-Type") or "").lower()
        is_binary = self.header("ce-specversion") is not None
        return is_binary or content_type.startswith("application/cloudevents")


def new_event(attributes: Mapping[str, Any], data: Any = None) -> Event:
    """A valid event; a missing `type`, `source` and, of data, `datacontenttype` are made up too.

    Raises:
        ValueError: An attribute has a name or value that the specification does not allow.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    if data is not None:
        given.setdefault("datacontenttype", written(data)[1])
    return Event({"type": DEFAULT_TYPE, "source": DEFAULT_SOURCE, **given}, data)


def event_request(
    events: Sequence[Event],
    mode: ContentMode = ContentMode.BINARY,
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
) -> Outgoing:
    """The request that carries events.

    Args:
        events: One event, or several, which go as a batch.
        mode: The content mode of one event.
        path: The path, with a query if it has one.
        query: What is added to the query.
        headers: What is added to the event's headers; a name that they have too is replaced.

    Raises:
        ReplyError: An event has no form on the wire.
    """
    batched = mode is ContentMode.BATCHED or len(events) != 1
    message = encode_batch(events) if batched else encode(events[0], mode)
    return Outgoing("POST", path, query, _merged(message, headers), message.body)


def plain_request(
    method: str | None = None,
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Outgoing:
    """A request that is no event; GET where there is no body, else POST."""
    typed = [("Content-Type", content_type)] if content_type and body else []
    chosen = method.upper() if method else "POST" if body else "GET"
    return Outgoing(chosen, path, query, _merged(Message(typed, body), headers), body)


def _merged(message: Message, headers: Pairs) -> Pairs:
    names = {name.lower() for name, _ in headers}
    return [*(pair for pair in message.headers if pair[0].lower() not in names), *headers]


# --- what fits the function -----------------------------------------------------------------------


def sample_for(plan: Plan) -> Outgoing:
    """A request that the function can be tried with."""
    wanted = {b.source.name: b.target for b in plan.bindings if b.source is not None}
    if plan.takes_events:
        return event_request([new_event({}, sample(wanted.get("data", ...)))])
    query = sample(wanted.get("query", ...), {})
    pairs = [(name, str(value)) for name, value in query.items()] if type(query) is dict else []
    if "body" not in wanted:
        return plain_request(query=pairs)
    body, content_type = written(sample(wanted["body"]))
    return plain_request(query=pairs, body=body, content_type=content_type)


def written(data: Any) -> tuple[bytes, str]:
    """Data as a body, with the content type that says what it is."""
    if isinstance(data, bytes | bytearray):
        return bytes(data), "application/octet-stream"
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    return dump_json(data), JSON_TYPE


def sample(wanted: Any, unknown: Any = DEFAULT_DATA) -> Any:
    """A value that fits an annotation: the smallest that its JSON Schema allows, more or less.

    Args:
        wanted: An evaluated annotation; `...` for none.
        unknown: The value where the annotation says nothing.
    """
    wanted = _without_none(wanted)
    if wanted in _PLAIN:
        return _PLAIN[wanted]
    try:
        schema = msgspec.json.schema(wanted, schema_hook=_schema)
    except (TypeError, NameError):
        return unknown
    return _with_times(_Sampler(schema.get("$defs", {})).value(schema), wanted)


def _with_times(value: Any, wanted: Any) -> Any:
    """msgspec's schema tells a date and time only from a string where it has a zone: look again."""
    for _ in range(_TIMES):
        try:
            msgspec.convert(value, wanted, dec_hook=lambda _, anything: anything)
        except msgspec.ValidationError as error:
            if not (found := _TIME_EXPECTED(str(error))):
                return value
            steps = re.findall(r"\w+|\[[.\d]+\]", found[2] or "")
            value = _replaced(value, steps, _FORMATS[found[1]])
        else:
            return value
    return value


def _replaced(value: Any, steps: Sequence[str], by: str) -> Any:
    if not steps:
        return by
    step, *rest = steps
    if isinstance(value, list):
        return [_replaced(item, rest, by) for item in value]
    return {key: _replaced(item, rest, by) if key == step else item for key, item in value.items()}


_TIMES = 32  # in one type; the rest is sent as it is
_TIME_EXPECTED = re.compile(r"Invalid RFC3339 encoded (datetime|time)(?: - at `\$(.*)`)?").match
_PLAIN: Mapping[Any, Any] = {str: "hello", bytes: b"hello", bytearray: b"hello"}


def _without_none(wanted: Any) -> Any:
    if get_origin(wanted) in (Union, UnionType):
        return next(member for member in get_args(wanted) if member is not NoneType)
    return wanted


def _schema(kind: type) -> dict[str, Any]:
    """msgspec's hook for types that it does not know: pydantic models describe themselves."""
    describe = getattr(kind, "model_json_schema", None)
    if describe is None:
        raise NotImplementedError
    schema = describe()
    return {"examples": [_Sampler(schema.get("$defs", {})).value(schema)]}


Schema = Mapping[str, Any]


class _Sampler:
    """Values for the parts of a JSON Schema.

    Args:
        definitions: What `$ref` leads to, by name.
    """

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def value(self, schema: Schema, depth: int = 0) -> Any:
        """A value that the schema allows."""
        if "$ref" in schema:
            return self.value(self.definitions[schema["$ref"].rpartition("/")[2]], depth + 1)
        for word, take in _GIVEN.items():
            if word in schema:
                return take(schema[word])
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                return self.value(_best(schema[word]), depth)
        return self._of_type(schema, depth)

    def _of_type(self, schema: Schema, depth: int) -> Any:
        kind = schema.get("type")
        if kind == "object":
            names = schema.get("required", ())
            return {name: self.value(schema["properties"][name], depth + 1) for name in names}
        if kind == "array":
            return self._items(schema, depth)
        make = _SCALARS.get(kind)
        return make(schema) if make else dict(DEFAULT_DATA)

    def _items(self, schema: Schema, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self.value(item, depth + 1) for item in schema["prefixItems"]]
        item = schema.get("items")
        if not isinstance(item, Mapping) or depth > _DEEP:
            return []
        return [self.value(item, depth + 1)] * max(1, schema.get("minItems", 1))


_DEEP = 6  # a type may hold a list of itself


def _best(choices: Sequence[Schema]) -> Schema:
    return next((choice for choice in choices if choice.get("type") != "null"), choices[0])


def _text(schema: Schema) -> str:
    if "format" in schema:
        return _FORMATS.get(schema["format"], "text")
    return "text".ljust(schema.get("minLength", 0), "t")[: schema.get("maxLength")]


def _number(schema: Schema) -> Any:
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    step = schema.get("multipleOf", 1)
    return min(max(step, -(-least // step) * step), schema.get("maximum", float("inf")))


_GIVEN: Mapping[str, Callable[[Any], Any]] = {
    "examples": lambda examples: examples[0],
    "default": lambda default: default,
    "const": lambda const: const,
    "enum": lambda values: values[0],
}
_SCALARS: Mapping[Any, Callable[[Schema], Any]] = {
    "string": _text,
    "integer": _number,
    "number": _number,
    "boolean": lambda _: True,
    "null": lambda _: None,
}
_FORMATS: Mapping[str, str] = {
    "byte": "aGVsbG8=",
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "datetime": "2026-01-31T12:00:00Z",
    "decimal": "1",
    "duration": "PT1S",
    "email": "me@example.com",
    "ipv4": "192.0.2.1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "0e3b5f0e-5d4e-4f5e-9c39-1f3c1b6d8a52",
}
