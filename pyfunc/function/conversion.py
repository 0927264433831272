"""Convert received data to the type that a parameter is annotated with.

The content type of the data decides how it is read for that type. Decoding into the type is left to
`decoding`, choosing the data for a parameter to `signature`.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec

from pyfunc.cloudevents.data import Kind, Payload, media_type
from pyfunc.cloudevents.json_text import check_octets, parse_json, refuse_deep
from pyfunc.errors import DataError, MalformedBodyError
from pyfunc.function.annotations import (
    UnsupportedTypeError,
    bare,
    refuse_value,
    type_name,
    without_none,
)
from pyfunc.function.classes import StandIn, stand_in
from pyfunc.function.decoding import Decoder, decoder_of
from pyfunc.function.misfits import misfit
from pyfunc.function.type_info import is_many, type_info

__all__ = ["from_payload", "from_strings"]

FromPayload = Callable[[Payload | None], Any]


def from_payload(name: str, annotation: Any, default: Any = ...) -> FromPayload | None:
    """How a payload becomes `annotation`; `None` where it is taken as it comes.

    Args:
        name: The parameter's name, for messages.
        annotation: An evaluated annotation.
        default: Given where there is no data; `...` for no default.

    Raises:
        UnsupportedTypeError: Nothing can be converted to that type.
    """
    refuse_value(annotation)
    wanted, optional = without_none(bare(annotation))
    if wanted in _AS_IT_COMES:
        return None
    read = _simple(annotation, wanted, optional) or _typed(annotation)
    absent = default if default is not ... else None
    may_be_absent = optional or default is not ...

    def convert(payload: Payload | None) -> Any:
        if payload is None or not payload.octets:
            if may_be_absent:
                return absent
            if wanted in _SIMPLE:
                return wanted()
            raise DataError(f"{name}: expected {type_name(wanted)}, found nothing")
        try:
            return read(payload)
        except msgspec.ValidationError as error:
            raise misfit(name, error) from None

    return convert


def from_strings(name: str, annotation: Any, default: Any = ...) -> Callable[[Any], Any]:
    """How a multi-dict of strings, such as a query, becomes `annotation`.

    Numbers and booleans are read from their text; a field that is a list takes every value of its
    key.

    Args:
        name: The parameter's name, for messages.
        annotation: An evaluated annotation.
        default: Given where there are no strings; `...` for no default.

    Raises:
        UnsupportedTypeError: Nothing can be converted to that type.
    """
    refuse_value(annotation)
    wanted, optional = without_none(bare(annotation))
    target = stand_in(wanted)
    takes_all = _takes_all(target)
    decoder = decoder_of(wanted)
    absent = default if default is not ... else None
    may_be_absent = optional or default is not ...

    def convert(values: Any) -> Any:
        if not values and may_be_absent:
            return absent
        plain = {key: values.getall(key) if takes_all(key) else values[key] for key in values}
        try:
            return decoder.from_plain(plain, False)
        except msgspec.ValidationError as error:
            raise misfit(name, error) from None

    return convert


_AS_IT_COMES = (Any, object, None)
_SIMPLE: Mapping[Any, Callable[[Payload], Any]] = {
    bytes: Payload.data_octets,
    str: Payload.text,
    bytearray: lambda payload: bytearray(payload.data_octets()),
}


# --- types ----------------------------------------------------------------------------------------


def _takes_all(wanted: Any) -> Callable[[str], bool]:
    """Which keys want every value that was sent for them."""
    if isinstance(wanted, type) and issubclass(wanted, StandIn):
        return _takes_all_of(wanted)
    info = type_info(wanted)
    if isinstance(info, msgspec.inspect.DictType):
        takes = is_many(info.value_type)
        return lambda _: takes
    if isinstance(info, msgspec.inspect.CustomType):
        return _takes_all_of_pydantic(getattr(info.cls, "model_fields", {}))
    if not hasattr(info, "fields") or isinstance(info, msgspec.inspect.NamedTupleType):
        raise UnsupportedTypeError("expected a type with named fields, such as a dataclass")
    return frozenset(f.encode_name for f in info.fields if is_many(f.type)).__contains__


def _takes_all_of(stand_in: type[StandIn]) -> Callable[[str], bool]:
    if stand_in.shape is not None:
        return _takes_all(stand_in.shape)
    fields = getattr(stand_in.stands_for, "__pydantic_fields__", None)
    if fields is None:
        raise UnsupportedTypeError("expected a type with named fields, such as a dataclass")
    return _takes_all_of_pydantic(fields)


def _takes_all_of_pydantic(fields: Mapping[str, Any]) -> Callable[[str], bool]:
    aliases = [(f.validation_alias or f.alias or name, f.annotation) for name, f in fields.items()]
    many = frozenset(key for key, hint in aliases if get_origin(without_none(hint)[0]) in _MANY)
    return many.__contains__


_MANY = (list, set, frozenset, tuple)


# --- payloads -------------------------------------------------------------------------------------


def _simple(annotation: Any, wanted: Any, optional: bool) -> Callable[[Payload], Any] | None:
    read = _SIMPLE.get(wanted)
    if read is None:
        return None
    if wanted is str and optional:
        read = _text_or_null
    if get_origin(annotation) is not Annotated:
        return read
    decoder = decoder_of(annotation)
    return lambda payload: decoder.from_plain(read(payload), True)


def _text_or_null(payload: Payload) -> str | None:
    is_null = (payload.in_json or payload.is_json) and payload.octets.strip() == b"null"
    return None if is_null else payload.text()


def _typed(annotation: Any) -> Callable[[Payload], Any]:
    decoder = decoder_of(annotation)

    def from_json(payload: Payload) -> Any:
        text = payload.json_text()
        check_octets(text)
        try:
            value = decoder.from_json(text)
        except msgspec.ValidationError:
            parse_json(text)  # what is no JSON at all is malformed, not a misfit
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = decoder.from_plain(parse_json(text), True)
        refuse_deep(text)
        return value

    def read(payload: Payload) -> Any:
        if payload.media.kind is Kind.JSON or (payload.in_json and not _is_text(payload)):
            return from_json(payload)
        return _from_text(payload, annotation, from_json, decoder)

    return read


def _is_text(payload: Payload) -> bool:
    return payload.media.kind is Kind.TEXT


def _from_text(
    payload: Payload, wanted: Any, from_json: Callable[[Payload], Any], decoder: Decoder
) -> Any:
    """Data that does not claim to be JSON: a date or number as text, or JSON all the same."""
    try:
        return from_json(Payload(payload.data_octets(), media_type(None)))
    except (MalformedBodyError, msgspec.ValidationError) as error:
        if _is_text(payload):
            return _from_words(payload.text(), decoder, error)
        if bytes in get_args(wanted):
            return payload.data_octets()
        if isinstance(error, msgspec.ValidationError):
            raise
        raise msgspec.ValidationError("Expected JSON") from None


def _from_words(text: str, decoder: Decoder, error: Exception) -> Any:
    try:
        return decoder.from_plain(text, False)
    except msgspec.ValidationError:
        if isinstance(error, msgspec.ValidationError):
            raise error from None  # it is JSON, and says more
        raise
