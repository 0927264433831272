"""Whatever a function returned, to an aiohttp response: one table for events, one for HTTP.

An event function answers with a valid event or with nothing, by construction: Knative's brokers
take a 2xx with any other body for a failed delivery, and repeat it.
"""

import logging
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict, istr

from pyfunc.cloudevents import sdk
from pyfunc.cloudevents.attributes import new_id, now
from pyfunc.cloudevents.data import dump_json
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import (
    ContentMode,
    Message,
    batch,
    content_mode,
    decode,
    encode,
    encode_lines,
)
from pyfunc.cloudevents.json_format import Draft, draft
from pyfunc.cloudevents.sdk import http_message, is_http_message
from pyfunc.errors import MalformedBodyError, ReplyError, RequestError
from pyfunc.fastpath.response import DirectResponse
from pyfunc.request.flask import flask_answer, flask_answer_types

__all__ = ["EventReplies", "Replies", "Stream", "flask_error", "http_answer"]


logger = logging.getLogger("pyfunc")


class Stream(msgspec.Struct, frozen=True):
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
    if isinstance(result, bytes | bytearray):
        return _octets(result)
    event = sdk_event(result)
    if event is not None:
        return _response(encode(event, ContentMode.BINARY))
    if (message := http_message(result)) is not None:
        return web.Response(body=message[1], headers=message[0])
    return _json(result)


def _nothing(result: None) -> web.Response:
    return web.Response(status=204)


def _text(result: str) -> web.Response:
    return DirectResponse("Content-Type: text/plain; charset=utf-8\r\n", _utf8(result))


def _octets(result: bytes | bytearray | memoryview) -> web.Response:
    return DirectResponse("Content-Type: application/octet-stream\r\n", bytes(result))


def _json(result: Any) -> web.Response:
    return DirectResponse("Content-Type: application/json\r\n", dump_json(result))


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


def _status_and_headers(result: tuple[Any, ...]) -> tuple[int | None, Any]:
    if len(result) not in (2, 3):
        return None, None
    status = _status(result[1])
    if len(result) == 3:
        is_answer = status is not None and _is_headers(result[2])
        return (status, result[2]) if is_answer else (None, None)
    return (None, result[1]) if status is None and _is_headers(result[1]) else (status, None)


def _status(value: Any) -> int | None:
    """A status, such as 404 or "404 NOT FOUND"; `None` for anything else."""
    if isinstance(value, str) and _STATUS_LINE(value):
        return int(value[:3])
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 999:
        return None
    return int(value)


_STATUS_LINE = re.compile(r"[1-9]\d\d [A-Z].*", re.ASCII).fullmatch


def _is_headers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in value)
    return isinstance(value, Mapping) or type(value).__name__ == "Headers"  # Werkzeug's, or ours


def _amended(
    answer: web.StreamResponse | Stream, status: int | None, headers: Any
) -> web.StreamResponse | Stream:
    extra = _clean_headers(headers)
    if status is not None and status < 200:
        raise ReplyError(f"{status} is no status of an answer: expected 200 to 999")
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
    pairs = headers.items() if hasattr(headers, "items") else headers
    clean: CIMultiDict[str] = CIMultiDict()
    for name, value in pairs:
        for single in value if isinstance(value, list | tuple) else (value,):
            _add_header(clean, str(name), str(single))
    return clean


def _add_header(clean: CIMultiDict[str], name: str, value: str) -> None:
    if not _FIELD_NAME(name):
        raise ReplyError(f"{name!r} is no name of a header")
    if not value.isprintable() and re.search(_NO_FIELD_VALUE, value):
        raise ReplyError(f"the header {name} holds a line break or another control character")
    if name.lower() not in _FRAMING:
        clean.add(name, value)


_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_NO_FIELD_VALUE = "[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]"  # slow to compile, so when needed
# The server says where a body ends; a function that says otherwise would break the next answer.
_FRAMING = frozenset({"content-length", "transfer-encoding"})


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


class Replies(msgspec.Struct):  # which is made in half the time of other classes
    """The events that answer an invocation."""

    events: list[Event]
    is_list: bool
    """Whether the function made a list of them."""


_NONE = Replies([], False)


class EventReplies:
    """What an event function returned, as reply events and as a response.

    Args:
        mode: `auto`, `binary` or `structured`.
        type: The type of replies that name none; `None` for the received one with `.reply`.
        source: The source of replies that name none.
    """

    def __init__(self, mode: str, type: str | None, source: str) -> None:
        self.mode = None if mode == "auto" else ContentMode(mode)
        self.type = type
        self.source = source
        self._warned: set[str] = set()
        self._told_unread = False

    def made(
        self, result: Any, received: Sequence[Event], request: web.Request
    ) -> Replies | web.StreamResponse:
        """The events that answer `received`; or a response, where the function made one.

        Raises:
            ReplyError: It is nothing that an event can carry.
        """
        if result is None:
            return _NONE
        if type(result) is tuple:  # as most results are
            replies = Replies(_pair(result) or [Event.unchecked({}, result)], False)
        elif isinstance(result, web.StreamResponse):
            return result
        elif isinstance(result, flask_answer_types()):
            return _whole(result, request)
        else:
            replies = _made(result)
        for event in replies.events:
            self._complete(event, received)
        return replies

    def made_of_each(
        self, results: Iterable[Any], received: Sequence[Event], request: web.Request
    ) -> Replies | web.StreamResponse:
        """The events that a generator produced; one alone goes out as it would if returned.

        Raises:
            ReplyError: It is nothing that an event can carry.
        """
        events: list[Event] = []
        for result in results:
            made = self.made(result, received, request)
            if isinstance(made, web.StreamResponse):
                return made
            events += made.events
        return Replies(events, len(events) > 1)

    def _complete(self, event: Event, received: Sequence[Event]) -> None:
        """Fill in what a reply must have (CloudEvents 1.0, "Required Attributes")."""
        attributes = event.attributes
        given = attributes.get
        id, source = given("id"), given("source") or self.source
        asked, is_same = received[0], False
        for one in received:
            original = one.original
            if original["id"] == id and original["source"] == source:
                asked, is_same = one, attributes == original and _has_same_data(event, one)
                if not is_same:
                    id = None  # with the source it says which event this is: another one (M42)
                break
        if not event.has_data and asked.has_data and asked.data is None:
            event.has_data = True  # an explicit null stays one
        attributes["source"] = source
        attributes["id"] = new_id() if id is None else id
        asked_type = asked.original["type"]
        if given("type") is None:
            attributes["type"] = self.type or f"{asked_type}.reply"
        if given("specversion") is None:
            attributes["specversion"] = "1.0"
        if given("time") is None and not is_same:
            attributes["time"] = now()
        if attributes["type"] == asked_type:
            self._warn_of_loop(asked_type)

    def _warn_of_loop(self, type: str) -> None:
        is_told = type in self._warned or len(self._warned) >= _WARNINGS
        if not is_told and len(type) <= _USUAL_TYPE:
            self._warned.add(type)
            logger.warning(
                "the reply has the type %r that was received: behind a broker whose trigger takes"
                " that type it comes back for ever; give replies a type of their own",
                type,
            )

    def response(self, events: list[Event], request: web.Request, is_batch: bool) -> DirectResponse:
        """The response that carries these events; empty where there are none.

        Args:
            events: The replies.
            request: The request that they answer.
            is_batch: Whether they go out in batched mode, one alone too.

        Raises:
            ReplyError: One of them is not valid.
        """
        if is_batch:
            return self.batch(list(map(draft, events)), request)
        if not events:
            return DirectResponse("", b"")
        lines, body = encode_lines(events[0], self.mode)
        return DirectResponse(lines, body) if self._is_wanted(request) else DirectResponse("", b"")

    def batch(self, drafts: list[Draft], request: web.Request) -> DirectResponse:
        """The response that carries the events of drafts; empty where there are none.

        Raises:
            ReplyError: One of them is not valid.
        """
        if not drafts:
            return DirectResponse("", b"")
        response = _response(batch(drafts))
        return response if self._is_wanted(request) else DirectResponse("", b"")

    def _is_wanted(self, request: web.Request) -> bool:
        """Whether the sender takes a reply, as far as it says so (RFC 7240).

        Knative's senders that read replies say `Prefer: reply`; others need not read one, and count
        the event as accepted all the same (eventing data plane, "Derived (Reply) Events").
        """
        said = request._headers.get(_PREFER)
        if said is not None and "reply" in (preferences := _preferences(said)):
            return True
        if not self._told_unread:
            self._told_unread = True
            logger.debug(
                "a reply for a sender that does not say `Prefer: reply`: it may not read it"
                " (told once)"
            )
        return said is None or "return=minimal" not in preferences


# Types are the senders' to choose: how many are kept, and how long they may be.
_WARNINGS = 100
_USUAL_TYPE = 256
_PREFER = istr("Prefer")


@lru_cache(maxsize=64)
def _preferences(said: str) -> frozenset[str]:
    """The preferences of a `Prefer` header, without their parameters (RFC 7240, section 2)."""
    single = (part.partition(";")[0] for part in said.lower().split(","))
    return frozenset(text.replace(" ", "").replace('"', "") for text in single)


def _made(result: Any) -> Replies:
    """The events that a function made, or one that carries what it made."""
    if type(result) is list:
        several = [_single(item) for item in result]
        if None not in several:
            return Replies([event for events in several for event in events or ()], True)
    return Replies(_single(result) or [Event.unchecked({}, result)], False)


def _single(result: Any) -> list[Event] | None:
    """A result that is an event, or a message that carries some; `None` for anything else."""
    if type(result) is tuple:
        return _pair(result)
    if isinstance(result, Event):
        return [result]
    if (message := http_message(result)) is not None:
        return _decoded(*message)
    event = sdk_event(result)
    return None if event is None else [event]


def _pair(result: tuple[Any, ...]) -> list[Event] | None:
    """`(attributes, data)`, or `(headers, body)` of a message."""
    if len(result) != 2:
        return None
    attributes, data = result
    if type(attributes) is not dict and not isinstance(attributes, Mapping):
        return None
    is_message = "type" not in attributes and is_http_message(attributes)  # no header is called so
    if is_message and (message := http_message(result)) is not None:
        return _decoded(*message)
    return [Event.unchecked(dict(attributes), data)]


def sdk_event(result: Any) -> Event | None:
    """An event of the CloudEvents SDK as ours; `None` for anything else."""
    parts = sdk.unpack(result)
    return None if parts is None else Event.unchecked(dict(parts[0]), parts[1])


def _decoded(headers: dict[str, str], body: bytes) -> list[Event]:
    """Events that the function has encoded by the SDK's means, looked at like any other."""
    try:
        named = CIMultiDict(headers)
        return decode(content_mode(named) or ContentMode.BINARY, named, body)
    except RequestError as error:
        raise ReplyError(f"the encoded event that was returned: {error}") from None


def _has_same_data(event: Event, received: Event) -> bool:
    """Whether it has the data that was received, also where the function changed that in place."""
    payload, data = received.payload, event.data
    if payload is None:
        return data is None
    try:
        if isinstance(data, bytes) and data == payload.data_octets():
            return True
        return bool(data == payload.value())
    except MalformedBodyError:  # the function took the octets as they were, and no others
        return False


def _whole(result: Any, request: web.Request) -> web.Response:
    """A Flask response to an event, in one piece: brokers read no streams."""
    answer = flask_answer(result, request)
    body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    return web.Response(
        status=answer.status, reason=answer.reason, headers=answer.headers, body=body
    )


def _response(message: Message) -> DirectResponse:
    lines = "".join([f"{name}: {value}\r\n" for name, value in message.headers])
    return DirectResponse(lines, message.body)
