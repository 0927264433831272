"""Kinds of classes with fields, and the parameters that they are built with.

Building their instances is left to `classes`.
"""

import inspect
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple, get_type_hints

import msgspec

from pyfunc.function.annotations import UnsupportedTypeError, type_name

__all__ = [
    "Parameter",
    "field_parameters",
    "hints_of",
    "is_called_otherwise",
    "is_dataclass",
    "is_model",
    "is_product",
    "is_pydantic",
    "is_struct",
    "parameters_of",
]


def hints_of(cls: Any) -> dict[str, Any]:
    """The evaluated annotations of a class; none where one cannot be evaluated."""
    try:
        return get_type_hints(cls, include_extras=True)
    except Exception:  # an annotation may hold any expression; msgspec reports it
        return {}


def is_product(cls: Any) -> bool:
    """Whether it is a class with named fields that msgspec knows."""
    if not isinstance(cls, type):
        return False
    is_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    return is_tuple or typing.is_typeddict(cls) or is_struct(cls) or is_dataclass(cls)


def is_struct(cls: type) -> bool:
    """Whether it is a msgspec class."""
    return issubclass(cls, msgspec.Struct)


def is_dataclass(cls: type) -> bool:
    """Whether it is a dataclass or an attrs class."""
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")


def is_pydantic(cls: Any) -> bool:
    """Whether pydantic validates it, though it is no model: its dataclasses, `EmailStr`."""
    names = ("__get_pydantic_core_schema__", "__pydantic_validator__")
    return isinstance(cls, type) and any(hasattr(cls, name) for name in names)


def is_model(cls: Any) -> bool:
    """Whether it is a model of pydantic, which validates itself."""
    return hasattr(cls, "model_validate")


def is_called_otherwise(cls: Any, names: tuple[str, ...]) -> bool:
    """Whether a class has an `__init__` or a `__new__` that was not generated for these names."""
    code = getattr(cls.__init__, "__code__", None)
    if code is None or cls.__new__ is not object.__new__ or type(cls).__call__ is not type.__call__:
        return True
    is_generated = code.co_filename == "<string>" or code.co_filename.startswith("<attrs generated")
    taken = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return not (is_generated and set(taken) == set(names))


class Parameter(NamedTuple):
    """A parameter that a class is built with."""

    hint: Any
    is_required: bool


def field_parameters(cls: Any, hints: Mapping[str, Any]) -> dict[str, Parameter] | None:
    """The parameters that an `__init__` made from the fields has; `None` where fields are special.

    Without hints, special fields are looked for, with them they are taken as they are.
    """
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass_parameters(cls, hints)
    return _attrs_parameters(cls, hints)


def _dataclass_parameters(cls: Any, hints: Mapping[str, Any]) -> dict[str, Parameter] | None:
    from dataclasses import MISSING, InitVar, fields

    own = {field.name for field in fields(cls)}
    parameters = {}
    for name, field in cls.__dataclass_fields__.items():
        hint = hints.get(name, field.type)
        if name not in own:
            if not isinstance(hint, InitVar) and hint is not InitVar:
                continue  # a ClassVar
            hint = getattr(hint, "type", Any)
        if not hints and (name not in own or not field.init):
            return None
        if field.init:
            has_default = field.default is not MISSING or field.default_factory is not MISSING
            parameters[name] = Parameter(hint, not has_default)
    return parameters


def _attrs_parameters(cls: Any, hints: Mapping[str, Any]) -> dict[str, Parameter] | None:
    from attrs import NOTHING

    parameters = {}
    for field in cls.__attrs_attrs__:
        is_special = field.converter or field.alias != field.name or not field.init
        if not hints and (is_special or getattr(field.default, "takes_self", False)):
            return None
        if field.init:
            hint = hints.get(field.name, Any if field.type is None else field.type)
            parameters[field.alias] = Parameter(
                _taken_by(field.converter, hint), field.default is NOTHING
            )
    if not hints and hasattr(cls, "__attrs_pre_init__"):
        return None
    return parameters


def _taken_by(converter: Any, hint: Any) -> Any:
    """The type that a converter takes: that of its parameter, or anything for a class."""
    if converter is None:
        return hint
    call = getattr(converter, "converter", converter)
    if isinstance(call, type) or getattr(call, "__module__", "").startswith("attr"):
        return Any
    try:
        first = next(iter(inspect.signature(call).parameters.values()))
        return get_type_hints(call, include_extras=True).get(first.name, hint)
    except (TypeError, ValueError, NameError, StopIteration):
        return hint


def parameters_of(cls: Any) -> dict[str, Parameter]:
    """The parameters of a dataclass or an attrs class, as a call of the class takes them."""
    hints = hints_of(cls)
    of_fields = field_parameters(cls, hints) or {}
    if not is_called_otherwise(cls, tuple(of_fields)):
        return of_fields
    try:
        declared = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        raise UnsupportedTypeError(
            f"the signature of {type_name(cls)} cannot be read: make it a plain dataclass"
        ) from None
    own_hints = hints_of(cls.__init__)
    parameters: dict[str, Parameter] = {}
    for one in declared:
        if one.kind is one.POSITIONAL_ONLY:
            raise UnsupportedTypeError(
                f"{type_name(cls)} takes {one.name} by its position only:"
                " let its __init__ take it by name"
            )
        if one.kind is one.VAR_KEYWORD:
            parameters = {**of_fields, **parameters}
        elif one.kind is not one.VAR_POSITIONAL:
            hint = own_hints.get(one.name, hints.get(one.name, Any))
            parameters[one.name] = Parameter(hint, one.default is one.empty)
    return parameters
