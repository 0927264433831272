"""The event class: attributes and data, as they were received or as they are to be sent.

Source: CloudEvents 1.0.2; 0.3 as every peer still takes it. An event that was received is never
completed: what is missing is an error.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

import msgspec

from pyfunc.cloudevents.attributes import Faults, parse_time
from pyfunc.cloudevents.canonical import canonicalize, new_id, now
from pyfunc.cloudevents.data import JSON_TYPE, OCTETS, Kind, Payload, media_type
from pyfunc.errors import MalformedBodyError, ReplyError

__all__ = ["DeadLetter", "Event", "decoded_base64", "received_event"]


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

    __slots__ = (
        "_attributes",
        "_data",
        "_is_untouched",
        "_late",
        "_payload",
        "has_data",
        "original",
    )

    _late: Callable[[], Payload] | None
    _payload: Payload | None
    original: dict[str, Any]
    """The attributes as they were received, whatever the function did; not to be changed."""
    has_data: bool
    """Whether there is data; true for an explicit JSON `null` (JSON format, section 3.1)."""

    def __init__(self, attributes: Mapping[str, Any], data: Any = None) -> None:
        named = {"specversion": "1.0", "id": new_id(), **attributes}
        try:
            complete = canonicalize(named, filled_in=("source", "type")).attributes
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
        event._payload, event._late = payload, None
        return event

    @classmethod
    def read(cls, attributes: dict[str, Any], data: Any, payload: Callable[[], Payload]) -> "Event":
        """As `received`, with data that was read already, and octets that are found if needed."""
        event = cls.__new__(cls)
        event._attributes = event.original = attributes
        event._is_untouched = True
        event._data = data
        event.has_data = True
        event._payload, event._late = None, payload
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
        self._payload = self._late = None

    @property
    def payload(self) -> Payload | None:
        """The data as it was received."""
        if self._late is not None:
            self._payload, self._late = self._late(), None
        return self._payload

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

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # events can be changed

    def __repr__(self) -> str:
        return f"Event({self._attributes!r}, {self.data!r})"


_UNREAD = object()
_DEAD_LETTER = ("knativeerrorcode", "knativeerrordest", "knativeerrordata")


def _dead_letter_body(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # not Knative's: somebody wrote it plain
        return text.encode("utf-8", "replace")


def received_event(
    attributes: dict[str, Any], payload: Payload | None, faults: Faults
) -> Event | None:
    """An event off the wire, once its attributes are known to be good.

    Its data is stated by a content type wherever that can be told.

    Args:
        attributes: Its attributes; they become the event's own.
        payload: Its data.
        faults: Where a fault of the data is added; there is no event then.
    """
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
    return Payload(decoded_base64(octets, "data", faults), media)


def _encode_string(octets: bytes) -> bytes:
    return msgspec.json.encode(octets.decode("ascii", "replace"))


def decoded_base64(raw: bytes, name: str, faults: Faults) -> bytes:
    """The octets that a JSON string in Base64 stands for."""
    try:
        return base64.b64decode(_decode_string(raw).encode("ascii"), validate=True)
    except (msgspec.MsgspecError, binascii.Error, UnicodeError):
        faults[name] = "expected a string in Base64 (RFC 4648)"
        return b""


_decode_string = msgspec.json.Decoder(str).decode
