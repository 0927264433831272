"""Readers of arguments: the value of a source, converted to the annotation of a parameter.

The choice of the source is for `signature`, the conversion itself for `conversion`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from pyfunc.function.annotations import bare, dotted_names, is_mapping, is_open, type_name
from pyfunc.function.conversion import from_payload, from_strings
from pyfunc.function.invocation import Invocation
from pyfunc.function.sources import (
    Conversion,
    Needs,
    Read,
    Source,
    body_payload,
    event_payload,
)

__all__ = ["Reader", "reader"]


class Reader(NamedTuple):
    """A reader with what `check` reports about it."""

    read: Read
    type_name: str = ""
    """The type that the value is converted to; empty where it is not converted."""
    warning: str = ""


def reader(source: Source, name: str, annotation: Any, default: Any) -> Reader:
    """Make the reader of one parameter.

    Args:
        source: The source of the value.
        name: The parameter's name, for messages.
        annotation: The evaluated annotation; `Any` for none.
        default: The parameter's default; `...` for none.

    Raises:
        UnsupportedTypeError: The value cannot be converted to that type.
    """
    target = bare(annotation)
    if is_open(target):
        return Reader(_or_default(source, default))
    if dotted_names(target).intersection(source.types):
        return Reader(source.typed_read(target) if source.typed_read else source.read)
    read = _CONVERSIONS[source.conversion](source, name, annotation, default)
    if read is not None:
        return Reader(read, type_name(target))
    return Reader(source.read, warning=_mismatch(source, name, target))


def _or_default(source: Source, default: Any) -> Read:
    """Data that is absent gives way to the parameter's default."""
    read = source.read
    if default is ... or default is None or source.conversion is not Conversion.PAYLOAD:
        return read

    def read_or_default(invocation: Invocation) -> Any:
        value = read(invocation)
        return default if value is None else value

    return read_or_default


def _from_payload(source: Source, name: str, annotation: Any, default: Any) -> Read | None:
    if default is ... and any(annotation is accepted for accepted in source.accepts):
        return source.read
    convert = from_payload(name, annotation, default)
    if convert is None:
        return None
    payload = event_payload if source.needs is Needs.EVENT else body_payload
    return lambda invocation: convert(payload(invocation))


def _from_strings(source: Source, name: str, annotation: Any, default: Any) -> Read | None:
    target = bare(annotation)
    if target is str:
        return lambda invocation: invocation.request.rel_url.raw_query_string
    if is_mapping(target) and (get_args(target) or (str,))[-1] in (str, Any, object):
        return _as_dict(source, name, target, default)
    convert = from_strings(name, annotation, default)
    return lambda invocation: convert(source.read(invocation))


def _as_dict(source: Source, name: str, annotation: Any, default: Any) -> Read | None:
    target = bare(annotation)
    if (get_origin(target) or target) is not dict:
        return None
    return lambda invocation: dict(source.read(invocation))


def _unconverted(source: Source, name: str, annotation: Any, default: Any) -> Read | None:
    return None


_CONVERSIONS: Mapping[Conversion, Callable[[Source, str, Any, Any], Read | None]] = {
    Conversion.NONE: _unconverted,
    Conversion.PAYLOAD: _from_payload,
    Conversion.STRINGS: _from_strings,
    Conversion.DICT: _as_dict,
}


def _mismatch(source: Source, name: str, annotation: Any) -> str:
    """The warning about an annotation that is not the type of the value."""
    kind = get_origin(annotation) or annotation
    if any(kind is accepted for accepted in source.accepts):
        return ""
    if source.conversion is Conversion.PAYLOAD:
        return ""
    if is_mapping(annotation) and (source.conversion or dict in source.accepts):
        return ""
    return f"{name} is annotated {type_name(annotation)} and receives {source.gives}"
