"""Data between the wire and Python: what a content type makes of some octets, in both directions.

The rule is design by content type, never by luck: JSON types are parsed, text is decoded in its
charset, everything else stays bytes. No web framework and no event is known here.
"""

import math
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from pyfunc.errors import MalformedBodyError, ReplyError

__all__ = ["JSON_TYPE", "Kind", "MediaType", "Payload", "dump_json", "media_type", "parse_json"]

JSON_TYPE = "application/json"

_BOM = b"\xef\xbb\xbf"
# Every digit to "0" and all else to " ": a run of 19 zeros is then found at memory speed.
_DIGITS = bytes(48 if 48 <= octet <= 57 else 32 for octet in range(256))
_LONG_RUN = b"0" * 19

_decode = msgspec.json.Decoder().decode


class Kind(Enum):
    """What a content type says about the data."""

    JSON = "JSON"
    TEXT = "text"
    OCTETS = "octets"
    UNSTATED = "unstated"


class MediaType(NamedTuple):
    """A content type, read once."""

    essence: str
    """Type and subtype in lower case, without parameters; empty where none was given."""
    kind: Kind
    charset: str


@lru_cache(maxsize=256)
def media_type(value: str | None) -> MediaType:
    """Read a `Content-Type` or `datacontenttype` (RFC 9110, section 8.3; case-insensitive)."""
    if not value:
        return MediaType("", Kind.UNSTATED, "utf-8")
    essence, *parameters = (part.strip() for part in value.split(";"))
    essence = essence.lower()
    charset = "utf-8"
    for parameter in parameters:
        name, _, text = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = text.strip().strip('"').lower() or "utf-8"
    return MediaType(essence, _kind(essence), charset)


def _kind(essence: str) -> Kind:
    subtype = essence.rpartition("/")[2]
    # "application/json", "text/json", "+json" (CloudEvents JSON format, section 3.1)
    if subtype == "json" or subtype.endswith("+json"):
        return Kind.JSON
    return Kind.TEXT if essence.startswith("text/") else Kind.OCTETS


class Payload:
    """Octets as they arrived, and how to read them.

    Args:
        octets: The bytes of the data; the JSON text of it where `in_json` is set.
        content_type: What the sender says they are.
        in_json: The octets are a member of a JSON document (structured content mode), so that a
            JSON string in them stands for text.
    """

    __slots__ = ("in_json", "media", "octets")

    def __init__(self, octets: bytes, content_type: str | None, in_json: bool = False) -> None:
        self.octets = octets
        self.media = media_type(content_type)
        self.in_json = in_json

    @property
    def is_json(self) -> bool:
        """Whether the octets themselves are JSON text."""
        return self.media.kind is Kind.JSON

    def value(self) -> Any:
        """The data as Python: parsed JSON, `str` for text, else `bytes`; `None` where empty.

        Raises:
            MalformedBodyError: It is not what the content type says.
        """
        kind = self.media.kind
        if kind is Kind.JSON:
            return parse_json(self.json_text()) if self.octets else None
        if kind is Kind.TEXT:
            return self.text() if self.octets else None
        if kind is Kind.UNSTATED:
            return self._guessed()
        return self.data_octets() or None

    def json_text(self) -> bytes:
        """The octets as UTF-8 JSON text (RFC 8259, section 8.1; a BOM is dropped)."""
        octets = self.octets
        if self.media.charset not in ("utf-8", "utf8", "us-ascii") and not self.in_json:
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
            text = self.octets.decode(self.media.charset)
        except (UnicodeDecodeError, LookupError):
            raise MalformedBodyError(
                f"the body is not {self.media.charset} text, which its Content-Type states"
            ) from None
        return text.removeprefix("\ufeff")

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
    refuse_big_integers(text, value)
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "expected UTF-8"
    return str(error).removeprefix("JSON is malformed: ")


def refuse_big_integers(text: bytes, value: Any) -> None:
    """Refuse integers that other receivers could not hold (RFC 8259, section 6).

    Raises:
        MalformedBodyError: `value`, parsed from `text`, has one.
    """
    if len(text) >= len(_LONG_RUN) and _LONG_RUN in text.translate(_DIGITS) and _has_big(value):
        raise MalformedBodyError("malformed JSON: an integer is beyond 64 bits")


def _has_big(value: Any) -> bool:
    return any(type(leaf) is int and not -(1 << 63) <= leaf < 1 << 64 for leaf in _leaves(value))


def _leaves(value: Any) -> "list[Any]":
    """Every scalar in a tree of lists and dicts, without recursion."""
    pending, leaves = [value], []
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            pending.extend(node.values())
        elif isinstance(node, list | tuple | set | frozenset):
            pending.extend(node)
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
    except RecursionError:
        raise ReplyError("the value is nested too deeply for JSON, or holds itself") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ReplyError(f"the value has no JSON form: {error}") from None
    # msgspec writes NaN and Infinity as null; only then is a second look worth its time.
    if b"null" in text and _has_non_finite(value):
        raise ReplyError("the value has no JSON form: NaN and Infinity are no JSON numbers")
    return text


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
