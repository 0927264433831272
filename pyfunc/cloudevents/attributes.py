"""Validation of context attributes: names, values, presence and formats.

Source: CloudEvents 1.0.2, sections "Context Attributes" and "Type System". Faults are collected by
the name of the attribute, so that a sender gets all of them at once; they never repeat its values.
Headers are for `http_binding`, the attributes of events to be sent for `canonical`.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pyfunc.cloudevents.data import valid_media
from pyfunc.errors import InvalidEventError

__all__ = [
    "FORMATS",
    "LONGEST_VALUE",
    "MISSING",
    "STRINGS",
    "UNESCAPED",
    "Faults",
    "are_complete",
    "are_names",
    "are_verbatim",
    "check",
    "check_text",
    "check_value",
    "invalid_event",
    "is_small",
    "is_timestamp",
    "is_verbatim",
    "parse_time",
    "sentences",
]

Faults = dict[str, str]
"""The faults by the name of the attribute; the first fault of an attribute counts."""

_REQUIRED = ("id", "source", "specversion", "type")
_REQUIRED_NAMES = frozenset(_REQUIRED)
_VERSIONS = frozenset({"1.0", "0.3"})
# Attributes of the specification are strings in JSON; extensions may be numbers and booleans.
STRINGS = frozenset(
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
_USUAL = 1024  # characters; nothing longer may stay behind in a cache
_REPORTED = 100  # faults; a batch of a million bad events must not become a book

# HTTP binding, section 3.1.3.2: U+0021 to U+007E stand for themselves, but for the quote and %.
UNESCAPED = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')
_VERBATIM = UNESCAPED.encode()
is_verbatim = re.compile(r"[!#$&-~]+", re.ASCII).fullmatch
"""Match a text that is a valid value, and is the same in a header, without percent-encoding."""
LONGEST_VALUE = 4096
"""Characters in a header; servers and proxies take lines of about 8 KiB."""
_TEXT = frozenset({str})

MISSING = "missing"
"""The fault of a required attribute that is not there."""
_CONTROL = "expected no control characters, no non-characters and no surrogates"


def are_verbatim(values: Collection[Any]) -> bool:
    """Check with `is_verbatim` all values at once, of any type; long values fail.

    Nearly all events pass, and one look at their joined values replaces one look at each.
    """
    if not _TEXT.issuperset(map(type, values)):
        return False
    joined = "".join(values)
    return (
        joined.isascii()
        and not joined.encode().translate(None, _VERBATIM)
        and all(values)
        and len(joined) <= LONGEST_VALUE
    )


def check_text(name: str, text: str, faults: Faults) -> str:
    """Add the fault of a string, if it has one."""
    if not text and name in STRINGS:
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
        return value if is_verbatim(value) else check_text(name, value, faults)
    if name in STRINGS:
        faults.setdefault(name, f"expected a string, found {_json_type(value)}")
    elif type(value) is int and not is_small(value):
        faults.setdefault(name, "expected an integer of at most 32 bits")
    elif type(value) not in (int, bool):
        faults.setdefault(
            name, f"expected a string, an integer or a boolean, found {_json_type(value)}"
        )
    return value


def is_small(value: int) -> bool:
    """Check for an Integer of the type system: 32 bits, signed."""
    return -(1 << 31) <= value < 1 << 31


def _json_type(value: Any) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")


def check(attributes: Mapping[str, Any], faults: Faults) -> None:
    """Add the faults of all attributes together: names, presence, version, formats."""
    if not are_names(attributes):
        _check_names(attributes, faults)
    if not are_complete(attributes):
        for name in _REQUIRED:
            if name not in attributes:
                faults.setdefault(name, MISSING)
    for name, is_good, expected in FORMATS:
        if name in attributes and not is_good(attributes[name]):
            faults.setdefault(name, expected)


def are_names(names: Collection[str]) -> bool:
    """Check the names of attributes (specification, "Naming Conventions")."""
    joined = "".join(names)
    are_good = _are_names if len(joined) <= _USUAL else _names_are_good
    return bool(are_good(joined)) and "" not in names and "data" not in names


def are_complete(names: Iterable[str]) -> bool:
    """Check that no required attribute is missing."""
    return _REQUIRED_NAMES.issubset(names)


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
"""Attributes whose values have a format: the name, the check, and the fault."""


@lru_cache(maxsize=256)  # senders use the same names again and again
def _are_names(joined: str) -> bool:
    return _names_are_good(joined) is not None


def _check_names(attributes: Mapping[str, Any], faults: Faults) -> None:
    for name in attributes:
        if not _names_are_good(name):
            faults[name] = "expected a name of lower-case letters and digits"
        elif name == "data":
            faults[name] = "expected another name"


def sentences(faults: Faults) -> list[str]:
    """Format the faults for people; unprintable and very long names are left out."""
    return [f"{_shown(name)}: {reason}" for name, reason in faults.items()]


def _shown(name: str) -> str:
    return name if _NAMEABLE(name) else "an attribute"


def invalid_event(faults: list[str]) -> InvalidEventError:
    """Make the error that lists these faults, the first hundred of them."""
    if len(faults) > _REPORTED:
        faults = [*faults[:_REPORTED], "and more"]
    return InvalidEventError("not a valid CloudEvent: " + "; ".join(faults), errors=faults)


@lru_cache(maxsize=256)  # a reply often has the time of what it answers
def is_timestamp(text: str) -> bool:
    """Check for an RFC 3339 timestamp, in a text short enough for a cache."""
    if _TIME(text) is None:
        return False
    try:
        parse_time(text)
    except (ValueError, OverflowError):
        return False
    return True


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 timestamp; a leap second, which `datetime` lacks, becomes the next second.

    Raises:
        ValueError, OverflowError: A `datetime` cannot hold it, as with the year 0.
    """
    if text[17:19] == "60":
        return parse_time(f"{text[:17]}59{text[19:]}") + timedelta(seconds=1)
    return datetime.fromisoformat(text.upper())
