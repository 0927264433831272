"""Whatever a function returned, to an aiohttp response: one table for events, one for HTTP.

An event function answers with a valid event or with nothing, by construction: Knative's brokers
take a 2xx with any other body for a failed delivery, and repeat it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import AsyncGeneratorType, GeneratorType
from typing import Any
from uuid import uuid4

from aiohttp import web
from multidict import CIMultiDict

from pyfunc import sdk
from pyfunc.errors import ReplyError, RequestError
from pyfunc.events import (
    ContentMode,
    Event,
    Message,
    content_mode,
    decode,
    encode,
    encode_batch,
    is_plain,
    now,
)
from pyfunc.flaskbridge import flask_answer, flask_answer_types
from pyfunc.payload import dump_json
from pyfunc.sdk import http_message

__all__ = ["EventReplies", "Stream", "http_answer"]


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is sent as it is produced.

    Args:
        chunks: The iterator or asynchronous iterator that produces it.
        status: The HTTP status.
        headers: The response headers; without a `Content-Type` the first chunk decides it.
        reason: The reason phrase, where it is not the status's own.
    """

    chunks: Iterator[Any] | AsyncIterator[Any]
    status: int
    headers: CIMultiDict[str]
    reason: str | None = None


# --- HTTP functions -------------------------------------------------------------------------------


def http_answer(result: Any, request: web.Request) -> web.StreamResponse | Stream:
    """The response for what an HTTP function returned.

    Args:
        result: What it returned.
        request: The request that it answers.

    Raises:
        ReplyError: It is nothing that can be sent.
    """
    known = _HTTP.get(type(result))
    if known is not None:
        return known(result)
    if type(result) is tuple:
        return _tuple(result, request)
    return _http_object(result, request)


def _http_object(result: Any, request: web.Request) -> web.StreamResponse | Stream:
    if isinstance(result, web.StreamResponse):
        return result
    if isinstance(result, Event):
        return _response(encode(result, ContentMode.BINARY))
    if isinstance(result, AsyncIterator | Iterator):
        return Stream(result, 200, CIMultiDict())
    if isinstance(result, flask_answer_types()):
        return flask_response(result, request)
    if isinstance(result, str):
        return _text(str(result))
    event = sdk_event(result)
    if event is not None:
        return _response(encode(event, ContentMode.BINARY))
    return _json(result)


def _nothing(result: None) -> web.Response:
    return web.Response(status=204)


def _text(result: str) -> web.Response:
    return web.Response(body=_utf8(result), headers={"Content-Type": "text/plain; charset=utf-8"})


def _octets(result: bytes | bytearray | memoryview) -> web.Response:
    return web.Response(body=bytes(result), headers={"Content-Type": "application/octet-stream"})


def _json(result: Any) -> web.Response:
    return web.Response(body=dump_json(result), headers={"Content-Type": "application/json"})


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ReplyError("the text holds surrogates, which UTF-8 cannot") from None


def _tuple(result: tuple[Any, ...], request: web.Request) -> web.StreamResponse | Stream:
    """`(body, status)`, `(body, headers)` and `(body, status, headers)`, as in Flask."""
    if (message := http_message(result)) is not None:
        return web.Response(body=message[1], headers=message[0])
    status, headers = _status_and_headers(result)
    if status is None and headers is None:
        return _json(list(result))
    answer = http_answer(result[0], request)
    return _amended(answer, status, headers or ())


def _status_and_headers(result: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(result) == 3 and _is_status(result[1]) and _is_headers(result[2]):
        return result[1], result[2]
    if len(result) == 2 and _is_status(result[1]):
        return result[1], None
    if len(result) == 2 and _is_headers(result[1]):
        return None, result[1]
    return None, None


def _is_status(value: Any) -> bool:
    return (type(value) is int or isinstance(value, HTTPStatus)) and 100 <= value <= 999


def _is_headers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list) and all(
        isinstance(pair, tuple | list) and len(pair) == 2 for pair in value
    )


def _amended(
    answer: web.StreamResponse | Stream, status: int | None, headers: Any
) -> web.StreamResponse | Stream:
    extra = _clean_headers(headers)
    if isinstance(answer, Stream):
        merged = answer.headers.copy()
        merged.update(extra)
        reason = answer.reason if status in (None, answer.status) else None
        return Stream(answer.chunks, status or answer.status, merged, reason)
    answer.headers.update(extra)
    if status is not None:
        answer.set_status(status)
    return answer


def _clean_headers(headers: Any) -> CIMultiDict[str]:
    """Header lines that cannot become two (RFC 9110, section 5.5)."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    clean: CIMultiDict[str] = CIMultiDict()
    for name, value in pairs:
        for single in value if isinstance(value, list | tuple) else (value,):
            text = str(single)
            if any(c in text or c in str(name) for c in "\r\n\0"):
                raise ReplyError(f"the header {str(name)!r} holds a line break or a NUL")
            clean.add(str(name), text)
    return clean


def flask_response(result: Any, request: web.Request) -> web.StreamResponse | Stream:
    """A response of Flask's, or one of its HTTP exceptions, as it is."""
    answer = flask_answer(result, request)
    if isinstance(answer.body, bytes):
        return web.Response(
            status=answer.status, reason=answer.reason, headers=answer.headers, body=answer.body
        )
    return Stream(answer.body, answer.status, answer.headers, answer.reason)


def flask_error(error: Any, request: web.Request) -> web.Response:
    """What `flask.abort` raised, as a response."""
    return _whole(error, request)


_HTTP: Mapping[type, Callable[[Any], web.StreamResponse | Stream]] = {
    type(None): _nothing,
    str: _text,
    bytes: _octets,
    bytearray: _octets,
    memoryview: _octets,
    dict: _json,
    list: _json,
    int: _json,
    float: _json,
    bool: _json,
    GeneratorType: lambda result: Stream(result, 200, CIMultiDict()),
    AsyncGeneratorType: lambda result: Stream(result, 200, CIMultiDict()),
}


# --- event functions ------------------------------------------------------------------------------


def sdk_event(result: Any) -> Event | None:
    """An event of the CloudEvents SDK as ours; `None` for anything else."""
    parts = sdk.unpack(result)
    return None if parts is None else _event(dict(parts[0]), parts[1])


def _event(attributes: dict[str, Any], data: Any) -> Event:
    """An event whose attributes are looked at when it is encoded, not twice."""
    event = Event.received(attributes, None)
    if data is not None:
        event.data = data
    return event


class EventReplies:
    """What an event function returned, as reply events and as a response.

    Args:
        mode: `auto`, `binary` or `structured`.
        type: The type of replies that name none; `None` for the received one with `.reply`.
        source: The source of replies that name none.
    """

    def __init__(self, mode: str, type: str | None, source: str) -> None:
        self.mode = mode
        self.type = type
        self.source = source

    def events(
        self, result: Any, received: Event, request: web.Request
    ) -> list[Event] | web.StreamResponse:
        """The events that answer `received`; or a response, where the function made one.

        Raises:
            ReplyError: It is nothing that an event can carry.
        """
        if result is None:
            return []
        if isinstance(result, web.StreamResponse):
            return result
        if isinstance(result, flask_answer_types()):
            return _whole(result, request)
        if type(result) is list and all(_is_event(item) for item in result):
            return [self._completed(_as_event(item), received) for item in result]
        return [self._single(result, received)]

    def _single(self, result: Any, received: Event) -> Event:
        if (message := http_message(result)) is not None:
            return self._completed(_decoded(*message), received)
        if type(result) is tuple and len(result) == 2 and isinstance(result[0], Mapping):
            return self._completed(_event(dict(result[0]), result[1]), received)
        event = _as_event(result)
        if event is None:
            event = _event({}, result)
        return self._completed(event, received)

    def _completed(self, event: Event, received: Event) -> Event:
        """The event with what a reply must have (CloudEvents 1.0, "Required Attributes")."""
        attributes = event.attributes
        if event is not received:
            if attributes.get("id") == received.id and self._is_duplicate(event, received):
                attributes["id"] = str(uuid4())
            for name, make in self._missing(received).items():
                if attributes.get(name) is None:
                    attributes[name] = make()
        return event

    def _is_duplicate(self, event: Event, received: Event) -> bool:
        """Whether it has the id and source of `received` without being that event.

        Source and id say which event it is (CloudEvents 1.0, "id"): another one needs another id.
        """
        attributes = event.attributes
        if attributes.get("source", self.source) != received.source:
            return False
        return attributes != received.attributes or not _same_data(event, received)

    def _missing(self, received: Event) -> dict[str, Callable[[], Any]]:
        return {
            "specversion": lambda: "1.0",
            "id": lambda: str(uuid4()),
            "source": lambda: self.source,
            "type": lambda: self.type or f"{received.type}.reply",
            "time": now,
        }

    def response(self, events: list[Event]) -> web.Response:
        """The response that carries these events, in the content mode that suits them."""
        if not events:
            return web.Response()
        if len(events) > 1:
            return _response(encode_batch(events))
        return _response(encode(events[0], self._mode(events[0])))

    def _mode(self, event: Event) -> ContentMode:
        if self.mode != "auto":
            return ContentMode(self.mode)
        return ContentMode.BINARY if is_plain(event.attributes) else ContentMode.STRUCTURED


def _same_data(event: Event, received: Event) -> bool:
    """Whether the data is what was received, also where the function changed it in place."""
    payload = received.payload
    original = None if payload is None else payload.value()
    return bool(event.data == original)


def _is_event(item: Any) -> bool:
    return isinstance(item, Event) or sdk.unpack(item) is not None


def _decoded(headers: dict[str, str], body: bytes) -> Event:
    """An event that the function has encoded by the SDK's means, looked at like any other."""
    mode = content_mode(CIMultiDict(headers))
    try:
        return decode(mode or ContentMode.BINARY, headers.items(), body)[0]
    except (RequestError, IndexError) as error:
        raise ReplyError(f"the encoded event that was returned: {error}") from None


def _as_event(item: Any) -> Any:
    return item if isinstance(item, Event) else sdk_event(item)


def _whole(result: Any, request: web.Request) -> web.Response:
    """A Flask response to an event, in one piece: brokers read no streams."""
    answer = flask_answer(result, request)
    body = answer.body if isinstance(answer.body, bytes) else answer.body.read()
    return web.Response(
        status=answer.status, reason=answer.reason, headers=answer.headers, body=body
    )


def _response(message: Message) -> web.Response:
    return web.Response(body=message.body or None, headers=CIMultiDict(message.headers))
