"""Conversion from and to the event classes of the CloudEvents SDK.

Nothing here imports the SDK before the user's code does: its classes are recognised by their dotted
names. Decoding and validation are left to `http_binding` and `attributes`, since SDK 2.2.0 accepts
invalid events and invents attributes. Module names of SDK 1.x are for `sdk_aliases`.
"""

import functools
import importlib
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType, UnionType
from typing import Any, Self, SupportsIndex, TypeVar, Union, get_args, get_origin

__all__ = [
    "EVENT_TYPES",
    "Builder",
    "ReceivedTime",
    "builder",
    "event_type",
    "http_message",
    "is_http_message",
    "unpack",
]

Builder = Callable[[Mapping[str, object], object], object]
"""Attributes in wire form (`time` an RFC 3339 text) and data, to an instance of an SDK class."""


class ReceivedTime(datetime):
    """The `time` of a received event, for SDK classes with a `datetime`.

    A `datetime` is cut to microseconds and has no leap seconds; the received text is kept, so that
    an event that is passed on keeps its time. Arithmetic drops the text.
    """

    text: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an RFC 3339 timestamp (section 5.6).

        Raises:
            ValueError: A `datetime` cannot hold it, as with the year 0.
        """
        upper = text.upper()  # RFC 3339 allows "t" and "z", which `fromisoformat` does not know
        if upper[17:19] == "60":  # a leap second
            upper = f"{upper[:17]}59.999999{upper[19:].lstrip('.0123456789')}"
        time = cls.fromisoformat(upper)
        time.text = text
        return time

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        """Return the received text, unless another form is requested."""
        if self.text is not None and (sep, timespec) == ("T", "auto"):
            return self.text
        return super().isoformat(sep, timespec)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # Copies keep the text.
        return super().__reduce_ex__(protocol) if self.text is None else (self.parse, (self.text,))


def builder(annotation: object) -> Builder | None:
    """Return a builder of instances of an SDK event class; `None` for any other annotation.

    Abstract classes and the SDK's `AnyCloudEvent` give the SDK's own concrete class. A class of the
    SDK's core holds one version of CloudEvents only: an event of the other version becomes an
    instance of the other version's class, as when the SDK decodes it. Subclasses of users are
    built as themselves.

    The builder does not change the attributes, and removes those that the SDK's constructors
    invent. It raises `ValueError` if the class cannot hold the event; pydantic's
    `ValidationError` is one too.

    Args:
        annotation: A class, a type variable bound to one, or a union with one of these; of
            several, the first counts.
    """
    match = _match(annotation)
    if match is None:
        return None
    cls, name = match
    return _MAKERS[name](cls, _dotted(cls) == name)


def event_type(annotation: object) -> str | None:
    """Return the one of `EVENT_TYPES` that an annotation is or derives from.

    Args:
        annotation: As for `builder`.
    """
    match = _match(annotation)
    return match and match[1]


def _match(annotation: object) -> tuple[Any, str] | None:
    """The class to build, and the class of the SDK that it is or derives from."""
    for ancestor in getattr(annotation, "__mro__", (annotation,)):
        if _dotted(ancestor) in _MAKERS:
            return annotation, _dotted(ancestor)
    if isinstance(annotation, TypeVar):
        return _match(annotation.__bound__)
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return next(filter(None, map(_match, members)), None)


def unpack(value: object) -> tuple[dict[str, object], object] | None:
    """Return the attributes and data of an SDK event; `None` for anything else.

    Attributes that are `None` are unset, and left out.
    """
    read = _reader(type(value))  # type: ignore[arg-type]  # a class is hashable
    if read is None:
        return None
    attributes, data = read(value)
    return {name: v for name, v in attributes.items() if v is not None}, data


def is_http_message(headers: object) -> bool:
    """Check for headers made by the SDK's `to_binary` or `to_structured`.

    They differ from attributes, whose names have no hyphen (CloudEvents 1.0, "Naming Conventions").
    """
    if type(headers) is not dict and not isinstance(headers, Mapping):
        return False
    try:
        joined = "".join(headers)
    except TypeError:
        joined = "".join(map(str, headers))
    if "-" not in joined:
        return False
    return any("-" in str(name) and _is_header(str(name), headers[name]) for name in headers)


def _is_header(name: str, value: object) -> bool:
    lower = name.lower()
    return lower.startswith("ce-") or (
        lower == "content-type" and str(value).lower().startswith("application/cloudevents")
    )


def http_message(value: object) -> tuple[dict[str, str], bytes] | None:
    """Return the headers and body of an event that the function has encoded with the SDK.

    These are `(headers, body)` of `to_binary` and `to_structured` of the SDK's `v1` layer, or an
    `HTTPMessage` of its core; `None` for anything else. The values of the headers become text.

    Raises:
        UnicodeEncodeError: The body is a `str` with a lone surrogate.
    """
    pair = value if isinstance(value, tuple) else _core_message(value)
    if len(pair) != 2 or not is_http_message(pair[0]):
        return None
    headers, body = pair
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | bytearray | memoryview | None):
        return None
    texts = {str(name): _header_text(v) for name, v in headers.items() if v is not None}
    return texts, bytes(body or b"")


def _core_message(value: object) -> tuple[Any, ...]:
    if _dotted(type(value)) != "cloudevents.core.bindings.http.HTTPMessage":
        return ()
    return getattr(value, "headers", None), getattr(value, "body", None)


def _header_text(value: object) -> str:
    """The canonical text of an attribute (CloudEvents 1.0, "Type System")."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _dotted(annotation: object) -> str:
    name = getattr(annotation, "__qualname__", None) or getattr(annotation, "__name__", "")
    return f"{getattr(annotation, '__module__', '')}.{name}"


def _sdk(name: str) -> Any:
    """Get an object of the SDK, which the user's code has imported already."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _make_core(cls: Any, is_exact: bool) -> Builder:
    """For `cloudevents.core`, where each version has its class and the protocol has none."""
    classes = {version: _sdk(name) for version, name in _CORE.items()} if is_exact else {}
    refused = _sdk("cloudevents.core.exceptions.CloudEventValidationError")

    def build(attributes: Mapping[str, object], data: object) -> object:
        own = dict(attributes)  # the event keeps this dict, and writes to it
        time = own.get("time")
        if isinstance(time, str):
            own["time"] = ReceivedTime.parse(time)
        try:
            event = classes.get(str(own["specversion"]), cls)(own, data)
        except refused as error:
            raise ValueError(str(error)) from error
        if time is None:
            event.get_attributes().pop("time", None)
        return event

    return build


def _make_http(cls: Any, is_exact: bool) -> Builder:
    """For `cloudevents.v1.http.CloudEvent`, which keeps time as text."""

    def build(attributes: Mapping[str, object], data: object) -> object:
        event = cls.create(attributes, data)
        if "time" not in attributes:
            del event["time"]
        return event

    return build


def _make_abstract(cls: Any, is_exact: bool) -> Builder:
    """For `cloudevents.v1.abstract.CloudEvent`: the SDK's own heir, or the user's."""
    if is_exact:
        return _make_http(_sdk("cloudevents.v1.http.event.CloudEvent"), is_exact)

    def build(attributes: Mapping[str, object], data: object) -> object:
        return cls.create(dict(attributes), data)

    return build


def _make_pydantic(cls: Any, is_exact: bool) -> Builder:
    """For `cloudevents.v1.pydantic.CloudEvent`, which has a `datetime`, the present by default."""

    def build(attributes: Mapping[str, object], data: object) -> object:
        time = attributes.get("time")
        parsed = ReceivedTime.parse(time) if isinstance(time, str) else time
        return cls.create({**attributes, "time": parsed}, data)

    return build


def _make_legacy(cls: Any, is_exact: bool) -> Builder:
    """For the `Event` of `cloudevents.v1.sdk.event.v1` and `.v03`, which has setters."""

    def build(attributes: Mapping[str, object], data: object) -> object:
        event = cls()
        named = event._ce_required_fields | event._ce_optional_fields
        for name in named & attributes.keys():
            event.Set(name, attributes[name])
        # Not by `Set`, which overwrites all extensions with one called "extensions".
        event.SetExtensions({name: v for name, v in attributes.items() if name not in named})
        event.SetData(data)
        return event

    return build


def _make_legacy_base(cls: Any, is_exact: bool) -> Builder:
    """For `cloudevents.v1.sdk.event.base.BaseEvent`: the class of the event's version."""
    if not is_exact:
        return _make_legacy(cls, is_exact)
    makers = {version: _make_legacy(_sdk(name), True) for version, name in _LEGACY.items()}

    def build(attributes: Mapping[str, object], data: object) -> object:
        return makers[str(attributes["specversion"])](attributes, data)

    return build


_CORE = MappingProxyType(
    {
        "1.0": "cloudevents.core.v1.event.CloudEvent",
        "0.3": "cloudevents.core.v03.event.CloudEvent",
    }
)
_LEGACY = MappingProxyType(
    {
        "1.0": "cloudevents.v1.sdk.event.v1.Event",
        "0.3": "cloudevents.v1.sdk.event.v03.Event",
    }
)

_Maker = Callable[[Any, bool], Builder]
_MAKERS: Mapping[str, _Maker] = MappingProxyType(
    {
        "cloudevents.core.v1.event.CloudEvent": _make_core,
        "cloudevents.core.v03.event.CloudEvent": _make_core,
        "cloudevents.core.base.BaseCloudEvent": _make_core,
        "cloudevents.v1.http.event.CloudEvent": _make_http,
        "cloudevents.v1.pydantic.v2.event.CloudEvent": _make_pydantic,
        "cloudevents.v1.pydantic.v1.event.CloudEvent": _make_pydantic,
        "cloudevents.v1.abstract.event.CloudEvent": _make_abstract,
        "cloudevents.v1.abstract.event.AnyCloudEvent": _make_abstract,
        "cloudevents.v1.sdk.event.v1.Event": _make_legacy,
        "cloudevents.v1.sdk.event.v03.Event": _make_legacy,
        "cloudevents.v1.sdk.event.base.BaseEvent": _make_legacy_base,
    }
)

EVENT_TYPES: tuple[str, ...] = tuple(_MAKERS)
"""The dotted names of the SDK's event classes; the names of SDK 1.x lead to the same classes."""


_Reader = Callable[[Any], tuple[Mapping[str, object], object]]


def _read_event(event: Any) -> tuple[Mapping[str, object], object]:
    attributes = event.get_attributes()
    time = attributes.get("time")
    if isinstance(time, ReceivedTime):
        attributes = {**attributes, "time": time.isoformat()}
    return attributes, event.get_data()


def _read_legacy(event: Any) -> tuple[Mapping[str, object], object]:
    attributes = event.Properties()
    data = attributes.pop("data", None)
    attributes.pop("extensions", None)
    return {**attributes, **event.Extensions()}, data


_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "cloudevents.core.base.BaseCloudEvent": _read_event,
        "cloudevents.v1.abstract.event.CloudEvent": _read_event,
        "cloudevents.v1.sdk.event.base.BaseEvent": _read_legacy,
    }
)


@functools.lru_cache(maxsize=256)
def _reader(cls: type[Any]) -> _Reader | None:
    """Find the reader for a type; cached, since it is needed for every result of a function."""
    return next((_READERS[name] for name in map(_dotted, cls.__mro__) if name in _READERS), None)
