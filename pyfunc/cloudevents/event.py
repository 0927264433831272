"""The event class: attributes and data, as received or as to be sent.

Source: CloudEvents 1.0.2, and 0.3, which all peers accept too. A received event is never completed:
a missing attribute is an error. Messages and documents are for `http_binding` and `json_format`.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

import msgspec

from pyfunc.cloudevents.accessors import Accessors
from pyfunc.cloudevents.attributes import Faults
from pyfunc.cloudevents.canonical import canonicalize, new_id, now
from pyfunc.cloudevents.data import JSON_TYPE, OCTETS, Kind, Payload, media_type
from pyfunc.errors import MalformedBodyError, ReplyError

__all__ = ["DeadLetter", "Event", "decoded_base64", "received_event"]


class DeadLetter(NamedTuple):
    """The reason why a Knative channel or broker gave up on an event ("Event delivery")."""

    code: int | None
    """The HTTP status of the last attempt; `None` where there was none."""
    destination: str | None
    """The URL that refused the event."""
    body: bytes
    """The body of its last answer, of which Knative keeps the first 1024 bytes."""


_UNREAD: Any = object()


class Event(Accessors):
    """A CloudEvent: attributes and data.

    `event["type"]`, `event.get("subject")`, `"subject" in event` and iteration work on the
    attributes, as in a dict. With the getters of the CloudEvents SDK, an `Event` satisfies its
    `BaseCloudEvent` protocol.

    Args:
        attributes: The context attributes, extensions included. A new event gets the `id`,
            `specversion` and `time` that are missing; the mapping itself is not changed.
        data: The data: bytes, text, or anything with a JSON form.

    Raises:
        ValueError: An attribute has a name or value that the specification does not allow.
    """

    __slots__ = (
        "_data",
        "_is_untouched",
        "_payload",
        "has_data",
        "original",
    )

    _payload: Payload | Callable[[], Payload] | None
    original: dict[str, Any]
    """The attributes as received, without the function's changes; not to be changed."""
    has_data: bool
    """There is data, which may be an explicit JSON `null` (JSON format, section 3.1)."""

    def __init__(self, attributes: Mapping[str, Any], data: Any = None) -> None:
        named = {"specversion": "1.0", "id": new_id(), **attributes}
        try:
            complete = canonicalize(named, filled_in=("source", "type")).attributes
        except ReplyError as error:
            raise ValueError(str(error)) from None
        complete.setdefault("time", now())
        self._take(complete, data)

    @classmethod
    def received(
        cls,
        attributes: dict[str, Any],
        payload: Payload | Callable[[], Payload] | None,
        data: Any = _UNREAD,
    ) -> Self:
        """Make a received event, of checked attributes, without completing it.

        Args:
            attributes: The attributes; they become the event's own.
            payload: The data as received, or a function that finds it when it is needed.
            data: The value of the data; read from the payload at first use where not given.
        """
        event = cls.__new__(cls)
        event._attributes = event.original = attributes
        event._is_untouched = True
        event._payload, event._data = payload, data
        event.has_data = data is not _UNREAD or bool(getattr(payload, "octets", b""))
        return event

    @classmethod
    def unchecked(cls, attributes: dict[str, Any], data: Any) -> Self:
        """Make an event to be sent; its attributes are checked when it is encoded, not twice."""
        event = cls.__new__(cls)
        event._take(attributes, data)
        return event

    def _take(self, attributes: dict[str, Any], data: Any) -> None:
        self._attributes = self.original = attributes
        self._is_untouched = False
        self._payload = None
        self._data = data
        self.has_data = data is not None

    @property
    def payload(self) -> Payload | None:
        """The data as received."""
        if callable(self._payload):
            self._payload = self._payload()
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
    def dead_letter(self) -> DeadLetter | None:
        """The reason why this event was given up, if it comes from a dead letter queue.

        Read from the extensions `knativeerrorcode`, `knativeerrordest` and `knativeerrordata`, the
        last of which Knative encodes in Base64.
        """
        code, destination, data = map(self._attributes.get, _DEAD_LETTER)
        if code is None and destination is None and data is None:
            return None
        digits = str(code)
        number = int(digits) if digits.isascii() and digits.isdigit() else None
        return DeadLetter(number, destination, _dead_letter_body(str(data or "")))

    def get_data(self) -> Any:
        """Return the data, as in the SDK's `BaseCloudEvent`."""
        return self.data

    def get_attributes(self) -> Mapping[str, Any]:
        """Return the attributes, as in the SDK's `BaseCloudEvent`."""
        return self.attributes

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or `default` where it is not set."""
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


_DEAD_LETTER = ("knativeerrorcode", "knativeerrordest", "knativeerrordata")


def _dead_letter_body(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # not from Knative, which always encodes it
        return text.encode("utf-8", "replace")


def received_event(
    attributes: dict[str, Any], payload: Payload | None, faults: Faults
) -> Event | None:
    """Make a received event of valid attributes; add a content type for unlabelled JSON.

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
        payload = _labelled(attributes, payload)
    return Event.received(attributes, payload)


def _labelled(attributes: dict[str, Any], payload: Payload) -> Payload:
    """Treat unlabelled data as JSON if it parses, and label it, so that it is sent on as JSON."""
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
    """Apply the `datacontentencoding` of CloudEvents 0.3."""
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
    """Decode a JSON string in Base64."""
    try:
        return base64.b64decode(_decode_string(raw).encode("ascii"), validate=True)
    except (msgspec.MsgspecError, binascii.Error, UnicodeError):
        faults[name] = "expected a string in Base64 (RFC 4648)"
        return b""


_decode_string = msgspec.json.Decoder(str).decode
