"""The event class, and CloudEvents over HTTP without a web framework: content mode, decode, encode.

Sources: CloudEvents 1.0.2 (specification, HTTP protocol binding, JSON event format) and what
senders do in fact; 0.3 as every peer still takes it. An event that was received is never completed:
what is missing is an error.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

import msgspec
from multidict import istr

from pyfunc.attributes import (
    Checked,
    Faults,
    are_bare,
    are_bare_texts,
    canonical,
    check,
    check_value,
    header_text,
    header_value,
    invalid,
    is_bare,
    new_id,
    now,
    parse_time,
    tell,
)
from pyfunc.errors import MalformedBodyError, ReplyError, UnsupportedFormatError
from pyfunc.layouts import CONTENT_TYPE, Sent, attribute_of, received, sent
from pyfunc.payload import (
    JSON_TYPE,
    OCTETS,
    Kind,
    MediaType,
    Payload,
    dump_json,
    join_json,
    media_type,
    parse_json,
)

__all__ = [
    "BATCH_TYPE",
    "STRUCTURED_TYPE",
    "ContentMode",
    "DeadLetter",
    "Event",
    "Message",
    "batch",
    "content_mode",
    "decode",
    "decode_batch",
    "document",
    "encode",
    "encode_batch",
    "encode_lines",
]

STRUCTURED_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"

_BYTES = (bytes, bytearray, memoryview)


# Case-insensitive forms at hand, for the multi-dicts of requests.
_CONTENT_TYPE = istr("Content-Type")
_SPECVERSION = istr("ce-specversion")


class ContentMode(Enum):
    """How an event is laid over an HTTP message (HTTP binding, section 1.3)."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


_BINARY = ContentMode.BINARY


class Message(NamedTuple):
    """The part of an HTTP message that carries events."""

    headers: list[tuple[str, str]]
    body: bytes


class DeadLetter(NamedTuple):
    """Why a Knative broker or channel gave up on an event (eventing, "Event delivery")."""

    code: int | None
    """The HTTP status of the last attempt; `None` where none was told."""
    destination: str | None
    """The URL that did not take the event."""
    body: bytes
    """The body of its last answer, of which Knative keeps the first 1024 bytes."""


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

    __slots__ = ("_attributes", "_data", "_is_untouched", "has_data", "original", "payload")

    original: dict[str, Any]
    """The attributes as they were received, whatever the function did; not to be changed."""
    payload: Payload | None
    """The data as it was received."""
    has_data: bool
    """Whether there is data; true for an explicit JSON `null` (JSON format, section 3.1)."""

    def __init__(self, attributes: Mapping[str, Any], data: Any = None) -> None:
        named = {"specversion": "1.0", "id": new_id(), **attributes}
        try:
            complete = canonical(named, filled_in=("source", "type")).attributes
        except ReplyError as error:
            raise ValueError(str(error)) from None
        complete.setdefault("time", now())
        self._take(complete, data)

    @classmethod
    def received(cls, attributes: dict[str, Any], payload: Payload | None) -> "Event":
        """An event off the wire: nothing is filled in; the data is read when first asked for."""
        event = cls.__new__(cls)
        event._attributes = event.original = attributes
        event._is_untouched = True
        event._data = _UNREAD
        event.has_data = payload is not None and bool(payload.octets)
        event.payload = payload
        return event

    @classmethod
    def unchecked(cls, attributes: dict[str, Any], data: Any) -> "Event":
        """An event to be sent, whose attributes are looked at when it is encoded, not twice."""
        event = cls.__new__(cls)
        event._take(attributes, data)
        return event

    def _take(self, attributes: dict[str, Any], data: Any) -> None:
        self._attributes = self.original = attributes
        self._is_untouched = False
        self._data = data
        self.has_data = data is not None
        self.payload = None

    @property
    def attributes(self) -> dict[str, Any]:
        """The context attributes, extensions included; the event's own dict."""
        if self._is_untouched:
            self._is_untouched = False
            self._attributes = self._attributes.copy()
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
        self.has_data = data is not None

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
        return None if text is None else parse_time(text)

    @property
    def dead_letter(self) -> DeadLetter | None:
        """Why this event was given up, where it comes from a dead letter queue; else `None`.

        Read from the extensions `knativeerrorcode`, `knativeerrordest` and `knativeerrordata`, the
        last of which Knative writes in Base64.
        """
        code, destination, data = map(self._attributes.get, _DEAD_LETTER)
        if code is None and destination is None and data is None:
            return None
        digits = str(code)
        number = int(digits) if digits.isascii() and digits.isdigit() else None
        return DeadLetter(number, destination, _dead_letter_body(str(data or "")))

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
        return self.attributes

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or `default` where it is not set."""
        return self._attributes.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self._attributes[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.attributes[name] = value

    def __delitem__(self, name: str) -> None:
        del self.attributes[name]

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
_UNSTATED = media_type(None)
_DEAD_LETTER = ("knativeerrorcode", "knativeerrordest", "knativeerrordata")


def _dead_letter_body(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # not Knative's: somebody wrote it plain
        return text.encode("utf-8", "replace")


# --- in -------------------------------------------------------------------------------------------


def content_mode(headers: Mapping[str, str]) -> ContentMode | None:
    """The content mode of a request; `None` where it is not an event (HTTP binding, section 3).

    Args:
        headers: A case-insensitive mapping.

    Raises:
        UnsupportedFormatError: Events in a format other than JSON.
    """
    content_type = headers.get(_CONTENT_TYPE, "").lower()
    if not content_type.startswith("application/cloudevents"):
        has_attributes = _SPECVERSION in headers or any(
            name[:3].lower() == "ce-" for name in headers
        )
        return _BINARY if has_attributes else None
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


def decode(mode: ContentMode, headers: Mapping[str, str], body: bytes) -> list[Event]:
    """The events of a request.

    Args:
        mode: What `content_mode` said.
        headers: All headers in their order; repeated ones too, where it is a multi-dict.
        body: The whole body.

    Raises:
        InvalidEventError: An event breaks the specification; all its faults are told.
        MalformedBodyError: The JSON of a structured or batched event is malformed.
    """
    if mode is _BINARY and (usual := _from_usual(headers, body)) is not None:
        return [usual]
    if mode is ContentMode.BATCHED:
        return decode_batch(body)
    faults: Faults = {}
    if mode is _BINARY:
        event = _from_binary(headers, body, faults)
    else:
        event = _structured(_members(body), faults)
    if event is None:
        raise invalid(tell(faults))
    return [event]


def decode_batch(body: bytes) -> list[Event]:
    """The events of a batch (JSON format, section 4); one that is malformed spoils it."""
    try:
        documents = _decode_batch(_without_bom(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _refuse_json(body, "an array of events")
    events: list[Event] = []
    told: list[str] = []
    for index, members in enumerate(documents):
        faults: Faults = {}
        event = _structured(members, faults)
        if event is None:
            told += [f"[{index}].{fault}" for fault in tell(faults)]
        else:
            events.append(event)
    if told:
        raise invalid(told)
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


def _from_usual(headers: Mapping[str, str], body: bytes) -> Event | None:
    """The event of headers like nearly all; `None` where there is more to look at, or to tell."""
    layout = received(headers)
    if layout is None:
        return None
    texts = tuple(headers.values())
    values = layout.pick(texts)
    if not are_bare_texts(values):
        return None
    attributes: dict[str, Any] = dict(zip(layout.names, values))  # noqa: B905 - as long, by making
    attributes["datacontenttype"] = content_type = texts[layout.content_type]
    media = _media(content_type)
    if media is None or attributes["specversion"] != "1.0":
        return None
    for name, is_good in layout.formats:
        if not is_good(attributes[name]):
            return None
    return Event.received(attributes, Payload(body, media))


def _media(content_type: Any) -> MediaType | None:
    """What a content type says, if it is one, and of a usual length."""
    if type(content_type) is not str or len(content_type) > _USUAL:
        return None
    media = media_type(content_type)
    return media if media.is_valid else None


_USUAL = 1024  # characters; nothing longer may stay behind in a cache


def _from_binary(headers: Mapping[str, str], body: bytes, faults: Faults) -> Event | None:
    attributes: dict[str, Any] = {}
    content_type = None
    for header, value in headers.items():
        name = attribute_of(header)
        if name is None:
            continue
        if name == CONTENT_TYPE:
            if content_type is not None:
                faults["datacontenttype"] = "expected one Content-Type, found several"
            content_type = value or None
        elif name in attributes:
            faults[name] = "expected one header, found several"
        else:
            attributes[name] = value
    if not are_bare(attributes.values()):
        for name, value in attributes.items():
            if name not in faults and not is_bare(value):
                attributes[name] = header_value(name, value, faults)
    # The Content-Type is the one place for it in this mode (HTTP binding, section 3.1.1).
    attributes.pop("datacontenttype", None)
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    check(attributes, faults)
    payload = Payload(body, media_type(content_type))
    return None if faults else _event(attributes, payload, faults)


def _structured(members: dict[str, msgspec.Raw], faults: Faults) -> Event | None:
    usual = _from_usual_members(members)
    return _from_structured(members, faults) if usual is None else usual


def _from_usual_members(members: dict[str, msgspec.Raw]) -> Event | None:
    """The event of members like nearly all; `None` where there is more to look at, or to tell."""
    if "data_base64" in members:
        return None
    named = members.copy()
    data = named.pop("data", None)
    try:
        values = _decode_values(b"[%b]" % b",".join(named.values()))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    attributes: dict[str, Any] = dict(zip(named, values))  # noqa: B905 - as long, by making
    usual = _usual(attributes)
    if usual is None:
        return None
    if data is None:
        return Event.received(attributes, None)
    media = usual[2]
    if media is _UNSTATED:
        # JSON format, section 3.1: treated as JSON, and stated when it is sent on.
        attributes["datacontenttype"] = JSON_TYPE
        media = media_type(JSON_TYPE)
    return Event.received(attributes, Payload(bytes(data), media, True))


def _from_structured(members: dict[str, msgspec.Raw], faults: Faults) -> Event | None:
    attributes: dict[str, Any] = {}
    for name, raw in members.items():
        if name == "data" or name == "data_base64":
            continue
        try:
            value = _decode_value(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            faults[name] = "malformed JSON"
            value = ""
        if value is not None:  # null is unset (JSON format, section 2.2)
            attributes[name] = value
    if not are_bare(attributes.values()):
        for name, value in attributes.items():
            check_value(name, value, faults)
    good = {n: v for n, v in attributes.items() if n not in faults} if faults else attributes
    check(good, faults)
    payload = _structured_payload(members, attributes, faults)
    return None if faults else _event(attributes, payload, faults)


def _structured_payload(
    members: dict[str, msgspec.Raw], attributes: dict[str, Any], faults: Faults
) -> Payload | None:
    data, encoded = members.get("data"), members.get("data_base64")
    if faults or (data is None and encoded is None):
        return None
    content_type = attributes.get("datacontenttype")
    if encoded is not None and bytes(encoded) != b"null":
        if data is not None:
            faults["data"] = "expected either data or data_base64, found both"
        # Without a content type it is not taken for JSON (JSON format, section 3.1).
        octets = _base64(bytes(encoded), "data_base64", faults)
        return Payload(octets, media_type(content_type) if content_type else OCTETS)
    if data is None:
        return None
    if content_type is None:
        # JSON format, section 3.1: treated as JSON, and stated when it is sent on.
        content_type = attributes["datacontenttype"] = JSON_TYPE
    return Payload(bytes(data), media_type(content_type), in_json=True)


def _base64(raw: bytes, name: str, faults: Faults) -> bytes:
    """The octets that a JSON string in Base64 stands for."""
    try:
        return base64.b64decode(_decode_string(raw).encode("ascii"), validate=True)
    except (msgspec.MsgspecError, binascii.Error, UnicodeError):
        faults[name] = "expected a string in Base64 (RFC 4648)"
        return b""


_decode_value = msgspec.json.Decoder().decode
_decode_values = msgspec.json.Decoder(list[Any]).decode
_decode_string = msgspec.json.Decoder(str).decode


def _event(attributes: dict[str, Any], payload: Payload | None, faults: Faults) -> Event | None:
    if attributes["specversion"] == "0.3" and "datacontentencoding" in attributes:
        payload = _decoded_v03(attributes, payload, faults)
        if faults:
            return None
    if payload is not None and payload.media.kind is Kind.UNSTATED and payload.octets:
        payload = _stated(attributes, payload)
    return Event.received(attributes, payload)


def _stated(attributes: dict[str, Any], payload: Payload) -> Payload:
    """No content type: JSON if it parses, which is stated, so that it leaves as it came."""
    stated = Payload(payload.octets, media_type(JSON_TYPE))
    try:
        stated.value()
    except MalformedBodyError:
        return Payload(payload.octets, OCTETS)
    attributes["datacontenttype"] = JSON_TYPE
    return stated


def _decoded_v03(
    attributes: dict[str, Any], payload: Payload | None, faults: Faults
) -> Payload | None:
    """CloudEvents 0.3 says `datacontentencoding: base64` where 1.0 has a member of its own."""
    encoding = attributes.pop("datacontentencoding").lower()
    if encoding in ("7bit", "8bit", "binary"):  # RFC 2045, section 6.2: these change nothing
        return payload
    if encoding != "base64":
        faults["datacontentencoding"] = "expected base64"
    if payload is None or faults:
        return payload
    octets = payload.octets if payload.in_json else _encode_string(payload.octets)
    content_type = attributes.get("datacontenttype")
    media = media_type(content_type) if content_type else OCTETS
    return Payload(_base64(octets, "data", faults), media)


def _encode_string(octets: bytes) -> bytes:
    return msgspec.json.encode(octets.decode("ascii", "replace"))


# --- out ------------------------------------------------------------------------------------------


def encode(event: Event, mode: ContentMode | None = None) -> Message:
    """An event as headers and body.

    Args:
        event: The event.
        mode: Binary or structured. Without it binary, except where a value would have to be
            percent-encoded, is too long for a header, or is text that its charset cannot express:
            Go's and JavaScript's SDKs do not decode percent-encoding, Knative's brokers among them.

    Raises:
        ReplyError: The event is not valid, or its data has no form under its content type.
    """
    checked = canonical(event._attributes)
    if mode is ContentMode.STRUCTURED or (mode is None and not checked.is_plain):
        return _to_structured(checked, event)
    try:
        return _to_binary(checked, event)
    except _InexpressibleError as error:
        if mode is None:
            return _to_structured(checked, event)
        raise ReplyError(str(error)) from None


def encode_lines(event: Event, mode: ContentMode | None = None) -> tuple[str, bytes]:
    """As `encode`, with the headers as the lines of an HTTP message.

    A body always has a `Content-Type` there (RFC 9110, section 8.3).
    """
    if mode is not ContentMode.STRUCTURED and (usual := _usual(event._attributes)) is not None:
        try:
            return _usual_lines(usual, event)
        except _InexpressibleError:
            pass  # told, or sent in structured mode
    headers, body = encode(event, mode)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    is_typed = not body or any(name == "Content-Type" for name, _ in headers)
    return lines if is_typed else lines + _OCTET_LINE, body


Usual = tuple[Sent, tuple[str, ...], MediaType]


def _usual(attributes: dict[str, Any]) -> Usual | None:
    """The layout of attributes like nearly all, the values that belong there, and the media type.

    `None` where there is more to look at, to change or to tell.
    """
    layout = sent(attributes)
    if layout is None or attributes["specversion"] != "1.0":
        return None
    values = layout.pick(tuple(attributes.values()))
    if not are_bare(values):
        return None
    content_type = attributes.get("datacontenttype")
    media = _UNSTATED if content_type is None else _media(content_type)
    if media is None:
        return None
    for name, is_good in layout.formats:
        if not is_good(attributes[name]):
            return None
    return layout, values, media


def _usual_lines(usual: Usual, event: Event) -> tuple[str, bytes]:
    layout, values, media = usual
    body, content_type = _octets(event, event._attributes.get("datacontenttype"), media)
    lines = layout.lines % values
    if content_type is not None:
        return f"{lines}Content-Type: {content_type}\r\n", body
    return lines + _OCTET_LINE if body else lines, body


_OCTET_LINE = "Content-Type: application/octet-stream\r\n"


def document(event: Event) -> dict[str, Any]:
    """The JSON object of an event (JSON format, section 3), for `batch`.

    Raises:
        ReplyError: The event is not valid, or its data has no form under its content type.
    """
    attributes = event._attributes
    if _usual(attributes) is None:
        attributes = canonical(attributes).attributes
    return _document(attributes, event)


def batch(documents: list[dict[str, Any]]) -> Message:
    """Events as one batch; the media type stands alone, since sdk-go knows it only so."""
    return Message([("Content-Type", BATCH_TYPE)], join_json(documents))


def encode_batch(events: Iterable[Event]) -> Message:
    """Events as one batch, as `document` and `batch` make it."""
    return batch([document(event) for event in events])


class _InexpressibleError(Exception):
    """Text that has no form in the charset that is stated for it."""


def _to_structured(checked: Checked, event: Event) -> Message:
    members = _document(checked.attributes, event)
    return Message([("Content-Type", STRUCTURED_TYPE)], join_json(members))


def _to_binary(checked: Checked, event: Event) -> Message:
    attributes, is_plain = checked
    stated = attributes.get("datacontenttype")
    body, content_type = _octets(event, stated, media_type(stated))
    if attributes["specversion"] == "0.3" and isinstance(event.data, _BYTES):
        attributes.pop("datacontentencoding", None)  # that of the octets, not of the body
    headers = [
        (_header_of(name), value if is_plain and type(value) is str else header_text(value))
        for name, value in attributes.items()
        if name != "datacontenttype"
    ]
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    return Message(headers, body)


@lru_cache(maxsize=1024)  # names of attributes; there are few
def _header_of(name: str) -> str:
    return istr("ce-" + name)  # with its case-insensitive form at hand


def _octets(event: Event, content_type: str | None, media: MediaType) -> tuple[bytes, str | None]:
    """The data as a body, with the content type that it is sent under."""
    data = event.data
    if data is None:
        return (b"null" if event.has_data else b""), content_type
    if isinstance(data, _BYTES):
        return bytes(data), content_type
    if isinstance(data, str) and media.kind is not Kind.JSON:
        return _encoded(data, media.charset), content_type or "text/plain; charset=utf-8"
    text = dump_json(data)
    if media.charset != "utf-8":
        text = _encoded(text.decode(), media.charset)
    return text, content_type or JSON_TYPE


def _encoded(text: str, charset: str) -> bytes:
    try:
        return text.encode(charset)
    except (UnicodeError, LookupError):
        raise _InexpressibleError(f"the text has no form in the charset {charset}") from None


def _document(attributes: dict[str, Any], event: Event) -> dict[str, Any]:
    data = event.data
    kind = media_type(attributes.get("datacontenttype")).kind
    if data is None:
        return {**attributes, "data": None} if event.has_data else attributes
    if isinstance(data, _BYTES):
        return _with_octets(attributes, bytes(data), kind)
    text = dump_json(data)
    if isinstance(data, str):
        return {"datacontenttype": "text/plain", **attributes, "data": msgspec.Raw(text)}
    if kind is Kind.JSON or kind is Kind.UNSTATED:
        return {"datacontenttype": JSON_TYPE, **attributes, "data": msgspec.Raw(text)}
    return {**attributes, "data": text.decode()}


def _with_octets(attributes: dict[str, Any], octets: bytes, kind: Kind) -> dict[str, Any]:
    if kind is Kind.JSON and _is_json(octets):
        # Bytes under a JSON type are JSON text already (JSON format, section 3.1).
        return {**attributes, "data": msgspec.Raw(octets)}
    encoded = base64.b64encode(octets).decode()
    if attributes["specversion"] == "0.3":
        return {**attributes, "datacontentencoding": "base64", "data": encoded}
    return {**attributes, "data_base64": encoded}


def _is_json(octets: bytes) -> bool:
    try:
        parse_json(octets)
    except MalformedBodyError:
        return False
    return True
