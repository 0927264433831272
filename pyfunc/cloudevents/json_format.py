"""The JSON event format: events as JSON objects, one alone or several in a batch.

Source: CloudEvents 1.0.2, JSON event format, of which section 3 lays out one event and section 4 a
batch. Nearly all documents are alike: those are read in one go, data included. A document with more
to look at, or to complain of, is read again, member by member.
"""

import base64
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Any, cast

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
    dump_json,
    join_json,
    media_type,
    parse_json,
    refuse_extremes,
)
from pyfunc.cloudevents.event import Event, decoded_base64, received_event
from pyfunc.cloudevents.header_layouts import media_of, media_of_each
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

Members = dict[str, msgspec.Raw]


# --- in -------------------------------------------------------------------------------------------


def decode_structured(body: bytes) -> Event:
    """The event of a document.

    Raises:
        InvalidEventError: It breaks the specification; all its faults are told.
        MalformedBodyError: It is not JSON, or no object.
    """
    event = _Documents(body, is_batch=False).event()
    if not isinstance(event, Event):
        raise invalid_event(sentences(event))
    return event


def decode_batch(body: bytes) -> list[Event]:
    """The events of a batch; one that is malformed spoils it.

    Raises:
        InvalidEventError: Some break the specification; all their faults are told.
        MalformedBodyError: It is not JSON, or no array of objects.
    """
    events = _Documents(body, is_batch=True).events()
    told = [
        f"[{index}].{fault}"
        for index, event in enumerate(events)
        if not isinstance(event, Event)
        for fault in sentences(event)
    ]
    if told:
        raise invalid_event(told)
    return cast(list[Event], events)


class _Documents:
    """The documents of a body, by their values and by how each member stands there.

    Args:
        body: The body.
        is_batch: Whether it is an array of documents, not one.
    """

    __slots__ = ("_is_batch", "_members", "_text")

    def __init__(self, body: bytes, *, is_batch: bool) -> None:
        self._text = body[3:] if body[:3] == b"\xef\xbb\xbf" else body
        self._is_batch = is_batch
        self._members: list[Members] | None = None

    @property
    def members(self) -> list[Members]:
        """The members of each document, as they stand in the text."""
        if self._members is None:
            self._members = self._read_members()
        return self._members

    def event(self) -> Event | Faults:
        """The event where there is one document, or all that is wrong with it."""
        values = self._read_values()
        if values is None:
            return _careful(self.members[0])
        [attributes] = values
        data = attributes.pop("data", _ABSENT)
        return self._event(0, attributes, data, media_of(attributes))

    def events(self) -> list[Event | Faults]:
        """Each event, or all that is wrong with it."""
        values = self._read_values()
        if values is None:
            return list(map(_careful, self.members))
        data = [one.pop("data", _ABSENT) for one in values]
        return list(map(self._event, count(), values, data, media_of_each(values)))

    def _event(
        self, index: int, attributes: dict[str, Any], data: Any, media: MediaType | None
    ) -> Event | Faults:
        """The event of a document like nearly all; of any other one, from its members."""
        if media is None:
            return _careful(self.members[index])
        if data is _ABSENT:
            return Event.received(attributes, None)
        if media.kind is _UNSTATED:
            # JSON format, section 3.1: treated as JSON, and stated when it is sent on.
            attributes["datacontenttype"], media = JSON_TYPE, _JSON_MEDIA
        elif media.kind is not _JSON:
            return _careful(self.members[index])
        return Event.received(attributes, partial(self._payload, index, media), data)

    def _payload(self, index: int, media: MediaType) -> Payload:
        return Payload(bytes(self.members[index]["data"]), media, in_json=True)

    def _read_values(self) -> list[dict[str, Any]] | None:
        """The values of each document; `None` where not all of them are well-formed and usual."""
        try:
            values = _decode_batch(self._text) if self._is_batch else [_decode_document(self._text)]
            refuse_extremes(self._text, values)
        except (*_MALFORMED, MalformedBodyError):
            return None
        return values

    def _read_members(self) -> list[Members]:
        text = self._text
        try:
            return _decode_members_of_each(text) if self._is_batch else [_decode_members(text)]
        except _MALFORMED:
            parse_json(text)  # says so where it is no JSON at all
            expected = "an array of events" if self._is_batch else _ONE
            raise MalformedBodyError(
                f"the body is not an event in JSON format: expected {expected}"
            ) from None


_ABSENT = object()
_ONE = "an object with the attributes and data of an event"
_MALFORMED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_decode_document = msgspec.json.Decoder(dict[str, Any]).decode
_decode_batch = msgspec.json.Decoder(list[dict[str, Any]]).decode
_decode_members = msgspec.json.Decoder(Members).decode
_decode_members_of_each = msgspec.json.Decoder(list[Members]).decode
_decode_value = msgspec.json.Decoder().decode


def _careful(members: Members) -> Event | Faults:
    """The event of any members, or all that is wrong with them."""
    faults: Faults = {}
    attributes: dict[str, Any] = {}
    for name, raw in members.items():
        if name == "data" or name == "data_base64":
            continue
        try:
            value = _decode_value(raw)
        except _MALFORMED:
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
