"""Sample requests: events and plain requests, with defaults for all that the caller leaves open.

The plan of a function decides between an event and a plain request, and gives the type of the data.
Sending is for `exchange`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as types

from pyfunc.cloudevents.data import JSON_TYPE
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode, Message, encode, encode_batch
from pyfunc.cloudevents.json_format import BATCH_TYPE
from pyfunc.cloudevents.json_text import dump_json
from pyfunc.function.annotations import without_none
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
    "to_body",
]

Pairs = Sequence[tuple[str, str]]

DEFAULT_TYPE = "com.example.sample"
DEFAULT_SOURCE = "/pyfunc/sample"
DEFAULT_DATA: Mapping[str, Any] = {"hello": "world"}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to be sent."""

    method: str
    path: str
    """The path, with a query if it has one."""
    query: Pairs = ()
    """Pairs added to the query of the path."""
    headers: Pairs = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def is_batch(self) -> bool:
        """Its content type is that of a batch of events."""
        return (self.header("Content-Type") or "").lower().startswith(BATCH_TYPE)

    @property
    def is_event(self) -> bool:
        """Its headers are those of an event in any content mode."""
        content_type = (self.header("Content-Type") or "").lower()
        is_binary = self.header("ce-specversion") is not None
        return is_binary or content_type.startswith("application/cloudevents")


def new_event(attributes: Mapping[str, Any], data: Any = None) -> Event:
    """Make a valid event, with defaults for `type`, `source` and, with data, `datacontenttype`.

    Raises:
        ValueError: An attribute has a name or value that the specification does not allow.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    if data is not None:
        given.setdefault("datacontenttype", to_body(data)[1])
    return Event({"type": DEFAULT_TYPE, "source": DEFAULT_SOURCE, **given}, data)


def event_request(
    events: Sequence[Event],
    mode: ContentMode = ContentMode.BINARY,
    path: str = "/",
    query: Pairs = (),
    headers: Pairs = (),
) -> Outgoing:
    """Make the request of one or more events.

    Args:
        events: One event, or several, which are sent as a batch.
        mode: The content mode of one event.
        path: The path, with a query if it has one.
        query: Pairs added to the query of the path.
        headers: Headers added to those of the event; equal names are replaced.

    Raises:
        ReplyError: An event cannot be encoded.
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
    """Make a request that is no event; GET without a body, else POST."""
    typed = [("Content-Type", content_type)] if content_type and body else []
    method = method.upper() if method else "POST" if body else "GET"
    return Outgoing(method, path, query, _merged(Message(typed, body), headers), body)


def _merged(message: Message, headers: Pairs) -> Pairs:
    names = {name.lower() for name, _ in headers}
    return [*(pair for pair in message.headers if pair[0].lower() not in names), *headers]


# --- samples --------------------------------------------------------------------------------------


def sample_for(plan: Plan) -> Outgoing:
    """Make a request that suits the function."""
    targets = {b.source.name: b.target for b in plan.bindings if b.source is not None}
    if plan.takes_events:
        return event_request([new_event({}, sample(targets.get("data", ...)))])
    query = sample(targets.get("query", ...), {})
    pairs = [(name, str(value)) for name, value in query.items()] if type(query) is dict else []
    if "body" not in targets:
        return plain_request(query=pairs)
    body, content_type = to_body(sample(targets["body"]))
    return plain_request(query=pairs, body=body, content_type=content_type)


def to_body(data: Any) -> tuple[bytes, str]:
    """Encode data as a body, with its content type."""
    if isinstance(data, bytes | bytearray):
        return bytes(data), "application/octet-stream"
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    return dump_json(data), JSON_TYPE


def sample(annotation: Any, default: Any = DEFAULT_DATA) -> Any:
    """Make a value that fits an annotation, close to the smallest that its JSON Schema allows.

    Args:
        annotation: An evaluated annotation; `...` for none.
        default: The value where the annotation allows anything.
    """
    annotation, _ = without_none(annotation)
    if annotation in _TEXTS:
        return _TEXTS[annotation]
    try:
        schema = msgspec.json.schema(annotation, schema_hook=_schema)
    except (TypeError, NameError):
        return default
    value = _Sampler(schema.get("$defs", {})).value(schema)
    return _with_times(value, types.type_info(annotation))


def _with_times(value: Any, kind: Any) -> Any:
    """Replace the samples of dates and times that may lack a zone: their schema is any string."""
    if isinstance(kind, types.Metadata):
        return _with_times(value, kind.type)
    if isinstance(kind, types.UnionType):
        first = next(member for member in kind.types if not isinstance(member, types.NoneType))
        return _with_times(value, first)
    if isinstance(kind, types.DateTimeType | types.TimeType) and value == _TEXT:
        moment = _FORMATS["date-time" if isinstance(kind, types.DateTimeType) else "time"]
        return moment if kind.tz is None else moment.removesuffix("Z")
    fields = {field.encode_name: field.type for field in getattr(kind, "fields", ())}
    if isinstance(value, dict):
        return {name: _with_times(item, fields.get(name)) for name, item in value.items()}
    if isinstance(value, list):
        kinds = list(getattr(kind, "item_types", fields.values()))
        kinds = kinds or [getattr(kind, "item_type", None)] * len(value)
        return [_with_times(item, kind) for item, kind in zip(value, kinds, strict=False)]
    return value


_TEXTS: Mapping[Any, Any] = {str: "hello", bytes: b"hello", bytearray: b"hello"}


def _schema(kind: type) -> dict[str, Any]:
    """Describe a type unknown to msgspec; pydantic models have a JSON Schema."""
    describe = getattr(kind, "model_json_schema", None)
    if describe is None:
        raise NotImplementedError
    schema = describe()
    return {"examples": [_Sampler(schema.get("$defs", {})).value(schema)]}


Schema = Mapping[str, Any]


class _Sampler:
    """Sample values for the parts of a JSON Schema.

    Args:
        definitions: The targets of `$ref`, by name.
    """

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions

    def value(self, schema: Schema, depth: int = 0) -> Any:
        """Make a value that the schema allows."""
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


_TEXT = "text"
_DEEP = 6  # a type may hold a list of itself


def _best(choices: Sequence[Schema]) -> Schema:
    return next((choice for choice in choices if choice.get("type") != "null"), choices[0])


def _text(schema: Schema) -> str:
    if "format" in schema:
        return _FORMATS.get(schema["format"], _TEXT)
    return _TEXT.ljust(schema.get("minLength", 0), "t")[: schema.get("maxLength")]


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
    "decimal": "1",
    "duration": "PT1S",
    "email": "me@example.com",
    "ipv4": "192.0.2.1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "0e3b5f0e-5d4e-4f5e-9c39-1f3c1b6d8a52",
}
