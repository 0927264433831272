"""Parse single headers of a request: parameters, cookies, credentials, preferences.

Names are Werkzeug's, which functions written for Flask rely on. Every parser takes the text of a
header; finding it in a request is left to `view`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

import msgspec

__all__ = [
    "Accept",
    "Authorization",
    "UserAgent",
    "parse_accept",
    "parse_authorization",
    "parse_cookies",
    "parse_date",
    "parse_options",
]

_HTML = ("text/html", "application/xhtml+xml", "application/xml")


# Senders use fewer by far; what comes after these is left out.
_MOST_PARAMETERS = 100
_MOST_ITEMS = 500
_LONGEST_DATE = 64  # characters

# RFC 8187, section 3.2.1: senders use UTF-8; RFC 5987, which it replaces, had this other one too.
_EXTENDED_CHARSETS = frozenset({"utf-8", "iso-8859-1"})


# The expressions are compiled when they are first used: most functions have no use for any. Their
# quantifiers are possessive, so that a hostile header takes no longer to refuse than to read.


@lru_cache(maxsize=1)
def _cookie() -> re.Pattern[str]:
    """One cookie: a name and perhaps a value, which may be quoted (RFC 6265, section 4.1.1)."""
    return re.compile(
        r"""
        \s*+ ([^=;"\s]++) \s*+
        (?: = \s*+ ( "(?:[^\\"]|\\.)*+" | [^;"\s]*+ ) \s*+ )?
        (?: ; | $ )
        """,
        re.ASCII | re.VERBOSE,
    )


@lru_cache(maxsize=1)
def _parameter() -> re.Pattern[str]:
    """One parameter, whose value may be quoted, or missing (RFC 9110, section 5.6.6).

    A quoted value that does not end takes all that follows.
    """
    return re.compile(
        r"""
        ; \s*+ ([^\s;="]++) \s*+
        (?: = \s*+ ( "(?:[^\\"]|\\.)*+"?+ | [^;]*+ ) )?
        """,
        re.ASCII | re.DOTALL | re.VERBOSE,
    )


@lru_cache(maxsize=1)
def _item() -> re.Pattern[str]:
    """One item of a list (RFC 9110, section 5.6.1); commas in quoted strings do not end it."""
    return re.compile(r'(?:[^,"]|"(?:[^\\"]|\\.)*+"?+)++', re.DOTALL)


def parse_options(header: str | None) -> tuple[str, dict[str, str]]:
    """Split a header such as `Content-Type` into its value in lower case and its parameters.

    Parameters as RFC 8187 has them (`filename*=utf-8''...`) are decoded, and take precedence; one
    that cannot be decoded is left out. The last of parameters with the same name counts. No header
    raises an error, and all take linear time.
    """
    if not header:
        return "", {}
    if not header.isascii():
        header = header.encode(
            "utf-8", "replace"
        ).decode()  # octets that are no text are surrogates
    value, semicolon, _ = header.partition(";")
    if not semicolon:
        return value.strip().lower(), {}
    plain: dict[str, str] = {}
    extended: dict[str, str] = {}
    for match in islice(_parameter().finditer(header, len(value)), _MOST_PARAMETERS):
        name, text = match[1].lower(), _unquoted((match[2] or "").rstrip())
        if not name.endswith("*"):
            plain[name] = text
        elif (decoded := _extended_value(text)) is not None:
            extended[name[:-1]] = decoded
    return value.strip().lower(), plain | extended


def _unquoted(text: str) -> str:
    """The content of a quoted string (RFC 9110, section 5.6.4); any other text as it is."""
    if not text.startswith('"'):
        return text
    content = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
    return re.sub(r"(?s)\\(.)", r"\1", content) if "\\" in content else content


def _extended_value(text: str) -> str | None:
    """`utf-8'en'%E2%82%AC` as text (RFC 8187, section 3.2); `None` where it is malformed."""
    charset, _, rest = text.partition("'")
    _, quote, encoded = rest.partition("'")
    if not quote or charset.lower() not in _EXTENDED_CHARSETS:
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        return None


def _items(header: str) -> Iterator[str]:
    """The items of a list, without the empty ones."""
    items = (match[0].strip() for match in islice(_item().finditer(header), _MOST_ITEMS))
    return (item for item in items if item)


def parse_date(header: str | None) -> datetime | None:
    """Read a date (RFC 9110, section 5.6.7); `None` where there is none, or no date."""
    if header is None or len(header) > _LONGEST_DATE:
        return None
    try:
        return parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


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
    pairs = (item.partition("=") for item in _items(text) if "=" in item)
    return MappingProxyType({name.strip(): _unquoted(value.strip()) for name, _, value in pairs})


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
    items = (_accepted(item) for item in _items(header or ""))
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
