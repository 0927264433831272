"""The HTTP protocol binding: content modes, and events as headers and body.

Source: CloudEvents 1.0.2, HTTP protocol binding, and the habits of real senders. It knows no web
framework; documents of the structured and batched modes are for `json_format`.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from multidict import istr

from pyfunc.cloudevents.attributes import (
    UNESCAPED,
    Faults,
    are_verbatim,
    check,
    check_text,
    invalid_event,
    is_verbatim,
    sentences,
)
from pyfunc.cloudevents.canonical import Checked, canonicalize
from pyfunc.cloudevents.data import (
    JSON_TYPE,
    Kind,
    MediaType,
    Payload,
    media_type,
)
from pyfunc.cloudevents.event import Event, received_event
from pyfunc.cloudevents.header_layouts import (
    CONTENT_TYPE,
    Verbatim,
    attribute_of,
    checked_media,
    decoding_layout,
    verbatim,
)
from pyfunc.cloudevents.json_format import (
    BATCH_TYPE,
    STRUCTURED_TYPE,
    Draft,
    decode_batch,
    decode_structured,
    documents,
    draft,
    encode_structured,
)
from pyfunc.cloudevents.json_text import dump_json, join_json
from pyfunc.errors import ReplyError, UnsupportedFormatError

__all__ = [
    "ContentMode",
    "Message",
    "batch",
    "content_mode",
    "decode",
    "encode",
    "encode_batch",
    "encode_lines",
    "header_value",
]

_BYTES = (bytes, bytearray, memoryview)

# With their case-insensitive forms, for the multi-dicts of requests.
_CONTENT_TYPE = istr("Content-Type")
_SPECVERSION = istr("ce-specversion")


class ContentMode(Enum):
    """The ways to map an event to an HTTP message (HTTP binding, section 1.3)."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


# An attribute of the class takes ten times as long.
_BINARY, _STRUCTURED, _BATCHED = ContentMode
_JSON = Kind.JSON
# The content types that name a mode begin so (HTTP binding, section 3).
_EVENT_TYPES = "application/cloudevents"


class Message(NamedTuple):
    """The part of an HTTP message that carries events."""

    headers: list[tuple[str, str]]
    body: bytes


# --- decoding -------------------------------------------------------------------------------------


def content_mode(headers: Mapping[str, str]) -> ContentMode | None:
    """The content mode of a message; `None` where it is no event (HTTP binding, section 3).

    Args:
        headers: A case-insensitive mapping.

    Raises:
        UnsupportedFormatError: The event format is not JSON.
    """
    content_type = headers.get(_CONTENT_TYPE, "").lower()
    if not content_type.startswith(_EVENT_TYPES):
        has_attributes = _SPECVERSION in headers or any(
            name[:3].lower() == "ce-" for name in headers
        )
        return _BINARY if has_attributes else None
    essence = media_type(content_type).essence
    # The batch prefix first, since the other one is part of it.
    if essence.startswith("application/cloudevents-batch"):
        return _json_mode(essence, BATCH_TYPE, _BATCHED)
    return _json_mode(essence, STRUCTURED_TYPE, _STRUCTURED)


def _json_mode(essence: str, ours: str, mode: ContentMode) -> ContentMode:
    if essence != ours:
        raise UnsupportedFormatError(
            f"the event format is not spoken here: expected {ours}, or binary content mode"
        )
    return mode


def decode(mode: ContentMode, headers: Mapping[str, str], body: bytes) -> list[Event]:
    """Decode the events of a message.

    Args:
        mode: The result of `content_mode`.
        headers: All headers in their order; repeated ones too, where it is a multi-dict.
        body: The whole body.

    Raises:
        InvalidEventError: An event breaks the specification; it lists all faults.
        MalformedBodyError: The JSON of a structured or batched event is malformed.
    """
    if mode is _BATCHED:
        return decode_batch(body)
    if mode is _STRUCTURED:
        return [decode_structured(body)]
    event = _from_layout(headers, body)
    return [_from_binary(headers, body) if event is None else event]


def _from_layout(headers: Mapping[str, str], body: bytes) -> Event | None:
    """Decode by a cached layout; `None` where a value needs decoding or may have a fault."""
    layout = decoding_layout(headers)
    if layout is None:
        return None
    texts = tuple(headers.values())
    values = layout.pick(texts)
    if not are_verbatim(values):
        return None
    attributes: dict[str, Any] = dict(zip(layout.names, values))  # noqa: B905 - as long, by making
    attributes["datacontenttype"] = texts[layout.content_type]
    media = checked_media(layout, attributes)
    return None if media is None else Event.received(attributes, Payload(body, media))


def _from_binary(headers: Mapping[str, str], body: bytes) -> Event:
    faults: Faults = {}
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
    if not are_verbatim(attributes.values()):
        for name, value in attributes.items():
            if name not in faults and not is_verbatim(value):
                attributes[name] = header_value(name, value, faults)
    # The Content-Type is the one place for it in this mode (HTTP binding, section 3.1.1).
    attributes.pop("datacontenttype", None)
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    check(attributes, faults)
    payload = Payload(body, media_type(content_type))
    event = None if faults else received_event(attributes, payload, faults)
    if event is None:
        raise invalid_event(sentences(faults))
    return event


def header_value(name: str, value: str, faults: Faults) -> str:
    """Decode the value of an attribute in binary mode (HTTP binding, section 3.1.3.2).

    Unquoted first, then exactly one round of percent-decoding. A `%` without two hex digits and raw
    UTF-8 stay as they are, since Go's SDK sends both.
    """
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _unescape(r"\1", value[1:-1])
    try:
        text = unquote_to_bytes(value.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        faults.setdefault(name, "expected UTF-8 after percent-decoding")
        return ""
    return check_text(name, text, faults)


_unescape = re.compile(r"\\(.)", re.DOTALL).sub


# --- encoding -------------------------------------------------------------------------------------


def encode(event: Event, mode: ContentMode | None = None) -> Message:
    """Encode an event as headers and body.

    Args:
        event: The event.
        mode: Binary or structured. Without it binary, except where a value would have to be
            percent-encoded, is too long for a header, or is text that its charset cannot express:
            Go's and JavaScript's SDKs do not decode percent-encoding, Knative's brokers among them.
            Data of a type `application/cloudevents...` goes out structured in any case, since
            receivers take that type for another mode (HTTP binding, section 3).

    Raises:
        ReplyError: The event is not valid, or its data has no form under its content type.
    """
    checked = canonicalize(event._attributes)
    if checked.attributes.get("datacontenttype", "").lower().startswith(_EVENT_TYPES):
        mode = _STRUCTURED
    if mode is _STRUCTURED or (mode is None and not checked.fits_headers):
        return _to_structured(checked, event)
    try:
        return _to_binary(checked, event)
    except _InexpressibleError as error:
        if mode is None:
            return _to_structured(checked, event)
        raise ReplyError(str(error)) from None


def encode_lines(event: Event, mode: ContentMode | None = None) -> tuple[str, bytes]:
    """Encode an event as the header lines and the body of an HTTP message.

    A body always has a `Content-Type` there (RFC 9110, section 8.3).
    """
    if mode is not _STRUCTURED and (prepared := verbatim(event._attributes)) is not None:
        try:
            return _layout_lines(prepared, event)
        except _InexpressibleError:
            pass  # `encode` reports it, or chooses the structured mode
    headers, body = encode(event, mode)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    is_typed = not body or any(name == "Content-Type" for name, _ in headers)
    return lines if is_typed else lines + _OCTET_LINE, body


def _layout_lines(prepared: Verbatim, event: Event) -> tuple[str, bytes]:
    layout, values, media = prepared
    if media.essence.startswith(_EVENT_TYPES):
        raise _InexpressibleError
    body, content_type = _octets(event, event._attributes.get("datacontenttype"), media)
    lines = layout.lines % values
    if content_type is not None:
        return f"{lines}Content-Type: {content_type}\r\n", body
    return lines + _OCTET_LINE if body else lines, body


_OCTET_LINE = "Content-Type: application/octet-stream\r\n"


def batch(drafts: list[Draft]) -> Message:
    """Join drafts to one batch; the media type has no parameters, which sdk-go refuses.

    Raises:
        ReplyError: One of the events is not valid.
    """
    return Message([("Content-Type", BATCH_TYPE)], join_json(documents(drafts)))


def encode_batch(events: Iterable[Event]) -> Message:
    """Encode events as one batch.

    Raises:
        ReplyError: One is not valid, or its data has no form under its content type.
    """
    return batch(list(map(draft, events)))


class _InexpressibleError(Exception):
    """Data that binary mode cannot express, such as text in a charset that lacks a character."""


def _to_structured(checked: Checked, event: Event) -> Message:
    text = encode_structured(checked.attributes, event)
    return Message([("Content-Type", STRUCTURED_TYPE)], text)


def _to_binary(checked: Checked, event: Event) -> Message:
    attributes, fits_headers = checked
    stated = attributes.get("datacontenttype")
    body, content_type = _octets(event, stated, media_type(stated))
    if attributes["specversion"] == "0.3" and isinstance(event.data, _BYTES):
        attributes.pop("datacontentencoding", None)  # that of the octets, not of the body
    headers = [
        (_header_of(name), value if fits_headers and type(value) is str else _header_text(value))
        for name, value in attributes.items()
        if name != "datacontenttype"
    ]
    if content_type is not None:
        headers.append(("Content-Type", content_type))
    return Message(headers, body)


def _header_text(value: Any) -> str:
    """Encode a canonical value for a header (HTTP binding, section 3.1.3.2)."""
    if type(value) is bool:
        return "true" if value else "false"
    return quote(value, safe=UNESCAPED) if type(value) is str else str(value)


@lru_cache(maxsize=1024)  # names of attributes; there are few
def _header_of(name: str) -> str:
    return istr("ce-" + name)


def _octets(event: Event, content_type: str | None, media: MediaType) -> tuple[bytes, str | None]:
    """Encode the data as a body, and choose its content type."""
    data = event.data
    if data is None:
        return (b"null" if event.has_data else b""), content_type
    if isinstance(data, _BYTES):
        return bytes(data), content_type
    if isinstance(data, str) and media.kind is not _JSON:
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
