"""Parse single headers of a request: parameters, cookies, credentials, preferences.

Names are Werkzeug's, which functions written for Flask rely on. Every parser takes the text of a
header; finding it in a request is left to `view`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from email.utils import collapse_rfc2231_value
from functools import lru_cache
from types import MappingProxyType
from urllib.request import parse_http_list, parse_keqv_list

import msgspec

__all__ = [
    "Accept",
    "Authorization",
    "UserAgent",
    "parse_accept",
    "parse_authorization",
    "parse_cookies",
    "parse_options",
]

_HTML = ("text/html", "application/xhtml+xml", "application/xml")


# The expressions are compiled when they are first used: most functions have no use for any.


@lru_cache(maxsize=1)
def _cookie() -> re.Pattern[str]:
    """One cookie: a name and perhaps a value, which may be quoted (RFC 6265, section 4.1.1).

    Possessive, so that a hostile header takes no longer to refuse than to read.
    """
    return re.compile(
        r"""
        \s*+ ([^=;"\s]++) \s*+
        (?: = \s*+ ( "(?:[^\\"]|\\.)*+" | [^;"\s]*+ ) \s*+ )?
        (?: ; | $ )
        """,
        re.ASCII | re.VERBOSE,
    )


def parse_options(header: str | None) -> tuple[str, dict[str, str]]:
    """Split a header such as `Content-Type` into its value in lower case and its parameters.

    Parameters written as RFC 2231 and RFC 5987 have it (`filename*=utf-8''...`) are decoded.
    """
    if not header:
        return "", {}
    if ";" not in header:
        return header.strip().lower(), {}
    message = Message()
    # Bytes that are no text arrive as surrogates, which `email` takes for something else.
    message["x"] = header.encode("utf-8", "replace").decode()
    (value, _), *options = message.get_params(failobj=[("", "")], header="x")
    return value.strip().lower(), {
        name.lower(): collapse_rfc2231_value(option) for name, option in options if name
    }


def parse_cookies(header: str) -> list[tuple[str, str]]:
    """Read a `Cookie` header into names and values, in their order, without what is no cookie."""
    cookies: list[tuple[str, str]] = []
    position = 0
    match_cookie = _cookie().match
    while position < len(header):
        match = match_cookie(header, position)
        if match is None:
            position = header.find(";", position) + 1 or len(header)
        else:
            cookies.append((match[1], _cookie_value(match[2] or "")))
            position = match.end()
    return cookies


def _cookie_value(text: str) -> str:
    """Python's servers write other characters than ASCII as octal escapes between quotes."""
    if not text.startswith('"'):
        return text
    escaped = text[1:-1].encode("utf-8", "replace")
    return re.sub(rb"(?s)\\([0-3][0-7]{2}|.)", _unescape, escaped).decode(errors="replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    return escaped if len(escaped) == 1 else bytes([int(escaped, 8)])


class Authorization(msgspec.Struct, frozen=True):
    """Credentials of an `Authorization` header (RFC 9110, section 11.6.2).

    Attributes:
        type: The scheme in lower case, such as `basic` or `bearer`.
        parameters: The parameters of schemes such as Digest; `username` and `password` of Basic.
        token: The token of schemes such as Bearer.
    """

    type: str
    parameters: Mapping[str, str]
    token: str | None = None

    def __repr__(self) -> str:
        return f"Authorization(type={self.type!r})"  # the rest is secret, and logs show this

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("type", self.type)]

    @property
    def username(self) -> str | None:
        """The user name of Basic or Digest credentials."""
        return self.parameters.get("username")

    @property
    def password(self) -> str | None:
        """The password of Basic credentials."""
        return self.parameters.get("password")

    def get(self, name: str, default: str | None = None) -> str | None:
        """A parameter of the scheme."""
        return self.parameters.get(name, default)

    def __getitem__(self, name: str) -> str | None:
        return self.parameters.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.parameters


def parse_authorization(header: str | None) -> Authorization | None:
    """Read credentials; `None` where there are none, or malformed ones."""
    scheme, _, rest = (header or "").partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if not scheme:
        return None
    if scheme == "basic":
        return _basic(rest)
    if "=" in rest.rstrip("="):
        return Authorization(scheme, _parameters(rest))
    return Authorization(scheme, MappingProxyType({}), rest)


def _basic(encoded: str) -> Authorization | None:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    username, _, password = text.partition(":")
    return Authorization("basic", MappingProxyType({"username": username, "password": password}))


def _parameters(text: str) -> Mapping[str, str]:
    pairs = [item for item in parse_http_list(text) if "=" in item]
    return MappingProxyType(parse_keqv_list(pairs))


class Accept(tuple[tuple[str, float], ...]):
    """The media types that a caller accepts, each with its quality from 0 to 1.

    They are in the order in which they are tried: the most specific first, then the best.
    """

    __slots__ = ()

    def quality(self, mimetype: str) -> float:
        """The quality of a media type for the caller; 0 means not acceptable."""
        match = self._match(mimetype)
        return match[1] if match else 0

    def best_match(self, matches: Iterable[str], default: str | None = None) -> str | None:
        """The media type with the highest quality, the first of equals."""
        best, best_rank = default, (0.0, (False, False))
        for mimetype in matches:
            match = self._match(mimetype)
            rank = (match[1], _specificity(match[0])) if match else best_rank
            if rank[0] > 0 and rank > best_rank:
                best, best_rank = mimetype, rank
        return best

    @property
    def best(self) -> str | None:
        """The first of them."""
        return self[0][0] if self else None

    @property
    def accept_json(self) -> bool:
        """Whether the caller names JSON, or everything."""
        return self._match("application/json") is not None

    @property
    def accept_html(self) -> bool:
        """Whether the caller names HTML or XHTML, or everything."""
        return any(self._match(kind) for kind in _HTML)

    def values(self) -> Iterator[str]:
        """The media types without their qualities."""
        return (mimetype for mimetype, _ in self)

    def _match(self, mimetype: str) -> tuple[str, float] | None:
        return next((item for item in self if _covers(item[0], mimetype.lower())), None)

    def __contains__(self, mimetype: object) -> bool:
        return isinstance(mimetype, str) and self._match(mimetype) is not None

    def __str__(self) -> str:
        return ",".join(kind if q == 1 else f"{kind};q={q:g}" for kind, q in self)


def parse_accept(header: str | None) -> Accept:
    """Read an `Accept` header (RFC 9110, section 12.5.1), without items of no valid quality."""
    items = (_accepted(item) for item in parse_http_list(header or ""))
    return Accept(sorted((item for item in items if item), key=_preference))


def _accepted(text: str) -> tuple[str, float] | None:
    mimetype, options = parse_options(text)
    quality = options.pop("q", "1").strip()
    if not re.fullmatch(r"(?a)0(\.\d*)?|1(\.0*)?", quality):
        return None
    parameters = (f"{name}={value}" for name, value in options.items())
    return "; ".join([mimetype, *parameters]), float(quality)


def _preference(item: tuple[str, float]) -> tuple[bool, bool, float]:
    kind, subtype = _specificity(item[0])
    return not kind, not subtype, -item[1]


def _specificity(mimetype: str) -> tuple[bool, bool]:
    kind, _, subtype = mimetype.partition("/")
    return kind != "*", subtype != "*"


def _covers(accepted: str, mimetype: str) -> bool:
    kind, _, subtype = accepted.lower().partition("/")
    return kind == "*" or (
        mimetype.startswith(f"{kind}/") and subtype in ("*", mimetype.partition("/")[2])
    )


class UserAgent(str):
    """The `User-Agent` header: a `str` that also has it as `string`, as Werkzeug's class does."""

    __slots__ = ()

    @property
    def string(self) -> str:
        """The header's text."""
        return str(self)
