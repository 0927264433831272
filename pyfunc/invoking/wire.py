"""How bodies are read and whole responses are made: here by aiohttp's public API.

A server may hand `create_app` a faster `Wire`; `pyfunc.fastpath` has one.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from aiohttp import web
from multidict import CIMultiDict

__all__ = ["PLAIN", "WholeResponse", "Wire", "has_body", "header_fields", "header_lines"]


class WholeResponse(web.Response):
    """A response with the status 200 whose header lines and body are known.

    Args:
        lines: The header lines, each with its line end; none of `Content-Length`, `Connection`,
            `Date` and `Server`, and nothing that is invalid in a header.
        body: The body.
    """

    def __init__(self, lines: str, body: bytes) -> None:
        super().__init__(body=body, headers=header_fields(lines))

    def add_lines(self, lines: str) -> None:
        """Add headers like those given at the start."""
        self.headers.extend(header_fields(lines))


def has_body(method: str, status: int) -> bool:
    """Whether a response can have a body (RFC 9112, section 6.3).

    Args:
        method: The method of the request.
        status: The status of the response.
    """
    return method != "HEAD" and status >= 200 and status not in _WITHOUT_BODY


_WITHOUT_BODY = frozenset({204, 304})


def header_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Join headers to lines, each with its line end."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def header_fields(lines: str) -> CIMultiDict[str]:
    """Parse header lines into a multi-dict."""
    fields: CIMultiDict[str] = CIMultiDict()
    for line in lines.split("\r\n")[:-1]:
        name, _, value = line.partition(": ")
        fields.add(name, value)
    return fields


async def _read_body(request: web.Request) -> bytes:
    return await request.read()


class Wire(NamedTuple):
    """The means between the application and HTTP messages.

    Attributes:
        read_body: Reads the whole body of a request; `request.read()` gives the same bytes after.
        response: The class of whole responses.
    """

    read_body: Callable[[web.Request], Awaitable[bytes]]
    response: type[WholeResponse]


PLAIN = Wire(_read_body, WholeResponse)
