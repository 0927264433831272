"""The JSON event format: events as JSON objects, one alone or several in a batch.

Source: CloudEvents 1.0.2, JSON event format, of which section 3 describes one event and section 4 a
batch. Nearly all documents are alike: those are decoded at once, data included. Any other document
is decoded member by member. Content modes are left to `http_binding`.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count, islice, repeat
from typing import Any, TypeVar, cast

import msgspec

from pyfunc.cloudevents.attributes import (
    Faults,
    are_verbatim,
    check,
    check_value,
    invalid_event,
    sentences,
)
from pyfunc.cloudevents.canonical import canonicalize
from pyfunc.cloudevents.data import (
    JSON_TYPE,
    OCTETS,
    Kind,
    MediaType,
    Payload,
    media_type,
)
from pyfunc.cloudevents.event import Event, decoded_base64, received_event
from pyfunc.cloudevents.header_layouts import media_of, media_of_each
from pyfunc.cloudevents.json_slices import elements, members
from pyfunc.cloudevents.json_text import (
    check_octets,
    dump_json,
    join_json,
    parse_json,
    refuse_deep,
)
from pyfunc.errors import MalformedBodyError

__all__ = [
    "BATCH_TYPE",
    "STRUCTURED_TYPE",
    "Draft",
    "decode_batch",
    "decode_structured",
    "documents",
    "draft",
    "encode_structured",
]

STRUCTURED_TYPE = "application/cloudevents+json"
BATCH_TYPE = "application/cloudevents-batch+json"

_BYTES = (bytes, bytearray, memoryview)
_JSON, _UNSTATED = Kind.JSON, Kind.UNSTATED  # an attribute of the class takes ten times as long
_JSON_MEDIA = media_type(JSON_TYPE)

_MOST_ATTRIBUTES = 1000  # of an event; each costs far more to hold than its bytes to send
_MOST_FAULTS = 100  # of a batch; as many as `invalid_event` lists
_LARGE = 64 * 1024

Octets = bytes | msgspec.Raw
Members = dict[str, Octets]
Part = TypeVar("Part")


# --- in -------------------------------------------------------------------------------------------


def decode_structured(body: bytes) -> Event:
    """The event of a document.

    Raises:
        InvalidEventError: It breaks the specification; the error has all its faults.
        MalformedBodyError: It is not JSON, or no object.
    """
    text = _without_bom(body)
    event: Event | Faults
    try:
        if len(text) > _LARGE:
            _decode_required(text)
        attributes = _decode_document(text)
        refuse_deep(text, attributes)
    except (*_UNUSUAL, MalformedBodyError):
        check_octets(text)
        event = _careful(_members(text))
    else:
        data = attributes.pop("data", _ABSENT)
        event = _event([text], 0, attributes, data, media_of(attributes))
    if not isinstance(event, Event):
        raise invalid_event(sentences(event))
    return event


def decode_batch(body: bytes) -> list[Event]:
    """The events of a batch; one that is malformed spoils it.

    Raises:
        InvalidEventError: Some break the specification; the error has their first faults.
        MalformedBodyError: It is not JSON, or no array of objects.
    """
    text = _without_bom(body)
    if len(text) > _LARGE and not _is_promising(text):
        return _good(_each_careful(text))
    try:
        values = _decode_batch(text)
        refuse_deep(text, values)
    except (*_UNUSUAL, MalformedBodyError):
        return _good(_each_careful(text))
    data = [one.pop("data", _ABSENT) for one in values]
    documents = _Documents(text)
    return _good(map(_event, repeat(documents), count(), values, data, media_of_each(values)))


def _good(events: Iterable[Event | Faults]) -> list[Event]:
    """The events, unless there are faults; no more of those are collected than are shown."""
    good: list[Event] = []
    told: list[str] = []
    for index, event in enumerate(events):
        if isinstance(event, Event):
            good.append(event)
            continue
        told += [f"[{index}].{fault}" for fault in sentences(event)]
        if len(told) > _MOST_FAULTS:
            break
    if told:
        raise invalid_event(told)
    return good


def _without_bom(body: bytes) -> bytes:
    return body[3:] if body[:3] == b"\xef\xbb\xbf" else body


def _is_promising(text: bytes) -> bool:
    """Whether each event of a batch has what all events must have.

    A batch of events without them would take many times its size in memory before it is refused.
    """
    try:
        _decode_required_of_each(text)
    except _UNUSUAL:
        return False
    return True


class _Documents:
    """The documents of a batch as they stand in its text, split when the first is asked for."""

    __slots__ = ("_slices", "_text")

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._slices: Sequence[Octets] | None = None

    def __getitem__(self, index: int) -> Octets:
        if self._slices is None:
            self._slices = _decode_slices(self._text)
        return self._slices[index]


def _event(
    documents: Sequence[Octets] | _Documents,
    index: int,
    attributes: dict[str, Any],
    data: Any,
    media: MediaType | None,
) -> Event | Faults:
    """The event of a document like nearly all; of any other one, from its members."""
    if media is None or len(attributes) > _MOST_ATTRIBUTES:
        return _careful(_members(documents[index]))
    if data is _ABSENT:
        return Event.received(attributes, None)
    if media.kind is _UNSTATED:
        # JSON format, section 3.1: treated as JSON, and stated when it is sent on.
        attributes["datacontenttype"], media = JSON_TYPE, _JSON_MEDIA
    elif media.kind is not _JSON:
        return _careful(_members(documents[index]))
    return Event.received(attributes, partial(_payload, documents, index, media), data)


def _payload(documents: Sequence[Octets] | _Documents, index: int, media: MediaType) -> Payload:
    return Payload(bytes(_members(documents[index])["data"]), media, in_json=True)


_ABSENT = object()
_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Required(msgspec.Struct, gc=False):
    """The attributes that every event has; all else is skipped."""

    id: str
    source: str
    specversion: str
    type: str


_decode_document = msgspec.json.Decoder(dict[str, Any]).decode
_decode_batch = msgspec.json.Decoder(list[dict[str, Any]]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_slices = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_required = msgspec.json.Decoder(_Required).decode
_decode_required_of_each = msgspec.json.Decoder(list[_Required]).decode


def _members(document: Octets) -> Members:
    """The members of a document as they stand in its text."""
    text = bytes(document)
    if len(text) > _LARGE:
        return dict(islice(members(text), _MOST_ATTRIBUTES + 3))
    try:
        return cast(Members, _decode_members(text))
    except _UNUSUAL:
        return dict(_split(text, members))


def _split(text: bytes, split: Callable[[bytes], Iterator[Part]]) -> list[Part]:
    try:
        return list(split(text))
    except MalformedBodyError:
        parse_json(text)  # which says more where it is no JSON at all
        raise


def _each_careful(text: bytes) -> Iterator[Event | Faults]:
    """The events of a batch, each decoded by itself, member by member."""
    check_octets(text)
    documents = elements(text) if len(text) > _LARGE else _split(text, elements)
    return map(_careful, map(_members, documents))


def _careful(members: Members) -> Event | Faults:
    """The event of any members, or all that is wrong with them."""
    faults: Faults = {}
    attributes: dict[str, Any] = {}
    if len(members) - ("data" in members) - ("data_base64" in members) > _MOST_ATTRIBUTES:
        return {"attributes": f"expected at most {_MOST_ATTRIBUTES}, found more"}
    for name, raw in members.items():
        if name == "data" or name == "data_base64":
            continue
        try:
            value = parse_json(bytes(raw))
        except MalformedBodyError:
            faults[name] = "malformed JSON"
            value = ""
        if value is not None:  # null is unset (JSON format, section 2.2)
            attributes[name] = value
    if not are_verbatim(attributes.values()):
        for name, value in attributes.items():
            check_value(name, value, faults)
    good = {n: v for n, v in attributes.items() if n not in faults} if faults else attributes
    check(good, faults)
    payload = _structured_payload(members, attributes, faults)
    event = None if faults else received_event(attributes, payload, faults)
    return faults if event is None else event


def _structured_payload(
    members: Members, attributes: dict[str, Any], faults: Faults
) -> Payload | None:
    data, encoded = members.get("data"), members.get("data_base64")
    if faults or (data is None and encoded is None):
        return None
    content_type = attributes.get("datacontenttype")
    if encoded is not None and bytes(encoded) != b"null":
        if data is not None:
            faults["data"] = "expected either data or data_base64, found both"
        # Without a content type it is not taken for JSON (JSON format, section 3.1).
        octets = decoded_base64(bytes(encoded), "data_base64", faults)
        return Payload(octets, media_type(content_type) if content_type else OCTETS)
    if data is None:
        return None
    if content_type is None:
        # JSON format, section 3.1: treated as JSON, and stated when it is sent on.
        content_type = attributes["datacontenttype"] = JSON_TYPE
    return Payload(bytes(data), media_type(content_type), in_json=True)


# --- out ------------------------------------------------------------------------------------------


class Draft(msgspec.Struct):
    """An event as it is now, for a document that is made when others are, or later."""

    attributes: dict[str, Any]
    data: msgspec.Raw | bytes | None
    """JSON text, octets, or nothing."""
    has_data: bool
    default: str
    """The content type of its data, where none is stated."""


def draft(event: Event) -> Draft:
    """An event as it is now, whatever becomes of its attributes and data.

    Raises:
        ReplyError: Its data has no form.
    """
    return _draft(event._attributes.copy(), event)


def _draft(attributes: dict[str, Any], event: Event) -> Draft:
    data = event.data
    if data is None:
        return Draft(attributes, None, event.has_data, JSON_TYPE)
    if isinstance(data, _BYTES):
        return Draft(attributes, bytes(data), True, JSON_TYPE)
    default = "text/plain" if isinstance(data, str) else JSON_TYPE
    return Draft(attributes, msgspec.Raw(dump_json(data)), True, default)


def encode_structured(attributes: dict[str, Any], event: Event) -> bytes:
    """An event as a document.

    Args:
        attributes: Its attributes in their canonical form.
        event: Where the data is.

    Raises:
        ReplyError: Its data has no form under its content type.
    """
    media = media_type(attributes.get("datacontenttype"))
    return join_json(_document(_draft(attributes, event), media))


def documents(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """The JSON objects of events (JSON format, section 3), for `join_json`; drafts become them.

    Raises:
        ReplyError: One of the events is not valid; all drafts are as good as they were.
    """
    found = media_of_each([one.attributes for one in drafts])
    return list(map(_document, drafts, list(map(_made_good, drafts, found))))


def _made_good(one: Draft, media: MediaType | None) -> MediaType:
    if media is not None:
        return media
    one.attributes = canonicalize(one.attributes).attributes
    return media_type(one.attributes.get("datacontenttype"))


def _document(one: Draft, media: MediaType) -> dict[str, Any]:
    attributes, data, kind = one.attributes, one.data, media.kind
    if data is None:
        if one.has_data:
            attributes["data"] = None
    elif isinstance(data, bytes):
        _add_octets(attributes, data, kind)
    elif kind is _JSON:
        attributes["data"] = data
    elif kind is _UNSTATED or one.default != JSON_TYPE:
        return {"datacontenttype": one.default, **attributes, "data": data}
    else:
        attributes["data"] = bytes(data).decode()
    return attributes


def _add_octets(attributes: dict[str, Any], octets: bytes, kind: Kind) -> None:
    if kind is _JSON and _is_json(octets):
        # Bytes under a JSON type are JSON text already (JSON format, section 3.1).
        attributes["data"] = msgspec.Raw(octets)
        return
    encoded = base64.b64encode(octets).decode()
    if attributes["specversion"] == "0.3":
        attributes |= {"datacontentencoding": "base64", "data": encoded}
    else:
        attributes["data_base64"] = encoded


def _is_json(octets: bytes) -> bool:
    try:
        parse_json(octets)
    except MalformedBodyError:
        return False
    return True
