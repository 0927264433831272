"""Errors as problem documents (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from pyfunc.errors import RequestError

__all__ = ["problem"]


def problem(error: RequestError) -> web.Response:
    """An error as a problem document (RFC 9457)."""
    phrase = _phrase(error.status)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": phrase,
        "status": error.status,
        "detail": error.detail.encode(errors="replace").decode(),
    }
    if error.errors:
        document[error.errors_member] = list(error.errors)
    return web.Response(
        status=error.status,
        reason=phrase,
        body=msgspec.json.encode(document),
        headers={**error.headers, "Content-Type": "application/problem+json"},
    )


# As RFC 9110 has them; Python before 3.13 has the older names.
_PHRASES: Mapping[int, str] = {413: "Content Too Large", 422: "Unprocessable Content"}


def _phrase(status: int) -> str:
    try:
        return _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"
