"""HTTP results: turn what an HTTP function returned into a response.

One table maps types to responses; `replies` does the same for event functions.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from pyfunc.cloudevents import sdk
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode, encode
from pyfunc.cloudevents.json_text import dump_json
from pyfunc.cloudevents.sdk import http_message
from pyfunc.errors import ReplyError
from pyfunc.invoking.wire import WholeResponse, has_body, header_lines
from pyfunc.request.flask import flask_answer, flask_answer_types

__all__ = [
    "PREPARED",
    "HttpResults",
    "Stream",
    "check_fields",
    "check_own",
    "flask_response",
    "sdk_event",
]


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


class HttpResults:
    """Makes responses of the results of an HTTP function.

    Args:
        whole: The class of whole responses.
    """

    def __init__(self, whole: type[WholeResponse]) -> None:
        self._whole = whole
        self._by_type: Mapping[type, Callable[[Any], web.StreamResponse | Stream]] = {
            type(None): _no_content,
            str: self._text,
            **dict.fromkeys((bytes, bytearray, memoryview), self._octets),
            **dict.fromkeys((dict, list, int, float, bool), self._json),
            **dict.fromkeys((GeneratorType, AsyncGeneratorType), _stream),
        }

    def response(self, result: Any, request: web.Request) -> web.StreamResponse | Stream:
        """Return the response for a result.

        Args:
            result: The value that the function returned.
            request: The request that it answers.

        Raises:
            ReplyError: No response can carry it.
        """
        make = self._by_type.get(type(result))
        if make is not None:
            return make(result)
        if type(result) is tuple:
            return self._tuple(result, request)
        return self._object(result, request)

    def _object(self, result: Any, request: web.Request) -> web.StreamResponse | Stream:
        if isinstance(result, web.StreamResponse):
            check_own(result, request)
            return result
        if isinstance(result, Event):
            return self._event(result)
        if isinstance(result, AsyncIterator | Iterator):
            return _stream(result)
        if isinstance(result, flask_answer_types()):
            return _flask(result, request)
        if isinstance(result, str):
            return self._text(str(result))
        if isinstance(result, bytes | bytearray):
            return self._octets(result)
        event = sdk_event(result)
        if event is not None:
            return self._event(event)
        if (message := http_message(result)) is not None:
            return web.Response(body=message[1], headers=message[0])
        return self._json(result)

    def _event(self, event: Event) -> web.Response:
        message = encode(event, ContentMode.BINARY)
        return self._whole(header_lines(message.headers), message.body)

    def _text(self, result: str) -> web.Response:
        return self._whole("Content-Type: text/plain; charset=utf-8\r\n", _utf8(result))

    def _octets(self, result: bytes | bytearray | memoryview) -> web.Response:
        return self._whole("Content-Type: application/octet-stream\r\n", bytes(result))

    def _json(self, result: Any) -> web.Response:
        return self._whole("Content-Type: application/json\r\n", dump_json(result))

    def _tuple(self, result: tuple[Any, ...], request: web.Request) -> web.StreamResponse | Stream:
        """`(body, status)`, `(body, headers)` and `(body, status, headers)`, as in Flask."""
        if (message := http_message(result)) is not None:
            return web.Response(body=message[1], headers=message[0])
        status, headers = _status_and_headers(result)
        if status is None and headers is None:
            return self._json(list(result))
        return _amended(self.response(result[0], request), status, headers or ())


PREPARED: web.RequestKey[web.StreamResponse] = web.RequestKey("pyfunc_prepared", web.StreamResponse)
"""The response whose head was sent, or will be with the next bytes; there can be no other."""


def check_own(response: web.StreamResponse, request: web.Request) -> None:
    """Check that a response object that the function returned can be sent.

    Raises:
        ReplyError: Its head cannot, or it has not the body that its head announces.
    """
    check_fields(response)
    if type(response) is not web.StreamResponse or not has_body(request.method, response.status):
        return
    if response.content_length and not response.prepared:
        raise ReplyError(f"the response announces {response.content_length} bytes and has no body")


def check_fields(response: web.StreamResponse) -> None:
    """Check that the head of a response can be sent (RFC 9110, section 5.5).

    Raises:
        ReplyError: A header, a cookie or the reason phrase cannot.
    """
    for name, value in response.headers.items():
        _check_field(name, value)
    for cookie in response.cookies.values():
        _check_field("Set-Cookie", cookie.OutputString())
    _check_field("reason", response.reason)
    length = response.headers.get("Content-Length")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise ReplyError(f"the header Content-Length is {length!r}: expected a number of bytes")


def _check_field(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ReplyError(f"the header {name} is {value!r}: expected a str")
    if not _FIELD_NAME(name):
        raise ReplyError(f"{name!r} is no name of a header")
    if not value.isprintable() and re.search(_NO_FIELD_VALUE, value):
        raise ReplyError(f"the header {name} holds a line break or another control character")


def _no_content(result: None) -> web.Response:
    return web.Response(status=204)


def _stream(result: Any) -> Stream:
    return Stream(result, 200, CIMultiDict())


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ReplyError("the text holds surrogates, which UTF-8 cannot") from None


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
    _check_field(name, value)
    if name.lower() not in _FRAMING:
        clean.add(name, value)


_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_NO_FIELD_VALUE = "[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]"  # slow to compile, so when needed
# The server says where a body ends; a function that says otherwise would break the next answer.
_FRAMING = frozenset({"content-length", "transfer-encoding"})


def _flask(result: Any, request: web.Request) -> web.StreamResponse | Stream:
    answer = flask_answer(result, request)
    if isinstance(answer.body, bytes):
        return flask_response(result, request)
    return Stream(answer.body, answer.status, answer.headers, answer.reason)


def flask_response(result: Any, request: web.Request) -> web.Response:
    """Return a Flask response, or an HTTP exception of Flask's, in one piece."""
    answer = flask_answer(result, request)
    body = answer.body if isinstance(answer.body, bytes) else answer.body.read()
    response = web.Response(
        status=answer.status, reason=answer.reason, headers=answer.headers, body=body
    )
    check_fields(response)
    return response


def sdk_event(result: Any) -> Event | None:
    """Convert an event of the CloudEvents SDK; return `None` for anything else."""
    parts = sdk.unpack(result)
    return None if parts is None else Event.unchecked(dict(parts[0]), parts[1])
