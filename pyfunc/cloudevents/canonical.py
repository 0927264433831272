"""Attributes of events to be sent: new ids and times, and the canonical forms of values.

Source: CloudEvents 1.0.2, section "Type System". Headers are for `http_binding`.
"""

import base64
import time as clock
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from os import urandom
from typing import Any, NamedTuple
from uuid import UUID

from pyfunc.cloudevents.attributes import (
    LONGEST_VALUE,
    MISSING,
    STRINGS,
    Faults,
    are_verbatim,
    check,
    check_text,
    invalid_event,
    is_small,
    is_verbatim,
    sentences,
)
from pyfunc.errors import ReplyError

__all__ = ["Checked", "canonicalize", "new_id", "now"]

_TEXT = frozenset({str})


class Checked(NamedTuple):
    """Attributes of an event that is to be sent, each in its canonical form."""

    attributes: dict[str, Any]
    fits_headers: bool
    """Every value can be a header without percent-encoding, and is not too long for one."""


def new_id() -> str:
    """Make a new `id`: a random UUID (RFC 9562, version 4), in a third of the time of `uuid4`.

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


def canonicalize(attributes: Mapping[str, Any], filled_in: tuple[str, ...] = ()) -> Checked:
    """Bring the attributes of an event to be sent into their canonical form.

    A `datetime` becomes RFC 3339 (one without a zone is taken as UTC), `bytes` Base64, a `UUID` and
    an enumeration their text, an integer of more than 32 bits its digits; `None` is unset.

    Args:
        attributes: The attributes as the function set them.
        filled_in: Required attributes that may be missing, since they are filled in later.

    Raises:
        ReplyError: The event would not be valid; it lists all faults.
    """
    faults: Faults = {}
    if are_verbatim(attributes.values()):
        result = Checked(dict(attributes), True)
    else:
        result = _each_canonical(attributes, faults)
    _check_reply(result.attributes, filled_in, faults)
    return result


def _each_canonical(attributes: Mapping[str, Any], faults: Faults) -> Checked:
    checked: dict[str, Any] = {}
    fits_headers = True
    for name, value in attributes.items():
        if type(value) is str and is_verbatim(value):
            fits_headers = fits_headers and len(value) <= LONGEST_VALUE
        else:
            value = _canonical(name, value, faults)
            if value is None:
                continue
            if type(value) is str and name != "datacontenttype":
                fits_headers = fits_headers and is_verbatim(value) is not None
        checked[name] = value
    return Checked(checked, fits_headers)


def _check_reply(attributes: dict[str, Any], filled_in: tuple[str, ...], faults: Faults) -> None:
    if _TEXT.issuperset(map(type, attributes)) or all(isinstance(n, str) for n in attributes):
        check(attributes, faults)
    else:
        faults["an attribute"] = "expected a name of type str"
    for name in filled_in:
        if faults.get(name) == MISSING:
            del faults[name]
    if faults:
        raise ReplyError(str(invalid_event(sentences(faults))))


def _canonical(name: str, value: Any, faults: Faults) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return None
    if isinstance(value, bool | int) and name not in STRINGS and is_small(value):
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
