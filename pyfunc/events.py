"""The event class, and CloudEvents over HTTP without a web framework: content mode, decode, encode.

Sources: CloudEvents 1.0.2 (specification, HTTP protocol binding, JSON event format) and what
senders do in fact; 0.3 as every peer still takes it. An event that was received is never completed:
what is missing is an error.
"""

import base64
import binascii
import re
import time as clock
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID, uuid4

import msgspec

from pyfunc.errors import InvalidEventError, MalformedBodyError, ReplyError, UnsupportedFormatError
from pyfunc.payload import JSON_TYPE, Kind, Payload, dump_json, media_type, parse_json

__all__ = [
    "BATCH_TYPE",
    "STRUCTURED_TYPE",
    "ContentMode",
    "Event",
    "Message",
    "content_mode",
    "decode",
    "decode_batch",
    "encode",
    "encode_batch",
    "is_plain",
    "now",
    "valid_attributes",
]

STRUCTURED_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"

_REQUIRED = ("id", "source", "specversion", "type")
_VERSIONS = ("1.0", "0.3")
# Attributes of the specification are strings in JSON; extensions may be numbers and booleans.
_STRINGS = frozenset(
    {*_REQUIRED, "subject", "time", "datacontenttype", "dataschema", "schemaurl"}
    | {"datacontentencoding"}
)
_NAME = re.compile(r"[a-z0-9]+", re.ASCII).fullmatch
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S*", re.ASCII).fullmatch
# HTTP binding, section 3.1.3.2: U+0021 to U+007E stand for themselves, but for the quote and %.
_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')
_PLAIN = re.compile(r"[!#$&-~]*", re.ASCII).fullmatch
_HEADER = re.compile(r"[!-~]([ -~]*[!-~])?", re.ASCII).fullmatch
# Specification, section "Type System": no control characters, no non-characters.
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)
_INTEGERS = range(-(1 << 31), 1 << 31)


class ContentMode(Enum):
    """How an event is laid over an HTTP message (HTTP binding, section 1.3)."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


class Message(NamedTuple):
    """The part of an HTTP message that carries events."""

    headers: list[tuple[str, str]]
    body: bytes


class Event:
    """A CloudEvent: attributes and data.

    `event["type"]`, `event.get("subject")`, `"subject" in event` and iteration work on the
    attributes, as in a dict. The getters of the CloudEvents SDK are there too, so that an `Event`
    fits its `BaseCloudEvent` protocol.

    Args:
        attributes: The context attributes, extensions included. A new event gets the `id`,
            `specversion` and `time` that are missing; the mapping itself is not changed.
        data: The data: bytes, text, or anything with a JSON form.

    Raises:
        ValueError: An attribute has a name or value that the specification does not allow.
    """

    __slots__ = ("_attributes", "_data", "_has_data", "payload")

    def __init__(self, attributes: Mapping[str, Any], data: Any = None) -> None:
        try:
            complete = valid_attributes({"specversion": "1.0", "id": str(uuid4()), **attributes})
        except ReplyError as error:
            raise ValueError(str(error)) from None
        complete.setdefault("time", now())
        self._attributes = complete
        self._data = data
        self._has_data = data is not None
        self.payload: Payload | None = None

    @classmethod
    def received(cls, attributes: dict[str, Any], payload: Payload | None) -> "Event":
        """An event off the wire: nothing is filled in; the data is read when first asked for."""
        event = cls.__new__(cls)
        event._attributes = attributes
        event._data = _UNREAD
        event._has_data = payload is not None and bool(payload.octets)
        event.payload = payload
        return event

    @property
    def attributes(self) -> dict[str, Any]:
        """The context attributes, extensions included; the event's own dict."""
        return self._attributes

    @property
    def data(self) -> Any:
        """The data: parsed JSON, `str` for text, else `bytes`; `None` where there is none.

        Raises:
            MalformedBodyError: The data is not what `datacontenttype` says.
        """
        if self._data is _UNREAD:
            self._data = None if self.payload is None else self.payload.value()
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = data
        self._has_data = data is not None
        self.payload = None

    @property
    def has_data(self) -> bool:
        """Whether there is data; true for an explicit JSON `null` (JSON format, section 3.1)."""
        return self._has_data

    @property
    def id(self) -> str:
        """The `id` attribute."""
        return str(self._attributes["id"])

    @property
    def source(self) -> str:
        """The `source` attribute."""
        return str(self._attributes["source"])

    @property
    def type(self) -> str:
        """The `type` attribute."""
        return str(self._attributes["type"])

    @property
    def specversion(self) -> str:
        """The `specversion` attribute."""
        return str(self._attributes["specversion"])

    @property
    def subject(self) -> str | None:
        """The `subject` attribute, if set."""
        return self._attributes.get("subject")

    @property
    def datacontenttype(self) -> str | None:
        """The `datacontenttype` attribute, if set."""
        return self._attributes.get("datacontenttype")

    @property
    def dataschema(self) -> str | None:
        """The `dataschema` attribute, if set."""
        return self._attributes.get("dataschema")

    @property
    def time(self) -> datetime | None:
        """The `time` attribute as an aware datetime, if set; finer than microseconds is cut."""
        text = self._attributes.get("time")
        return None if text is None else _parse_time(text)

    def get_id(self) -> str:
        """The `id`, as the SDK asks for it."""
        return self.id

    def get_source(self) -> str:
        """The `source`, as the SDK asks for it."""
        return self.source

    def get_type(self) -> str:
        """The `type`, as the SDK asks for it."""
        return self.type

    def get_specversion(self) -> str:
        """The `specversion`, as the SDK asks for it."""
        return self.specversion

    def get_datacontenttype(self) -> str | None:
        """The `datacontenttype`, as the SDK asks for it."""
        return self.datacontenttype

    def get_dataschema(self) -> str | None:
        """The `dataschema`, as the SDK asks for it."""
        return self.dataschema

    def get_subject(self) -> str | None:
        """The `subject`, as the SDK asks for it."""
        return self.subject

    def get_time(self) -> datetime | None:
        """The `time`, as the SDK asks for it."""
        return self.time

    def get_extension(self, extension_name: str) -> Any:
        """An extension attribute, or `None`."""
        return self._attributes.get(extension_name)

    def get_data(self) -> Any:
        """The data, as the SDK asks for it."""
        return self.data

    def get_attributes(self) -> Mapping[str, Any]:
        """The attributes, as the SDK asks for them."""
        return self._attributes

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or `default` where it is not set."""
        return self._attributes.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self._attributes[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._attributes[name] = value

    def __delitem__(self, name: str) -> None:
        del self._attributes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._attributes

    def __iter__(self) -> Iterator[str]:
        return iter(self._attributes)

    def __len__(self) -> int:
        return len(self._attributes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self._attributes == other._attributes and self.data == other.data

    __hash__ = None  # type: ignore[assignment]  # events can be changed

    def __repr__(self) -> str:
        return f"Event({self._attributes!r}, {self.data!r})"


_UNREAD = object()


# --- in -------------------------------------------------------------------------------------------


def content_mode(headers: Mapping[str, str]) -> ContentMode | None:
    """The content mode of a request; `None` where it is not an event (HTTP binding, section 3).

    Args:
        headers: A case-insensitive mapping.

    Raises:
        UnsupportedFormatError: Events in a format other than JSON.
    """
    content_type = headers.get("Content-Type", "").lower()
    if not content_type.startswith("application/cloudevents"):
        has_attributes = "ce-specversion" in headers or any(
            name[:3].lower() == "ce-" for name in headers
        )
        return ContentMode.BINARY if has_attributes else None
    essence = media_type(content_type).essence
    # The batch prefix first, since the other one is part of it.
    if essence.startswith("application/cloudevents-batch"):
        return _spoken(essence, BATCH_TYPE, ContentMode.BATCHED)
    return _spoken(essence, STRUCTURED_TYPE, ContentMode.STRUCTURED)


def _spoken(essence: str, ours: str, mode: ContentMode) -> ContentMode:
    if essence != ours:
        raise UnsupportedFormatError(
            f"the event format is not spoken here: expected {ours}, or binary content mode"
        )
    return mode


def decode(mode: ContentMode, headers: Iterable[tuple[str, str]], body: bytes) -> list[Event]:
    """The events of a request.

    Args:
        mode: What `content_mode` said.
        headers: All headers in their order, repeated ones too.
        body: The whole body.

    Raises:
        InvalidEventError: An event breaks the specification; all its faults are told.
        MalformedBodyError: The JSON of a structured or batched event is malformed.
    """
    if mode is ContentMode.BINARY:
        return [_from_binary(headers, body)]
    if mode is ContentMode.STRUCTURED:
        return [_from_structured(_members(body))]
    return decode_batch(body)


def decode_batch(body: bytes) -> list[Event]:
    """The events of a batch (JSON format, section 4); one that is malformed spoils it."""
    try:
        documents = _decode_batch(_without_bom(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _refuse_json(body, "an array of events")
    events: list[Event] = []
    faults: list[str] = []
    for index, members in enumerate(documents):
        try:
            events.append(_from_structured(members))
        except InvalidEventError as error:
            faults += [f"[{index}].{fault}" for fault in error.errors]
    if faults:
        raise _invalid(faults)
    return events


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_batch = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def _without_bom(body: bytes) -> bytes:
    return body[3:] if body[:3] == b"\xef\xbb\xbf" else body


def _members(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _decode_members(_without_bom(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _refuse_json(body, "an object with the attributes and data of an event")


def _refuse_json(body: bytes, expected: str) -> NoReturn:
    """Say whether it is no JSON at all, or JSON of another shape."""
    parse_json(_without_bom(body))
    raise MalformedBodyError(f"the body is not an event in JSON format: expected {expected}")


def _from_binary(headers: Iterable[tuple[str, str]], body: bytes) -> Event:
    attributes: dict[str, Any] = {}
    faults: list[str] = []
    content_type = None
    for header, value in headers:
        if header[:3] in ("ce-", "Ce-", "CE-", "cE-"):
            name = header[3:].lower()
            if name in attributes:
                faults.append(f"{name}: expected one header, found several")
            elif not value.isascii() or not value.isprintable() or "%" in value or '"' in value:
                value = _header_value(name, value, faults)
            attributes[name] = value
        elif content_type is None and header.lower() == "content-type":
            content_type = value
    # The Content-Type is the one place for it in this mode (HTTP binding, section 3.1.1).
    attributes.pop("datacontenttype", None)
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    _check(attributes, faults)
    if faults:
        raise _invalid(faults)
    return _event(attributes, Payload(body, content_type))


def _header_value(name: str, value: str, faults: list[str]) -> str:
    """HTTP binding, section 3.1.3.2: unquote, then exactly one round of percent-decoding.

    A `%` without two hex digits and raw UTF-8 stay as they are, since Go's SDK sends both.
    """
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value.encode("utf-8", "surrogateescape")).decode()
    except UnicodeDecodeError:
        faults.append(f"{name}: expected UTF-8 after percent-decoding")
        return "-"


def _from_structured(members: dict[str, msgspec.Raw]) -> Event:
    attributes: dict[str, Any] = {}
    faults: list[str] = []
    for name, raw in members.items():
        if name in ("data", "data_base64"):
            continue
        value = _member_value(name, bytes(raw), faults)
        if value is not None:  # null is unset (JSON format, section 2.2)
            attributes[name] = value
    _check(attributes, faults)
    payload = _structured_payload(members, attributes, faults)
    if faults:
        raise _invalid(faults)
    return _event(attributes, payload)


def _member_value(name: str, raw: bytes, faults: list[str]) -> Any:
    try:
        value = parse_json(raw)
    except MalformedBodyError as error:
        faults.append(f"{name}: {error.detail}")
        return "-"
    if value is None or type(value) is str:
        return value
    if name in _STRINGS:
        faults.append(f"{name}: expected a string, found {_json_type(value)}")
        return "-"
    if type(value) is int and value not in _INTEGERS:
        faults.append(f"{name}: expected an integer of at most 32 bits")
    elif type(value) not in (int, bool):
        expected = "expected a string, an integer or a boolean"
        faults.append(f"{name}: {expected}, found {_json_type(value)}")
    return value


def _json_type(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")


def _structured_payload(
    members: dict[str, msgspec.Raw], attributes: dict[str, Any], faults: list[str]
) -> Payload | None:
    content_type = attributes.get("datacontenttype")
    data, encoded = members.get("data"), members.get("data_base64")
    if data is not None and encoded is not None and bytes(encoded) != b"null":
        faults.append("data: expected either data or data_base64, found both")
    if encoded is not None and bytes(encoded) != b"null":
        return Payload(_base64(_text_of(bytes(encoded)), "data_base64", faults), content_type)
    if data is None:
        return None
    if content_type is None and not faults:
        # JSON format, section 3.1: treated as JSON, and stated when it is sent on.
        content_type = attributes["datacontenttype"] = JSON_TYPE
    return Payload(bytes(data), content_type, in_json=True)


def _text_of(raw: bytes) -> str | None:
    try:
        value = parse_json(raw)
    except MalformedBodyError:
        return None
    return value if isinstance(value, str) else None


def _base64(text: str | None, name: str, faults: list[str]) -> bytes:
    try:
        return base64.b64decode((text or "").encode("ascii"), validate=True) if text != "" else b""
    except (binascii.Error, UnicodeEncodeError):
        faults.append(f"{name}: expected Base64 (RFC 4648)")
        return b""
    finally:
        if text is None:
            faults.append(f"{name}: expected a string in Base64 (RFC 4648)")


def _event(attributes: dict[str, Any], payload: Payload | None) -> Event:
    if attributes["specversion"] == "0.3" and "datacontentencoding" in attributes:
        payload = _decoded_v03(attributes, payload)
    if payload is not None and payload.media.kind is Kind.UNSTATED:
        event = Event.received(attributes, payload)
        if event.has_data and type(event.data) is not bytes:
            # It parsed as JSON; state it, so that it leaves as it came.
            attributes["datacontenttype"] = JSON_TYPE
        return event
    return Event.received(attributes, payload)


def _decoded_v03(attributes: dict[str, Any], payload: Payload | None) -> Payload | None:
    """CloudEvents 0.3 says `datacontentencoding: base64` where 1.0 has a member of its own."""
    encoding = attributes.pop("datacontentencoding").lower()
    if encoding != "base64" or payload is None:
        return payload
    faults: list[str] = []
    octets = payload.octets
    text = _text_of(octets) if payload.in_json else octets.decode("ascii", "replace")
    data = _base64(text, "data", faults)
    if faults:
        raise _invalid(faults)
    return Payload(data, attributes.get("datacontenttype"))


def _check(attributes: dict[str, Any], faults: list[str]) -> None:
    """Add every fault of an event's attributes (specification, section "Context Attributes")."""
    faults += [f"{name}: missing" for name in _REQUIRED if name not in attributes]
    for name, value in attributes.items():
        if not _NAME(name) or name == "data":
            faults.append(f"{_printable(name)}: expected a name of lower-case letters and digits")
        elif type(value) is str and (not value or not value.isprintable()):
            _check_text(name, value, faults)
    if attributes.get("specversion", "1.0") not in _VERSIONS:
        faults.append("specversion: expected 1.0 (or 0.3)")
    if "time" in attributes and not _is_time(attributes["time"]):
        faults.append("time: expected a timestamp such as 2026-01-31T12:00:00Z (RFC 3339)")
    if "dataschema" in attributes and not _ABSOLUTE_URI(attributes["dataschema"]):
        faults.append("dataschema: expected an absolute URI")


def _check_text(name: str, value: str, faults: list[str]) -> None:
    if not value and name in _STRINGS:
        faults.append(f"{name}: expected a value, found an empty one")
    elif _FORBIDDEN.search(value):
        faults.append(f"{name}: expected no control characters and no surrogates")


def _printable(name: str) -> str:
    return name if name.isascii() and name.isprintable() and len(name) <= 40 else "an attribute"


def _invalid(faults: list[str]) -> InvalidEventError:
    return InvalidEventError("not a valid CloudEvent: " + "; ".join(faults), errors=faults)


def _is_time(text: str) -> bool:
    match = _TIME(text)
    if match is None:
        return False
    try:
        _parse_time(text)
    except ValueError:
        return False
    return True


def _parse_time(text: str) -> datetime:
    """RFC 3339; a leap second, which `datetime` cannot hold, is the second after it."""
    text = text.upper()
    leap = text[17:19] == "60"
    moment = datetime.fromisoformat(f"{text[:17]}59{text[19:]}" if leap else text)
    return moment + timedelta(seconds=1) if leap else moment


# --- out ------------------------------------------------------------------------------------------


def now() -> str:
    """The current time as a `time` attribute (RFC 3339, UTC)."""
    return datetime.fromtimestamp(clock.time(), UTC).isoformat().replace("+00:00", "Z")


def valid_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an event that is to be sent, each in its canonical form.

    A `datetime` becomes RFC 3339 (one without a zone is taken as UTC), `bytes` Base64, a `UUID` and
    an enumeration their text; `None` is unset (specification, section "Type System").

    Raises:
        ReplyError: The event would not be valid; all faults are told.
    """
    faults: list[str] = []
    canonical: dict[str, Any] = {}
    for name, value in attributes.items():
        if type(value) is not str:
            value = _canonical(name, value, faults)
            if value is None:
                continue
        canonical[name] = value
    for name in _STRINGS.intersection(canonical):
        if type(canonical[name]) is not str:
            faults.append(f"{name}: expected a string, found {_json_type(canonical[name])}")
            canonical[name] = "-"
    if not faults:
        _check_reply(canonical, faults)
    if faults:
        raise ReplyError("not a valid CloudEvent: " + "; ".join(faults))
    return canonical


def _check_reply(attributes: dict[str, Any], faults: list[str]) -> None:
    if not all(type(name) is str for name in attributes):
        faults.append("expected attribute names of type str")
        return
    missing = {name: "-" for name in ("source", "type") if name not in attributes}
    _check({**attributes, **missing}, faults)
    content_type = attributes.get("datacontenttype")
    if content_type is not None and not _HEADER(content_type):
        faults.append("datacontenttype: expected a media type such as application/json")


def _canonical(name: str, value: Any, faults: list[str]) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | str):
        return value if value is None or type(value) in (bool, str) else str(value)
    if isinstance(value, int):
        if value not in _INTEGERS:
            faults.append(f"{name}: expected an integer of at most 32 bits")
        return int(value)
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, UUID):
        return str(value)
    faults.append(
        f"{name}: expected a string, integer, boolean, datetime or bytes, "
        f"found {type(value).__name__}"
    )
    return None


def _timestamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if (moment.utcoffset() or timedelta()).total_seconds() % 60:
        moment = moment.astimezone(UTC)  # RFC 3339 has no seconds in offsets
    return moment.isoformat().replace("+00:00", "Z")


def is_plain(attributes: Mapping[str, Any]) -> bool:
    """Whether every attribute can be a header value without percent-encoding.

    Go's and JavaScript's SDKs do not decode it, Knative's brokers among them.
    """
    return all(
        name == "datacontenttype" or type(value) is not str or _PLAIN(value)
        for name, value in attributes.items()
    )


def encode(event: Event, mode: ContentMode) -> Message:
    """An event as headers and body, in binary or structured content mode.

    Raises:
        ReplyError: The event is not valid, or its data has no form under its content type.
    """
    attributes = valid_attributes(event.attributes)
    for name in ("id", "source", "type"):
        if name not in attributes:
            raise ReplyError(f"not a valid CloudEvent: {name}: missing")
    if mode is ContentMode.BINARY:
        return _to_binary(attributes, event)
    document = _document(attributes, event)
    return Message([("Content-Type", STRUCTURED_TYPE)], dump_json(document))


def encode_batch(events: Iterable[Event]) -> Message:
    """Events as one batch; the media type stands alone, since sdk-go knows it only so."""
    documents = [_document(valid_attributes(event.attributes), event) for event in events]
    return Message([("Content-Type", BATCH_TYPE)], dump_json(documents))


def _to_binary(attributes: dict[str, Any], event: Event) -> Message:
    body, content_type = _octets(attributes.pop("datacontenttype", None), event)
    headers = [(f"ce-{name}", _to_header(value)) for name, value in attributes.items()]
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    return Message(headers, body)


def _to_header(value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    text = str(value)
    return text if _PLAIN(text) else quote(text, safe=_SAFE)


def _octets(content_type: str | None, event: Event) -> tuple[bytes, str | None]:
    """The data as a body, with the content type that it is sent under."""
    data = event.data
    if data is None:
        return (b"null" if event.has_data else b""), content_type
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data), content_type
    media = media_type(content_type)
    if isinstance(data, str) and media.kind is not Kind.JSON:
        return _encoded(data, media.charset), content_type or "text/plain; charset=utf-8"
    return dump_json(data), content_type or JSON_TYPE


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset)
    except (UnicodeEncodeError, LookupError):
        raise ReplyError(f"the text has no form in the charset {charset}") from None


def _document(attributes: dict[str, Any], event: Event) -> dict[str, Any]:
    """The JSON object of an event (JSON format, section 3)."""
    data = event.data
    content_type = attributes.get("datacontenttype")
    kind = media_type(content_type).kind
    if data is None:
        return {**attributes, "data": None} if event.has_data else attributes
    if isinstance(data, bytes | bytearray | memoryview):
        return _with_octets(attributes, bytes(data), kind)
    if kind is Kind.JSON:
        return {**attributes, "data": data}
    if isinstance(data, str):
        return {"datacontenttype": "text/plain", **attributes, "data": data}
    if kind is Kind.UNSTATED:
        return {**attributes, "datacontenttype": JSON_TYPE, "data": data}
    return {**attributes, "data": dump_json(data).decode()}


def _with_octets(attributes: dict[str, Any], octets: bytes, kind: Kind) -> dict[str, Any]:
    if attributes["specversion"] == "0.3":
        encoded = base64.b64encode(octets).decode()
        return {**attributes, "datacontentencoding": "base64", "data": encoded}
    if kind is Kind.JSON and _is_json(octets):
        # Bytes under a JSON type are JSON text already (JSON format, section 3.1).
        return {**attributes, "data": msgspec.Raw(octets)}
    return {**attributes, "data_base64": base64.b64encode(octets).decode()}


def _is_json(octets: bytes) -> bool:
    try:
        parse_json(octets)
    except MalformedBodyError:
        return False
    return True
