"""Error responses to malformed HTTP input."""

from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import (
    BadHttpMethod,
    BadStatusLine,
    ContentEncodingError,
    HttpProcessingError,
    InvalidHeader,
    InvalidURLError,
    LineTooLong,
)

from pyfunc.errors import RequestError
from pyfunc.request.codings import unknown_coding

__all__ = ["malformed_error", "raw_response"]

# Details by the parser's class of error; its own messages repeat the input.
_DETAILS: tuple[tuple[type[HttpProcessingError], int, str], ...] = (
    (BadHttpMethod, 400, "this is no HTTP/1.1 request: TLS and HTTP/2 are not spoken here"),
    (BadStatusLine, 400, "this is no HTTP/1.1 request: expected a line such as GET / HTTP/1.1"),
    (InvalidHeader, 400, "a header is malformed"),
    (InvalidURLError, 400, "the target of the request is malformed"),
    (LineTooLong, 431, "the target of the request, or a header, is larger than is taken here"),
)
_PHRASES = {
    "Too many headers received": (431, "there are more headers than are taken here"),
    "Missing 'Host' header in request.": (400, "the Host header is missing"),
}

_NOT_INSTALLED = "Can not decode content-encoding:"  # the coding and the package that it needs


def malformed_error(error: HttpProcessingError) -> RequestError:
    """Return the error for the sender; it repeats nothing of the input."""
    if error.message in _PHRASES:
        status, detail = _PHRASES[error.message]
        return RequestError(detail, status=status)
    if isinstance(error, ContentEncodingError) and error.message.startswith(_NOT_INSTALLED):
        return unknown_coding()
    for kind, status, detail in _DETAILS:
        if isinstance(error, kind):
            return RequestError(detail, status=status)
    return RequestError("the request is malformed")


def raw_response(response: web.Response) -> bytes:
    """Encode the last response of a connection, where there is no request to prepare it for."""
    body = cast(bytes, response.body)
    return (
        f"HTTP/1.1 {response.status} {response.reason}\r\n"
        f"Content-Type: {response.headers['Content-Type']}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body
