"""Read and write JSON: text in UTF-8 to plain values, and values of any type to text.

msgspec does nearly all of it. The rare rest, such as texts with half of a surrogate pair, is left
to Python's `json`. Decoding into a type is left to `pyfunc.function.conversion`.
"""

import datetime
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

import msgspec

from pyfunc.errors import MalformedBodyError, ReplyError

__all__ = [
    "check_octets",
    "dump_json",
    "join_json",
    "parse_json",
    "refuse_constant",
    "refuse_deep",
]

# Everything but brackets, to find JSON that is nested deeply.
_NO_BRACKETS = bytes(octet for octet in range(256) if octet not in b"[]{}")
_DEPTH = 256
_USUAL_DEPTH = 16

_decode = msgspec.json.Decoder().decode


# --- in -------------------------------------------------------------------------------------------


def parse_json(text: bytes) -> Any:
    """Parse UTF-8 JSON text; the last of duplicate keys wins, as in Go, JavaScript and `json`.

    Integers of up to 4300 digits are exact. Half of a surrogate pair, such as the end of a text
    that its sender cut within an emoji, stays as it is (RFC 8259, section 8.2).

    Raises:
        MalformedBodyError: It is not JSON, is nested deeper than 256 levels, or has a number that
            Python does not hold.
    """
    try:
        value = _decode(text)
    except RecursionError:
        raise _too_deep() from None
    except UnicodeDecodeError:
        raise MalformedBodyError(_NO_UTF_8) from None
    except msgspec.DecodeError as error:
        value = _parse_rare(text, str(error).removeprefix("JSON is malformed: "))
    if len(text) > 2 * _DEPTH and _may_be_deep(text):
        _refuse_deep(value)
    return value


_NO_UTF_8 = "malformed JSON: expected UTF-8"


def _too_deep() -> MalformedBodyError:
    return MalformedBodyError("the JSON is nested too deeply")


def check_octets(text: bytes) -> None:
    """Refuse octets that are not UTF-8, which msgspec does not look at where it decodes nothing.

    Raises:
        MalformedBodyError: The text is not UTF-8 (RFC 8259, section 8.1).
    """
    if text.isascii():
        return
    try:
        text.decode()
    except UnicodeDecodeError:
        raise MalformedBodyError(_NO_UTF_8) from None


def _parse_rare(text: bytes, reason: str) -> Any:
    """Parse what msgspec refused, for `reason`."""
    check_octets(text)
    try:
        return _decode_rare(text.decode())
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        # msgspec takes half of a surrogate pair for the end of the text.
        is_cut = b"\\u" in text or not isinstance(error, json.JSONDecodeError)
        raise MalformedBodyError(f"malformed JSON: {error if is_cut else reason}") from None


def _number(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise ValueError("a number is out of range")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("an integer has too many digits") from None


def refuse_constant(text: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which `json` takes (RFC 8259, section 6)."""
    raise ValueError(f"{text} is not a JSON number")


_decode_rare = json.JSONDecoder(
    parse_float=_number, parse_int=_whole, parse_constant=refuse_constant
).decode


def refuse_deep(text: bytes, value: Any = ...) -> None:
    """Refuse JSON that is nested deeper than 256 levels (RFC 8259, section 9).

    Args:
        text: JSON text that has been parsed.
        value: The value of the text, where that is plain lists and dicts.

    Raises:
        MalformedBodyError: It is nested too deeply.
    """
    if len(text) > 2 * _DEPTH and _may_be_deep(text):
        if value is ...:
            parse_json(text)
        else:
            _refuse_deep(value)


def _may_be_deep(text: bytes) -> bool:
    """Take off the innermost brackets, as often as usual JSON needs it, and look at the rest."""
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
    raise _too_deep()


def _items(node: Any) -> Iterable[Any]:
    if isinstance(node, Mapping):
        return node.values()
    return node if isinstance(node, list | tuple | set | frozenset) else ()


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


# --- out ------------------------------------------------------------------------------------------


def dump_json(value: Any) -> bytes:
    """`value` as JSON text.

    Dicts, lists, dataclasses, msgspec and attrs objects, pydantic models, dates, enumerations,
    instances of subclasses of those and of `str`, `int`, `float`, `bytes` and `Decimal`, and
    objects with a method that gives plain data: `tolist()` as in NumPy, `to_dict()` as in pandas.

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
    except (TypeError, ValueError, OverflowError):
        return _dump_rare(value)
    raise ReplyError(_NO_NUMBERS)


_NO_NUMBERS = "the value has no JSON form: NaN and Infinity are no JSON numbers"


def _dump_rare(value: Any) -> bytes:
    """Write what msgspec refused: keys and surrogates as Python's `json` writes them."""
    try:
        return _encode_rare(value).encode()
    except RecursionError:
        raise ReplyError("the value is nested too deeply for JSON, or holds itself") from None
    except (TypeError, ValueError, OverflowError) as error:
        if "Out of range float" in str(error):
            raise ReplyError(_NO_NUMBERS) from None
        raise ReplyError(f"the value has no JSON form: {error}") from None


def join_json(document: Any) -> bytes:
    """JSON text of parts that are known to have a form, `msgspec.Raw` among them."""
    return _encode(document)


def _datetime(value: datetime.datetime) -> datetime.datetime:
    return datetime.datetime.combine(_date(value), _time(value.timetz()))


def _date(value: datetime.date) -> datetime.date:
    return datetime.date(value.year, value.month, value.day)


def _time(value: datetime.time) -> datetime.time:
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return datetime.time(*clock, tzinfo=value.tzinfo, fold=value.fold)


# msgspec takes only instances of the classes themselves. A datetime is a date as well.
_BASES: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    ((bytes, bytearray), bytes),
    (Decimal, Decimal),
    (datetime.datetime, _datetime),
    (datetime.date, _date),
    (datetime.time, _time),
    (
        datetime.timedelta,
        lambda value: datetime.timedelta(value.days, value.seconds, value.microseconds),
    ),
    (UUID, lambda value: UUID(int=value.int)),
    (Mapping, dict),
    ((Set, deque, range), list),
)
# Methods that give plain data, of classes that are never imported for this.
_METHODS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("model_dump", {"mode": "json"}),  # pydantic
    ("tolist", {}),  # NumPy's scalars and arrays, pandas' series
    ("to_dict", {}),  # pandas' frames, the models of many API clients
    ("__json__", {}),  # classes that follow TurboGears' protocol
)


_KEYS = {None: "null", True: "true", False: "false"}


def _plain(value: Any) -> Any:
    """A value or key that msgspec does not know, as one that it knows."""
    if value is None or isinstance(value, bool):
        return _KEYS[value]
    for base, convert in _BASES:
        if isinstance(value, base):
            return convert(value)
    for name, arguments in _METHODS:
        method = getattr(type(value), name, None)
        if method is not None:
            return method(value, **arguments)
    raise TypeError(f"an object of type {type(value).__name__}")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def _plain_rare(value: Any) -> Any:
    """A value that `json` does not know, as one that it knows."""
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    names = _field_names(type(value))
    if names is not None:
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        return _plain(value)


def _struct(value: msgspec.Struct) -> dict[str, Any] | list[Any]:
    config = value.__struct_config__
    values = [getattr(value, name) for name in value.__struct_fields__]
    if config.array_like:
        return values if config.tag is None else [config.tag, *values]
    fields = dict(zip(value.__struct_encode_fields__, values, strict=True))
    return fields if config.tag is None else {str(config.tag_field): config.tag, **fields}


def _field_names(cls: Any) -> Iterable[str] | None:
    """The fields of a dataclass or an attrs class; `None` for another class."""
    fields: Iterable[str] | None = getattr(cls, "__dataclass_fields__", None)
    if fields is None and hasattr(cls, "__attrs_attrs__"):
        fields = [attribute.name for attribute in cls.__attrs_attrs__]
    return fields


_encode_rare = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain_rare).encode


def _has_non_finite(value: Any) -> bool:
    plain = msgspec.to_builtins(value, enc_hook=_plain)
    return any(type(leaf) is float and not math.isfinite(leaf) for leaf in _leaves(plain))
