"""The context attributes of events: which are valid, and their canonical forms.

Source: CloudEvents 1.0.2, sections "Context Attributes" and "Type System", and section 3.1.3 of the
HTTP protocol binding for header values. Faults are collected by the name of the attribute, so that
a sender learns of all of them at once; what was sent is never repeated in them.
"""

import base64
import re
import time as clock
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from os import urandom
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

from pyfunc.cloudevents.data import valid_media
from pyfunc.errors import InvalidEventError, ReplyError

__all__ = [
    "FORMATS",
    "Checked",
    "Faults",
    "are_bare",
    "are_bare_texts",
    "are_complete",
    "are_names",
    "canonical",
    "check",
    "check_formats",
    "check_value",
    "header_text",
    "header_value",
    "invalid",
    "is_bare",
    "is_timestamp",
    "new_id",
    "now",
    "parse_time",
    "tell",
]

Faults = dict[str, str]
"""What is wrong, by the name of the attribute; the first fault of an attribute counts."""

_REQUIRED = ("id", "source", "specversion", "type")
_REQUIRED_NAMES = frozenset(_REQUIRED)
_VERSIONS = frozenset({"1.0", "0.3"})
# Attributes of the specification are strings in JSON; extensions may be numbers and booleans.
_STRINGS = frozenset(
    {*_REQUIRED, "subject", "time", "datacontenttype", "dataschema", "schemaurl"}
    | {"datacontentencoding"}
)
_names_are_good = re.compile(r"[a-z0-9]+", re.ASCII).fullmatch
_NAMEABLE = re.compile(r"[\w.-]{1,40}", re.ASCII).fullmatch
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
).fullmatch
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S*", re.ASCII).fullmatch
# HTTP binding, section 3.1.3.2: U+0021 to U+007E stand for themselves, but for the quote and %.
_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')
_BARE = _SAFE.encode()
is_bare = re.compile(r"[!#$&-~]+", re.ASCII).fullmatch
"""Whether a text is a valid value and stands in a header as it is."""
_LONG = 4096  # characters; servers and proxies take lines of 8 KiB or so
_USUAL = 1024  # characters; nothing longer may stay behind in a cache
_unescape = re.compile(r"\\(.)", re.DOTALL).sub
_TEXT = frozenset({str})
_TOLD = 100  # faults; a batch of a million bad events must not become a book

_MISSING = "missing"
_CONTROL = "expected no control characters, no non-characters and no surrogates"


# --- in -------------------------------------------------------------------------------------------


def header_value(name: str, value: str, faults: Faults) -> str:
    """The value of an attribute in binary mode (HTTP binding, section 3.1.3.2).

    Unquoted, then exactly one round of percent-decoding. A `%` without two hex digits and raw
    UTF-8 stay as they are, since Go's SDK sends both.
    """
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _unescape(r"\1", value[1:-1])
    try:
        text = unquote_to_bytes(value.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        faults.setdefault(name, "expected UTF-8 after percent-decoding")
        return ""
    return check_text(name, text, faults)


def are_bare(values: Collection[Any]) -> bool:
    """Whether each is a text that stands in a header as it is, and of a usual length."""
    return _TEXT.issuperset(map(type, values)) and are_bare_texts(values)


def are_bare_texts(values: Collection[str]) -> bool:
    """Whether each of some texts stands in a header as it is, and is of a usual length.

    Nearly all events are like this, and all values together take one look.
    """
    joined = "".join(values)
    return (
        joined.isascii()
        and not joined.encode().translate(None, _BARE)
        and all(values)
        and len(joined) <= _LONG
    )


def check_text(name: str, text: str, faults: Faults) -> str:
    """Add the fault of a string, if it has one."""
    if not text and name in _STRINGS:
        faults.setdefault(name, "expected a value, found an empty one")
    elif not text.isprintable() and _forbidden().search(text):
        faults.setdefault(name, _CONTROL)
    return text


@lru_cache(maxsize=1)
def _forbidden() -> re.Pattern[str]:
    """Specification, section "Type System": no control characters, no non-characters.

    Compiled when a text may hold one, since it takes longer than all other expressions here.
    """
    planes = (chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    return re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{''.join(planes)}]")


def check_value(name: str, value: Any, faults: Faults) -> Any:
    """Add the fault of a value that came as JSON, if it has one (JSON format, section 2.2)."""
    if type(value) is str:
        return value if is_bare(value) else check_text(name, value, faults)
    if name in _STRINGS:
        faults.setdefault(name, f"expected a string, found {_json_type(value)}")
    elif type(value) is int and not _is_small(value):
        faults.setdefault(name, "expected an integer of at most 32 bits")
    elif type(value) not in (int, bool):
        faults.setdefault(
            name, f"expected a string, an integer or a boolean, found {_json_type(value)}"
        )
    return value


def _is_small(value: int) -> bool:
    """Whether it is an Integer of the type system: 32 bits, signed."""
    return -(1 << 31) <= value < 1 << 31


def _json_type(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")


def check(attributes: Mapping[str, Any], faults: Faults) -> None:
    """Add what is wrong with the attributes together: names, presence, version, formats."""
    if not are_names(attributes):
        _check_names(attributes, faults)
    if not are_complete(attributes):
        for name in _REQUIRED:
            if name not in attributes:
                faults.setdefault(name, _MISSING)
    check_formats(attributes, faults)


def are_names(names: Collection[str]) -> bool:
    """Whether attributes may be called so (specification, "Naming Conventions")."""
    joined = "".join(names)
    are_good = _are_names if len(joined) <= _USUAL else _names_are_good
    return bool(are_good(joined)) and "" not in names and "data" not in names


def are_complete(names: Iterable[str]) -> bool:
    """Whether all attributes are named that an event must have."""
    return _REQUIRED_NAMES.issubset(names)


def check_formats(attributes: Mapping[str, Any], faults: Faults) -> None:
    """Add what is wrong with the values that have a format of their own."""
    for name, is_good, expected in FORMATS:
        if name in attributes and not is_good(attributes[name]):
            faults.setdefault(name, expected)


def _is_version(value: Any) -> bool:
    return value in _VERSIONS


def _is_time(value: Any) -> bool:
    return type(value) is str and len(value) <= _USUAL and is_timestamp(value)


def _is_media_type(value: Any) -> bool:
    return valid_media(value) is not None


def _is_absolute_uri(value: Any) -> bool:
    return _ABSOLUTE_URI(value) is not None


FORMATS: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("specversion", _is_version, "expected 1.0 (or 0.3)"),
    ("time", _is_time, "expected a timestamp such as 2026-01-31T12:00:00Z (RFC 3339)"),
    (
        "datacontenttype",
        _is_media_type,
        "expected a media type such as application/json (RFC 2046)",
    ),
    ("dataschema", _is_absolute_uri, "expected an absolute URI"),
)
"""Attributes whose values have a format: their names, what tells, and what is expected."""


@lru_cache(maxsize=256)  # senders use the same names again and again
def _are_names(joined: str) -> bool:
    return _names_are_good(joined) is not None


def _check_names(attributes: Mapping[str, Any], faults: Faults) -> None:
    for name in attributes:
        if not _names_are_good(name):
            faults[name] = "expected a name of lower-case letters and digits"
        elif name == "data":
            faults[name] = "expected another name"


def tell(faults: Faults) -> list[str]:
    """The faults as sentences; names that say nothing to a reader are left out."""
    return [f"{_shown(name)}: {reason}" for name, reason in faults.items()]


def _shown(name: str) -> str:
    return name if _NAMEABLE(name) else "an attribute"


def invalid(told: list[str]) -> InvalidEventError:
    """The error that tells these faults, the first hundred of them."""
    if len(told) > _TOLD:
        told = [*told[:_TOLD], f"and {len(told) - _TOLD} more"]
    return InvalidEventError("not a valid CloudEvent: " + "; ".join(told), errors=told)


@lru_cache(maxsize=256)  # a reply often has the time of what it answers
def is_timestamp(text: str) -> bool:
    """Whether a text, not too long to be kept, is a time (RFC 3339)."""
    if _TIME(text) is None:
        return False
    try:
        parse_time(text)
    except (ValueError, OverflowError):
        return False
    return True


def parse_time(text: str) -> datetime:
    """RFC 3339; a leap second, which `datetime` cannot hold, is the second after it.

    Raises:
        ValueError, OverflowError: A `datetime` cannot hold it, as with the year 0.
    """
    if text[17:19] == "60":
        return parse_time(f"{text[:17]}59{text[19:]}") + timedelta(seconds=1)
    return datetime.fromisoformat(text.upper())


# --- out ------------------------------------------------------------------------------------------


class Checked(NamedTuple):
    """Attributes of an event that is to be sent, each in its canonical form."""

    attributes: dict[str, Any]
    is_plain: bool
    """Whether every value can be a header without percent-encoding, and is of a usual length."""


def new_id() -> str:
    """A new `id`: a random UUID (RFC 9562, version 4), for a third of the time of `uuid4`.

    Not from `random`: a function that seeds that would give its events the ids of others.
    """
    digits = urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def now() -> str:
    """The current time as a `time` attribute (RFC 3339, UTC)."""
    second, nanoseconds = divmod(clock.time_ns(), 1_000_000_000)
    return f"{_second(second)}.{nanoseconds // 1000:06}Z"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def canonical(attributes: Mapping[str, Any], filled_in: tuple[str, ...] = ()) -> Checked:
    """Attributes of an event that is to be sent.

    A `datetime` becomes RFC 3339 (one without a zone is taken as UTC), `bytes` Base64, a `UUID` and
    an enumeration their text, an integer of more than 32 bits its digits; `None` is unset.

    Args:
        attributes: The attributes as the function left them.
        filled_in: Required attributes that may be missing, since they are filled in later.

    Raises:
        ReplyError: The event would not be valid; all faults are told.
    """
    faults: Faults = {}
    if are_bare(attributes.values()):
        result = Checked(dict(attributes), True)
    else:
        result = _each_canonical(attributes, faults)
    _check_reply(result.attributes, filled_in, faults)
    return result


def _each_canonical(attributes: Mapping[str, Any], faults: Faults) -> Checked:
    checked: dict[str, Any] = {}
    is_plain = True
    for name, value in attributes.items():
        if type(value) is str and is_bare(value):
            is_plain = is_plain and len(value) <= _LONG
        else:
            value = _canonical(name, value, faults)
            if value is None:
                continue
            if type(value) is str and name != "datacontenttype":
                is_plain = is_plain and is_bare(value) is not None
        checked[name] = value
    return Checked(checked, is_plain)


def _check_reply(attributes: dict[str, Any], filled_in: tuple[str, ...], faults: Faults) -> None:
    if _TEXT.issuperset(map(type, attributes)) or all(isinstance(n, str) for n in attributes):
        check(attributes, faults)
    else:
        faults["an attribute"] = "expected a name of type str"
    for name in filled_in:
        if faults.get(name) == _MISSING:
            del faults[name]
    if faults:
        raise ReplyError(str(invalid(tell(faults))))


def _canonical(name: str, value: Any, faults: Faults) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(value, bool | int) and name not in _STRINGS and _is_small(value):
        return value if type(value) is bool else int(value)
    text = _text(value)
    if text is not None:
        return check_text(name, text, faults)
    expected = "expected a string, integer, boolean, datetime or bytes"
    faults.setdefault(str(name), f"{expected}, found {type(value).__name__}")
    return None


def _text(value: Any) -> str | None:
    """The canonical text of a value (specification, section "Type System")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | UUID | int):
        return str(value)
    if isinstance(value, datetime):
        return _timestamp(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    return None


def _timestamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if (moment.utcoffset() or timedelta()).total_seconds() % 60:
        moment = moment.astimezone(UTC)  # RFC 3339 has no seconds in offsets
    return moment.isoformat().replace("+00:00", "Z")


def header_text(value: Any) -> str:
    """A canonical value as a header value (HTTP binding, section 3.1.3.2)."""
    if type(value) is bool:
        return "true" if value else "false"
    return quote(value, safe=_SAFE) if type(value) is str else str(value)
