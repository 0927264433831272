"""Data between the wire and Python: what a content type makes of some octets, in both directions.

The rule is design by content type, never by luck: JSON types are parsed, text is decoded in its
charset, everything else stays bytes. No web framework and no event is known here.
"""

import math
import re
from collections.abc import Iterable, Mapping
from encodings import normalize_encoding
from encodings.aliases import aliases
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from pyfunc.errors import MalformedBodyError, ReplyError

__all__ = [
    "JSON_TYPE",
    "OCTETS",
    "Kind",
    "MediaType",
    "Payload",
    "dump_json",
    "join_json",
    "media_type",
    "parse_json",
    "refuse_extremes",
    "valid_media",
]

JSON_TYPE = "application/json"

_BOM = b"\xef\xbb\xbf"
# Every digit to "0" and all else to " ": a run of 19 zeros is then found at memory speed.
_DIGITS = bytes(48 if 48 <= octet <= 57 else 32 for octet in range(256))
_LONG_RUN = b"0" * 19
_SUSPECT = len(_LONG_RUN)  # nothing shorter holds a large integer, or is nested deeply
# Everything but brackets, to find JSON that is nested deeply.
_NO_BRACKETS = bytes(octet for octet in range(256) if octet not in b"[]{}")
_DEPTH = 256
_USUAL_DEPTH = 16

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

_decode = msgspec.json.Decoder().decode


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


OCTETS = MediaType("", Kind.OCTETS, "utf-8", True)
"""Octets of which nothing is known but that they are no JSON."""


@lru_cache(maxsize=256)
def media_type(value: str | None) -> MediaType:
    """Read a `Content-Type` or `datacontenttype` (RFC 9110, section 8.3; case-insensitive)."""
    if not value:
        return MediaType("", Kind.UNSTATED, "utf-8", False)
    essence, *parameters = (part.strip() for part in value.split(";"))
    essence = essence.lower()
    charset = "utf-8"
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = _charset(text.strip().strip('"').lower())
    is_valid = bool(_is_media_type(essence) and _is_header(value))
    return MediaType(essence, _kind(essence), charset, is_valid)


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
        """The octets as UTF-8 JSON text (RFC 8259, section 8.1; a BOM is dropped)."""
        octets = self.octets
        if self.media.charset not in _UTF_8 and not self.in_json:
            octets = self._decoded().encode()
        return octets[3:] if octets[:3] == _BOM else octets

    def data_octets(self) -> bytes:
        """The octets that the data consists of; a JSON string around text is taken off."""
        return self._inner_text().encode() if self.in_json and not self.is_json else self.octets

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
            raise MalformedBodyError(
                f"the body is not {self.media.charset} text, which its Content-Type states"
            ) from None

    def _inner_text(self) -> str:
        text = self.json_text()
        if text.lstrip()[:1] == b'"':
            return str(parse_json(text))
        return self._decoded() if not self.in_json else text.decode()

    def _guessed(self) -> Any:
        """No content type: JSON if it parses, else bytes."""
        if not self.octets:
            return None
        try:
            return parse_json(self.json_text())
        except MalformedBodyError:
            return self.octets


def parse_json(text: bytes) -> Any:
    """Parse UTF-8 JSON text; the last of duplicate keys wins, as in Go, JavaScript and `json`.

    Raises:
        MalformedBodyError: It is not JSON, is nested too deeply, or has an integer beyond 64 bits.
    """
    try:
        value = _decode(text)
    except RecursionError:
        raise MalformedBodyError("the JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"malformed JSON: {_reason(error)}") from None
    if len(text) >= _SUSPECT:
        refuse_extremes(text, value)
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "expected UTF-8"
    return str(error).removeprefix("JSON is malformed: ")


def refuse_extremes(text: bytes, value: Any = ...) -> None:
    """Refuse JSON that functions and other receivers could not hold (RFC 8259, sections 6 and 9).

    Args:
        text: JSON text that has been parsed.
        value: What was parsed from it, where that is plain lists and dicts.

    Raises:
        MalformedBodyError: It has an integer beyond 64 bits, or is nested deeper than 256.
    """
    if len(text) >= _SUSPECT and _LONG_RUN in text.translate(_DIGITS):
        _refuse_big(_decode(text) if value is ... else value)
    if len(text) > 2 * _DEPTH and _may_be_deep(text):
        _refuse_deep(_decode(text) if value is ... else value)


def _may_be_deep(text: bytes) -> bool:
    """Take off the innermost brackets, as often as usual JSON needs it, and see what is left."""
    brackets = text.translate(None, _NO_BRACKETS)
    for taken in range(_USUAL_DEPTH):
        if len(brackets) <= 2 * (_DEPTH - taken):
            return False
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    return True


def _refuse_deep(value: Any) -> None:
    level = [value]
    for _ in range(_DEPTH + 1):
        level = [item for node in level for item in _items(node)]
        if not level:
            return
    raise MalformedBodyError("the JSON is nested too deeply")


def _items(node: Any) -> Iterable[Any]:
    if isinstance(node, Mapping):
        return node.values()
    return node if isinstance(node, list | tuple | set | frozenset) else ()


def _refuse_big(value: Any) -> None:
    if any(type(leaf) is int and not -(1 << 63) <= leaf < 1 << 64 for leaf in _leaves(value)):
        raise MalformedBodyError("malformed JSON: an integer is beyond 64 bits")


def _leaves(value: Any) -> list[Any]:
    """Every scalar in a tree of lists and dicts, without recursion."""
    pending, leaves = [value], []
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping | list | tuple | set | frozenset):
            pending.extend(_items(node))
        else:
            leaves.append(node)
    return leaves


def dump_json(value: Any) -> bytes:
    """`value` as JSON text: dicts, lists, dataclasses, msgspec and attrs objects, pydantic models.

    Raises:
        ReplyError: JSON has no form for it (NaN, Infinity, an object of another kind, a cycle).
    """
    try:
        text = _encode(value)
        # msgspec writes NaN and Infinity as null; only then is a second look worth its time.
        if b"null" not in text or not _has_non_finite(value):
            return text
    except RecursionError:
        raise ReplyError("the value is nested too deeply for JSON, or holds itself") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ReplyError(f"the value has no JSON form: {error}") from None
    raise ReplyError("the value has no JSON form: NaN and Infinity are no JSON numbers")


def join_json(document: Any) -> bytes:
    """JSON text of parts that are known to have a form, `msgspec.Raw` among them."""
    return _encode(document)


def _other_objects(value: Any) -> Any:
    """Objects that msgspec does not know: whatever turns itself into plain data."""
    dump = getattr(value, "model_dump", None)  # pydantic, never imported for this
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an object of type {type(value).__name__}")


_encode = msgspec.json.Encoder(enc_hook=_other_objects).encode


def _has_non_finite(value: Any) -> bool:
    plain = msgspec.to_builtins(value, enc_hook=_other_objects)
    return any(type(leaf) is float and not math.isfinite(leaf) for leaf in _leaves(plain))
