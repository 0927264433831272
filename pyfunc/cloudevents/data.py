"""Read received data by its content type.

JSON types are parsed, text is decoded in its charset, everything else stays bytes. JSON itself is
left to `json_text`, events to `event`.
"""

import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from pyfunc.cloudevents.json_text import check_octets, parse_json
from pyfunc.errors import MalformedBodyError

__all__ = [
    "JSON_TYPE",
    "OCTETS",
    "Kind",
    "MediaType",
    "Payload",
    "media_type",
    "valid_media",
]

JSON_TYPE = "application/json"

_BOM = b"\xef\xbb\xbf"

# A token, and two of them around a slash (RFC 9110, sections 5.6.2 and 8.3.1).
_is_media_type = re.compile(r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+", re.ASCII).fullmatch
_is_header = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII).fullmatch
# Looked up here and not in `codecs`, which imports and remembers whatever a caller names. Python
# calls some transformations charsets too; decoding those is slow, or no text.
_NO_CHARSETS = ("punycode", "idna", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs")
_CHARSETS = (frozenset(aliases) | frozenset(aliases.values()) | {"cp874", "koi8_u"}) - {
    *_NO_CHARSETS,
    *(alias for alias, name in aliases.items() if name in _NO_CHARSETS),
}
_UTF_8 = ("utf-8", "utf8", "us-ascii")


class Kind(Enum):
    """What a content type says about the data."""

    JSON = "JSON"
    TEXT = "text"
    OCTETS = "octets"
    UNSTATED = "unstated"


_JSON = Kind.JSON


class MediaType(msgspec.Struct, frozen=True):
    """A content type, read once."""

    essence: str
    """Type and subtype in lower case, without parameters; empty where none was given."""
    kind: Kind
    charset: str
    """UTF-8 where none was given; empty where it is no charset that is known."""
    is_valid: bool
    """Whether it is a media type, and can be a header (RFC 2046; RFC 9110, section 8.3.1)."""
    states_charset: bool = False


OCTETS = MediaType("", Kind.OCTETS, "utf-8", True)
"""Octets of which nothing is known but that they are no JSON."""


@lru_cache(maxsize=256)
def media_type(value: str | None) -> MediaType:
    """Read a `Content-Type` or `datacontenttype` (RFC 9110, section 8.3; case-insensitive)."""
    if not value:
        return MediaType("", Kind.UNSTATED, "utf-8", False)
    essence, *parameters = (part.strip() for part in value.split(";"))
    essence = essence.lower()
    charset = None
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = _charset(text.strip().strip('"').lower())
    is_valid = bool(_is_media_type(essence) and _is_header(value))
    stated = "utf-8" if charset is None else charset
    return MediaType(essence, _kind(essence), stated, is_valid, charset is not None)


def valid_media(content_type: Any) -> MediaType | None:
    """What a content type says, if it is one, and of a usual length."""
    if type(content_type) is not str or len(content_type) > _USUAL:
        return None
    media = media_type(content_type)
    return media if media.is_valid else None


_USUAL = 1024  # characters; nothing longer may stay behind in a cache


def _charset(name: str) -> str:
    return name if normalize_encoding(name).lower() in _CHARSETS else ""


def _kind(essence: str) -> Kind:
    subtype = essence.rpartition("/")[2]
    # "application/json", "text/json", "+json" (CloudEvents JSON format, section 3.1)
    if subtype == "json" or subtype.endswith("+json"):
        return Kind.JSON
    return Kind.TEXT if essence.startswith("text/") else Kind.OCTETS


class Payload(msgspec.Struct, frozen=True):  # which is made in half the time of other classes
    """Octets as they arrived, and how to read them."""

    octets: bytes
    """The bytes of the data; the JSON text of it where `in_json` is set."""
    media: MediaType
    """What the sender says they are."""
    in_json: bool = False
    """Whether the octets are a member of a JSON document (structured content mode), so that a JSON
    string in them stands for text."""

    @property
    def is_json(self) -> bool:
        """Whether the octets themselves are JSON text."""
        return self.media.kind is Kind.JSON

    def value(self) -> Any:
        """The data as Python: parsed JSON, `str` for text, else `bytes`; `None` where empty.

        Raises:
            MalformedBodyError: It is not what the content type says.
        """
        kind, octets = self.media.kind, self.octets
        if kind is _JSON:
            is_usual = self.media.charset == "utf-8" and octets[:1] != _BOM[:1]
            return parse_json(octets if is_usual else self.json_text()) if octets else None
        if self.in_json and self.octets == b"null":
            return None
        if kind is Kind.TEXT:
            return self.text() if self.octets else None
        if kind is Kind.UNSTATED:
            return self._guessed()
        return self.data_octets() or None

    def json_text(self) -> bytes:
        """The octets as UTF-8 JSON text (RFC 8259, section 8.1; a BOM is dropped).

        Raises:
            MalformedBodyError: The octets are not text of the stated charset.
        """
        octets = self.octets
        if self.media.charset not in _UTF_8 and not self.in_json:
            octets = _utf_8(self._decoded())
        return octets[3:] if octets[:3] == _BOM else octets

    def data_octets(self) -> bytes:
        """The octets that the data consists of; a JSON string around text is taken off.

        Raises:
            MalformedBodyError: The JSON string has no octets, since it holds surrogates.
        """
        return _utf_8(self._inner_text()) if self.in_json and not self.is_json else self.octets

    def text(self) -> str:
        """The data as text in its charset; of JSON the text, of a JSON string its content.

        Raises:
            MalformedBodyError: The octets are not text of that charset.
        """
        if self.in_json or self.is_json:
            return self._inner_text()
        return self._decoded()

    def _decoded(self) -> str:
        try:
            return self.octets.decode(self.media.charset)
        except LookupError:
            raise MalformedBodyError(
                "the charset that the Content-Type states is not known"
            ) from None
        except ValueError:
            raise MalformedBodyError(self._not_text()) from None

    def _not_text(self) -> str:
        if self.media.states_charset:
            return f"the body is not {self.media.charset} text, which its Content-Type states"
        return "the body is not UTF-8 text, which is assumed where no charset is stated"

    def _inner_text(self) -> str:
        text = self.json_text()
        if text.lstrip()[:1] == b'"':
            return str(parse_json(text))
        return self._decoded() if not self.in_json else _text(text)

    def _guessed(self) -> Any:
        """No content type: JSON if it parses, else bytes."""
        if not self.octets:
            return None
        try:
            return parse_json(self.json_text())
        except MalformedBodyError:
            return self.octets


def _text(octets: bytes) -> str:
    check_octets(octets)
    return octets.decode()


def _utf_8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise MalformedBodyError(
            "the text holds half of a surrogate pair, which UTF-8 cannot express"
        ) from None
