"""CloudEvents over HTTP, without a web framework: the content modes, and events in each of them.

Source: CloudEvents 1.0.2, HTTP protocol binding, and what senders do in fact.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from multidict import istr

from pyfunc.cloudevents.attributes import (
    Checked,
    Faults,
    are_bare,
    are_bare_texts,
    canonical,
    check,
    header_text,
    header_value,
    invalid,
    is_bare,
    tell,
)
from pyfunc.cloudevents.data import (
    JSON_TYPE,
    Kind,
    MediaType,
    Payload,
    dump_json,
    join_json,
    media_type,
)
from pyfunc.cloudevents.event import Event, received_event
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
from pyfunc.cloudevents.layouts import (
    CONTENT_TYPE,
    Usual,
    attribute_of,
    good_media,
    received,
    usual,
)
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
]

_BYTES = (bytes, bytearray, memoryview)

# Case-insensitive forms at hand, for the multi-dicts of requests.
_CONTENT_TYPE = istr("Content-Type")
_SPECVERSION = istr("ce-specversion")


class ContentMode(Enum):
    """How an event is laid over an HTTP message (HTTP binding, section 1.3)."""

    BINARY = "binary"
    STRUCTURED = "structured"
    BATCHED = "batched"


# An attribute of the class takes ten times as long.
_BINARY, _STRUCTURED, _BATCHED = ContentMode
_JSON = Kind.JSON


class Message(NamedTuple):
    """The part of an HTTP message that carries events."""

    headers: list[tuple[str, str]]
    body: bytes


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
        return _spoken(essence, BATCH_TYPE, _BATCHED)
    return _spoken(essence, STRUCTURED_TYPE, _STRUCTURED)


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
    if mode is _BATCHED:
        return decode_batch(body)
    if mode is _STRUCTURED:
        return [decode_structured(body)]
    event = _from_usual(headers, body)
    return [_from_binary(headers, body) if event is None else event]


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
    attributes["datacontenttype"] = texts[layout.content_type]
    media = good_media(layout, attributes)
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
    event = None if faults else received_event(attributes, payload, faults)
    if event is None:
        raise invalid(tell(faults))
    return event


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
    if mode is _STRUCTURED or (mode is None and not checked.is_plain):
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
    if mode is not _STRUCTURED and (found := usual(event._attributes)) is not None:
        try:
            return _usual_lines(found, event)
        except _InexpressibleError:
            pass  # told, or sent in structured mode
    headers, body = encode(event, mode)
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
    is_typed = not body or any(name == "Content-Type" for name, _ in headers)
    return lines if is_typed else lines + _OCTET_LINE, body


def _usual_lines(found: Usual, event: Event) -> tuple[str, bytes]:
    layout, values, media = found
    body, content_type = _octets(event, event._attributes.get("datacontenttype"), media)
    lines = layout.lines % values
    if content_type is not None:
        return f"{lines}Content-Type: {content_type}\r\n", body
    return lines + _OCTET_LINE if body else lines, body


_OCTET_LINE = "Content-Type: application/octet-stream\r\n"


def batch(drafts: list[Draft]) -> Message:
    """Drafts as one batch; its media type stands alone, since sdk-go knows it only so.

    Raises:
        ReplyError: One of the events is not valid.
    """
    return Message([("Content-Type", BATCH_TYPE)], join_json(documents(drafts)))


def encode_batch(events: Iterable[Event]) -> Message:
    """Events as one batch.

    Raises:
        ReplyError: One is not valid, or its data has no form under its content type.
    """
    return batch(list(map(draft, events)))


class _InexpressibleError(Exception):
    """Text that has no form in the charset that is stated for it."""


def _to_structured(checked: Checked, event: Event) -> Message:
    text = encode_structured(checked.attributes, event)
    return Message([("Content-Type", STRUCTURED_TYPE)], text)


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
