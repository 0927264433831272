"""Errors as problem documents (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from pyfunc.errors import RequestError

__all__ = ["problem"]


def problem(error: RequestError) -> web.Response:
    """An error as a problem document (RFC 9457)."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": _phrase(error.status),
        "status": error.status,
        "detail": error.detail.encode(errors="replace").decode(),
    }
    if error.errors:
        document[error.errors_member] = list(error.errors)
    return web.Response(
        status=error.status,
        body=msgspec.json.encode(document),
        headers={**error.headers, "Content-Type": "application/problem+json"},
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
