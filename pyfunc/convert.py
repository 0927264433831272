"""Into what: raw values to the type that a parameter is annotated with.

msgspec does the work for dataclasses, TypedDicts, Structs, attrs classes, enumerations, dates and
unions of those; a pydantic model, wherever it stands in a type, validates itself.
"""

from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from pyfunc.errors import DataError, MalformedBodyError
from pyfunc.payload import Kind, Payload, parse_json, refuse_extremes

__all__ = ["UnsupportedTypeError", "from_payload", "from_strings", "type_name"]

FromPayload = Callable[[Payload | None], Any]


class UnsupportedTypeError(TypeError):
    """An annotation that no value off the wire can be converted to."""


def type_name(annotation: Any) -> str:
    """An annotation as its author wrote it, more or less."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


def from_payload(name: str, annotation: Any, default: Any = ...) -> FromPayload | None:
    """How a payload becomes `annotation`; `None` where it is taken as it comes.

    Args:
        name: The parameter's name, for messages.
        annotation: An evaluated annotation.
        default: Given where there is no data; `...` for no default.

    Raises:
        UnsupportedTypeError: Nothing can be converted to that type.
    """
    wanted, optional = _without_none(annotation)
    try:
        hash(wanted)
    except TypeError:
        raise UnsupportedTypeError("it is a value, not a type") from None
    if wanted in _AS_IT_COMES:
        return None
    read = _SIMPLE.get(wanted) or _typed(wanted)
    absent = default if default is not ... else None
    may_be_absent = optional or default is not ...

    def convert(payload: Payload | None) -> Any:
        if payload is None or not payload.octets:
            if may_be_absent:
                return absent
            if wanted in _SIMPLE:
                return wanted()
            raise DataError(f"{name}: expected {type_name(wanted)}, found nothing")
        if optional and payload.octets == b"null":
            return None
        try:
            return read(payload)
        except msgspec.ValidationError as error:
            raise _misfit(name, error) from None

    return convert


def from_strings(name: str, annotation: Any) -> Callable[[Any], Any]:
    """How a multi-dict of strings, such as a query, becomes `annotation`.

    Numbers and booleans are read from their text; a field that is a list takes every value of its
    key.

    Raises:
        UnsupportedTypeError: Nothing can be converted to that type.
    """
    _refuse_unknown(annotation)
    lists = _list_fields(annotation)

    def convert(values: Any) -> Any:
        plain = {key: values.getall(key) if key in lists else values[key] for key in values}
        try:
            return msgspec.convert(plain, annotation, strict=False, dec_hook=_validate)
        except msgspec.ValidationError as error:
            raise _misfit(name, error) from None

    return convert


# `from_strings` needs to know which fields want more than one value.
def _list_fields(annotation: Any) -> frozenset[str]:
    hints = get_type_hints(annotation) if isinstance(annotation, type) else {}
    return frozenset(
        key
        for key, hint in hints.items()
        if get_origin(_without_none(hint)[0]) in (list, set, frozenset, tuple)
    )


_AS_IT_COMES = (Any, object, None)
_SIMPLE: Mapping[Any, Callable[[Payload], Any]] = {
    bytes: Payload.data_octets,
    str: Payload.text,
    bytearray: lambda payload: bytearray(payload.data_octets()),
}


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    members = get_args(annotation)
    rest = [member for member in members if member is not NoneType]
    if len(rest) == len(members):
        return annotation, False
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), True  # noqa: UP007


def _typed(wanted: Any) -> Callable[[Payload], Any]:
    _refuse_unknown(wanted)
    decode = msgspec.json.Decoder(wanted, dec_hook=_validate).decode

    def from_json(payload: Payload) -> Any:
        text = payload.json_text()
        try:
            value = decode(text)
        except msgspec.ValidationError:
            parse_json(text)  # what is no JSON at all is malformed, not a misfit
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            parse_json(text)
            raise
        refuse_extremes(text)
        return value

    def read(payload: Payload) -> Any:
        if payload.media.kind is Kind.JSON or (payload.in_json and not _is_text(payload)):
            return from_json(payload)
        return _from_text(payload, wanted, from_json)

    return read


def _is_text(payload: Payload) -> bool:
    return payload.media.kind is Kind.TEXT


def _from_text(payload: Payload, wanted: Any, from_json: Callable[[Payload], Any]) -> Any:
    """Data that does not claim to be JSON: a date or number as text, or JSON all the same."""
    plain = Payload(payload.data_octets(), None)
    try:
        return from_json(plain)
    except MalformedBodyError:
        if not _is_text(payload):
            raise msgspec.ValidationError("Expected JSON") from None
        return msgspec.convert(payload.text(), wanted, strict=False, dec_hook=_validate)


def _refuse_unknown(annotation: Any) -> None:
    """Tell a class that nothing can fill at start, not at the first request."""
    try:
        info = msgspec.inspect.type_info(annotation)
    except (TypeError, NameError) as error:
        raise UnsupportedTypeError(str(error)) from None
    if isinstance(info, msgspec.inspect.CustomType) and not hasattr(info.cls, "model_validate"):
        raise UnsupportedTypeError(
            f"{type_name(info.cls)} says nothing about its fields:"
            " make it a dataclass, a TypedDict or a model"
        )


def _validate(wanted: Any, value: Any) -> Any:
    """msgspec's hook for types that it does not know: pydantic models."""
    validate = getattr(wanted, "model_validate", None)
    if validate is None:
        if isinstance(wanted, type) and isinstance(value, wanted):
            return value
        raise NotImplementedError(type_name(wanted))
    try:
        return validate(value)
    except ValueError as error:
        raise ValueError(_pydantic_reason(error)) from None


def _pydantic_reason(error: Any) -> str:
    """`.items[2].qty: Input should be a valid integer`, joined by "; "."""
    faults = []
    for fault in error.errors(include_url=False, include_input=False):
        steps = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in fault["loc"])
        faults.append(f"{steps}: {fault['msg']}" if steps else str(fault["msg"]))
    return _PYDANTIC + "; ".join(faults)


_PYDANTIC = "\x00"  # marks a reason that starts with a path of its own


def _misfit(name: str, error: Exception) -> DataError:
    """msgspec's "Expected `int`, got `str` - at `$.a`" as "$.a: expected int, got str"."""
    reason, _, path = str(error).partition(" - at ")
    path = path.strip("`") or "$"
    if reason.startswith(_PYDANTIC):
        faults = [f"{path}{fault}" for fault in reason.removeprefix(_PYDANTIC).split("; ")]
        return DataError(f"{name} does not fit: {'; '.join(faults)}", errors=faults)
    missing = "Object missing required field "
    if reason.startswith(missing):
        path, reason = f"{path}.{reason.removeprefix(missing).strip('`')}", "missing"
    reason = reason.replace("`", "")
    fault = f"{path}: {reason[:1].lower()}{reason[1:]}"
    return DataError(f"{name} does not fit: {fault}", errors=[fault])
