"""Build the WSGI environ (PEP 3333) of a request from aiohttp's request and its body.

Flask's request is made of it, and functions written for Flask read it. Flask itself is left to
`flask`.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes, urlsplit

from aiohttp import hdrs, web

from pyfunc.request.codings import CODINGS

__all__ = [
    "WSGIEnviron",
    "body_headers",
    "body_length",
    "path_bytes",
    "query_bytes",
    "wsgi_environ",
]

WSGIEnviron: TypeAlias = dict[str, Any]

# These tell how long the body was on its way here.
_TRANSFER_HEADERS = frozenset({"content-length", "transfer-encoding"})

# The headers whose keys in an environ have no HTTP_ before them.
_OWN_KEYS = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})

_DEFAULT_PORTS = {"http": "80", "https": "443"}


def wsgi_environ(request: web.BaseRequest, body: bytes) -> WSGIEnviron:
    """Describe a request, whose body has been read, as PEP 3333 has it."""
    environ = _request_line(request)
    environ |= _wsgi_keys(request, body)
    environ |= _header_keys(request, body)
    if request.remote is not None:
        environ["REMOTE_ADDR"] = request.remote
    return environ


def body_length(request: web.BaseRequest, body: bytes) -> int | None:
    """Count the bytes of a body as the function sees it; `None` for a request without a body."""
    if body or hdrs.CONTENT_LENGTH in request.headers:
        return len(body)
    return None


def body_headers(request: web.BaseRequest, body: bytes) -> Iterator[tuple[str, str]]:
    """The headers as they hold now that aiohttp has decoded the body."""
    for name, value in request.headers.items():
        if not _is_outdated(name.lower(), value):
            yield name, value
    length = body_length(request, body)
    if length is not None:
        yield "Content-Length", str(length)


def _is_outdated(name: str, value: str) -> bool:
    # A header that still announced the coding would make a function decode the body twice.
    coded = name == "content-encoding" and value.strip().lower() in CODINGS
    return coded or name in _TRANSFER_HEADERS


def path_bytes(request: web.BaseRequest) -> bytes:
    """The path without its quoting; in which charset, only the caller knows."""
    return unquote_to_bytes(request.rel_url.raw_path.encode("utf-8", "surrogateescape"))


def query_bytes(request: web.BaseRequest) -> bytes:
    """The query as it was sent."""
    return request.rel_url.raw_query_string.encode("utf-8", "surrogateescape")


def _request_line(request: web.BaseRequest) -> WSGIEnviron:
    host, port = _server(request.host, request.scheme)
    return {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path_bytes(request).decode("latin-1"),
        "QUERY_STRING": query_bytes(request).decode("latin-1"),
        "REQUEST_URI": _wsgi_text(request.raw_path),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{request.version.major}.{request.version.minor}",
    }


def _wsgi_keys(request: web.BaseRequest, body: bytes) -> WSGIEnviron:
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _header_keys(request: web.BaseRequest, body: bytes) -> WSGIEnviron:
    """Repeated headers are joined, as CGI has it (RFC 3875, section 4.1.18)."""
    environ: WSGIEnviron = {}
    for name, value in body_headers(request, body):
        # `X_User` would become the same key as `X-User` and could stand in for it.
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        key = key if key in _OWN_KEYS else f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        text = _wsgi_text(value)
        environ[key] = f"{environ[key]}{separator}{text}" if key in environ else text
    return environ | {"HTTP_HOST": _wsgi_text(request.host)}


def _wsgi_text(text: str) -> str:
    """The bytes of a `str`, each as one character (PEP 3333, "Unicode Issues")."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _server(host: str, scheme: str) -> tuple[str, str]:
    default = _DEFAULT_PORTS.get(scheme, "80")
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname or "localhost", str(parts.port or default)
    except ValueError:  # a Host header that names no host
        return "localhost", default
