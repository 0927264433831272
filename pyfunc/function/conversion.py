"""Convert received data to the type that a parameter is annotated with.

msgspec decodes dataclasses, TypedDicts, Structs, attrs classes, enumerations, dates and unions of
those; a pydantic model, wherever it stands in a type, validates itself. Choosing the data for a
parameter is left to `signature`.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from pyfunc.cloudevents.data import Kind, Payload, media_type
from pyfunc.cloudevents.json_text import check_octets, parse_json, refuse_deep
from pyfunc.errors import DataError, MalformedBodyError
from pyfunc.function.annotations import (
    UnsupportedTypeError,
    bare,
    members_of,
    refuse_value,
    type_name,
    without_none,
)
from pyfunc.function.misfits import OWN_PATH, misfit, path_and_reason, pydantic_reason

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
    takes_all = _takes_all(wanted)
    complete = _completion(wanted)
    absent = default if default is not ... else None
    may_be_absent = optional or default is not ...

    def convert(values: Any) -> Any:
        if not values and may_be_absent:
            return absent
        plain = {key: values.getall(key) if takes_all(key) else values[key] for key in values}
        try:
            return complete(msgspec.convert(plain, wanted, strict=False, dec_hook=_validate))
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


def _type_info(annotation: Any) -> Any:
    """What msgspec knows of a type; one that nothing can fill is told at start."""
    try:
        info = msgspec.inspect.type_info(annotation)
    except (TypeError, NameError) as error:
        raise UnsupportedTypeError(str(error)) from None
    for node in _nodes(info, required=True):
        is_unknown = isinstance(node, msgspec.inspect.CustomType)
        if is_unknown and not hasattr(node.cls, "model_validate"):
            raise UnsupportedTypeError(
                f"{type_name(node.cls)} says nothing about its fields:"
                " make it a dataclass, a TypedDict or a model"
            )
    return info


def _nodes(info: Any, required: bool = False) -> Iterator[Any]:
    """A type and the types within it, or those that somebody has to send."""
    pending, seen = [info], {id(info)}  # types may hold themselves
    while pending:
        node = pending.pop()
        yield node
        for child in _children(node):
            if id(child) not in seen and getattr(child, "required", True) >= required:
                seen.add(id(child))
                pending.append(child)


def _children(node: Any) -> Iterator[Any]:
    for name in node.__struct_fields__:
        value = getattr(node, name)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, msgspec.inspect.Type | msgspec.inspect.Field):
                yield child


def _completion(annotation: Any) -> Callable[[Any], Any]:
    """What gives decoded dataclasses the fields that were left to their defaults.

    msgspec (0.22) leaves a default in the class, where neither `vars` nor its own encoder look.
    """
    nodes = _nodes(_type_info(annotation))
    if not any(isinstance(node, msgspec.inspect.DataclassType) for node in nodes):
        return _as_it_is

    from dataclasses import fields  # only functions that have some need it

    def complete(value: Any) -> Any:
        pending = [value]
        while pending:
            node = pending.pop()
            if isinstance(node, Mapping):
                pending.extend(node.values())
            elif isinstance(node, list | tuple | set | frozenset):
                pending.extend(node)
            else:
                pending.extend(_fields(node, fields))
        return value

    return complete


def _as_it_is(value: Any) -> Any:
    return value


def _fields(node: Any, fields: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    own = getattr(node, "__dict__", {})
    for name in _field_names(type(node), fields):
        if hasattr(node, name):
            yield own.setdefault(name, getattr(node, name))


def _field_names(cls: Any, fields: Callable[[Any], Iterable[Any]]) -> tuple[str, ...]:
    if hasattr(cls, "__dataclass_fields__"):
        return tuple(field.name for field in fields(cls))
    attributes = getattr(cls, "__attrs_attrs__", ())
    return getattr(cls, "__struct_fields__", ()) or tuple(field.name for field in attributes)


def _takes_all(wanted: Any) -> Callable[[str], bool]:
    """Which keys want every value that was sent for them."""
    info = _type_info(wanted)
    if isinstance(info, msgspec.inspect.DictType):
        takes = _is_many(info.value_type)
        return lambda _: takes
    if isinstance(info, msgspec.inspect.CustomType):
        fields = getattr(info.cls, "model_fields", {}).items()
        aliases = [(f.validation_alias or f.alias or name, f.annotation) for name, f in fields]
        many = frozenset(k for k, hint in aliases if get_origin(without_none(hint)[0]) in _MANY)
        return many.__contains__
    if not hasattr(info, "fields") or isinstance(info, msgspec.inspect.NamedTupleType):
        raise UnsupportedTypeError("expected a type with named fields, such as a dataclass")
    return frozenset(f.encode_name for f in info.fields if _is_many(f.type)).__contains__


_MANY = (list, set, frozenset, tuple)


def _is_many(info: Any) -> bool:
    members = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    kinds = ("ListType", "SetType", "FrozenSetType", "VarTupleType", "TupleType", "CollectionType")
    return any(type(member).__name__ in kinds for member in members)


# --- payloads -------------------------------------------------------------------------------------


def _simple(annotation: Any, wanted: Any, optional: bool) -> Callable[[Payload], Any] | None:
    read = _SIMPLE.get(wanted)
    if read is None:
        return None
    if wanted is str and optional:
        read = _text_or_null
    if get_origin(annotation) is not Annotated:
        return read
    return lambda payload: msgspec.convert(read(payload), annotation)


def _text_or_null(payload: Payload) -> str | None:
    is_null = (payload.in_json or payload.is_json) and payload.octets.strip() == b"null"
    return None if is_null else payload.text()


class Decoder(msgspec.Struct, frozen=True):
    """Decodes a type, from JSON text or from plain values."""

    from_json: Callable[[bytes], Any]
    from_plain: Callable[[Any, bool], Any]
    """The second argument is false for values that were text, such as the numbers of a query."""


def _typed(annotation: Any) -> Callable[[Payload], Any]:
    decoder = _decoder(annotation)

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


def _decoder(annotation: Any) -> Decoder:
    try:
        return _by_msgspec(annotation)
    except (UnsupportedTypeError, TypeError) as error:
        validate = _by_pydantic(annotation)
        if validate is not None:
            return Decoder(
                lambda text: validate(parse_json(text)), lambda value, _: validate(value)
            )
        members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
        if members and bytes not in members:  # in JSON, bytes are no more than other text
            return _first_that_fits(members)
        raise UnsupportedTypeError(str(error)) from None


def _by_msgspec(annotation: Any) -> Decoder:
    complete = _completion(annotation)
    decode = msgspec.json.Decoder(annotation, dec_hook=_validate).decode

    def convert(value: Any, strict: bool) -> Any:
        return complete(
            msgspec.convert(value, annotation, strict=strict, str_keys=True, dec_hook=_validate)
        )

    if complete is _as_it_is:
        return Decoder(decode, convert)
    return Decoder(lambda text: complete(decode(text)), convert)


def _first_that_fits(members: tuple[Any, ...]) -> Decoder:
    """For a union of classes without tags, which msgspec does not take."""
    decoders = [(type_name(member), _decoder(member)) for member in members]

    def first(decode: Callable[[Decoder], Any]) -> Any:
        faults = []
        for name, decoder in decoders:
            try:
                return decode(decoder)
            except msgspec.ValidationError as error:
                path, reason = path_and_reason(error)
                faults.append(f"{OWN_PATH}{path[1:]}: {reason}, as {name}")
        raise msgspec.ValidationError("".join(faults))

    return Decoder(
        lambda text: first(lambda decoder: decoder.from_json(text)),
        lambda value, strict: first(lambda decoder: decoder.from_plain(value, strict)),
    )


def _by_pydantic(annotation: Any) -> Callable[[Any], Any] | None:
    """For a union of models, or of a model and something else, which msgspec does not take."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not any(hasattr(m, "model_validate") for m in members_of(annotation)):
        return None
    adapter = pydantic.TypeAdapter(annotation)

    def validate(value: Any) -> Any:
        try:
            return adapter.validate_python(value)
        except ValueError as error:
            raise msgspec.ValidationError(pydantic_reason(error)) from None

    return validate


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


# --- models ---------------------------------------------------------------------------------------


def _validate(wanted: Any, value: Any) -> Any:
    """msgspec's hook for types that it does not know: pydantic models."""
    validate = getattr(wanted, "model_validate", None)
    if validate is None:
        raise ValueError(f"Expected {type_name(wanted)}, which JSON cannot hold")
    try:
        if wanted.model_config.get("strict"):  # JSON has no dates: text is strict enough there
            return wanted.model_validate_json(msgspec.json.encode(value))
        return validate(value)
    except ValueError as error:
        raise ValueError(pydantic_reason(error)) from None
