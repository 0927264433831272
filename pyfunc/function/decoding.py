"""Decode JSON text, or plain values, into any type that a function may ask for.

msgspec decodes most types; `classes` builds those that build themselves, and a union that msgspec
does not take is tried member by member, or left to pydantic. Reading the payload of a request or an
event is left to `conversion`.
"""

import sys
from collections.abc import Callable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from pyfunc.cloudevents.json_text import parse_json
from pyfunc.function.annotations import UnsupportedTypeError, members_of, type_name
from pyfunc.function.classes import HOOKS, convert, stand_in
from pyfunc.function.misfits import nested_reason, pydantic_reason
from pyfunc.function.type_info import completion, keep

__all__ = ["Decoder", "decoder_of"]


class Decoder(msgspec.Struct, frozen=True):
    """Decodes a type, from JSON text or from plain values."""

    from_json: Callable[[bytes], Any]
    from_plain: Callable[[Any, bool], Any]
    """The second argument is false for values that were text, such as the numbers of a query."""


def decoder_of(annotation: Any) -> Decoder:
    """Make the decoder of a type.

    Raises:
        UnsupportedTypeError: Nothing can be converted to the type.
    """
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
    target = stand_in(annotation)
    complete = completion(target)
    decode = msgspec.json.Decoder(target, dec_hook=HOOKS[True]).decode

    def from_plain(value: Any, strict: bool) -> Any:
        return complete(convert(value, target, strict))

    if complete is keep:
        return Decoder(decode, from_plain)
    return Decoder(lambda text: complete(decode(text)), from_plain)


def _first_that_fits(members: tuple[Any, ...]) -> Decoder:
    """For a union of classes without tags, which msgspec does not take."""
    decoders = [(type_name(member), decoder_of(member)) for member in members]

    def first(decode: Callable[[Decoder], Any]) -> Any:
        faults = []
        for name, decoder in decoders:
            try:
                return decode(decoder)
            except msgspec.ValidationError as error:
                faults.append(nested_reason(error, f", as {name}"))
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
