"""Build instances of classes that msgspec does not build as their authors mean it.

msgspec fills the fields of dataclasses and attrs classes without calling them. That passes over an
`__init__` of their own, converters, aliases, `field(init=False)`, and constraints that pydantic or
annotated_types describe. Where a type has any of these, `stand_in` gives the type that msgspec
decodes in its place: its classes are replaced by subclasses of `StandIn`.
"""

import inspect
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from pyfunc.cloudevents.json_text import dump_json
from pyfunc.function.annotations import UnsupportedTypeError, type_name
from pyfunc.function.constraints import Check, checks_of, is_for_pydantic
from pyfunc.function.misfits import nested_reason, pydantic_reason
from pyfunc.function.type_info import type_info

__all__ = ["HOOKS", "StandIn", "convert", "stand_in"]


class _OfAnything(type):
    """msgspec asks whether the hook returned an instance: what a stand-in builds always is one."""

    def __instancecheck__(cls, instance: object) -> bool:
        return True


class StandIn(metaclass=_OfAnything):
    """Stands for a class, or a constrained type, in the types that msgspec decodes."""

    build: ClassVar[Callable[[Any, bool], Any]]
    """Builds the instance from plain values; the second argument is `strict`."""
    shape: ClassVar[Any] = None
    """The type of the plain values; `None` where the class validates them itself."""
    stands_for: ClassVar[Any] = None


def stand_in(annotation: Any) -> Any:
    """The type that msgspec decodes in place of `annotation`; that itself for usual types.

    Raises:
        UnsupportedTypeError: A class inside it cannot be called with what a sender gives.
    """
    if not any(map(_is_unusual, _reachable(annotation))):
        return annotation
    stand_ins = _StandIns()
    result = stand_ins.of(annotation)
    for shape in stand_ins.shapes:
        type_info(shape)
    return result


# --- which types need it --------------------------------------------------------------------------


def _reachable(annotation: Any) -> Iterator[Any]:
    """An annotation and all those inside it, the fields of classes included."""
    pending, seen = [annotation], set()
    while pending:
        node = pending.pop()
        try:
            if node in seen:
                continue
            seen.add(node)
        except TypeError:  # a value, such as the arguments of a Callable
            continue
        yield node
        pending += _inside(node)


def _inside(node: Any) -> Iterator[Any]:
    if get_origin(node) is Annotated:
        yield get_args(node)[0]
    elif get_origin(node) is not Literal:
        yield from get_args(node)
    supertype = getattr(node, "__supertype__", getattr(node, "__value__", None))
    if supertype is not None:  # a NewType, or a `type` statement
        yield supertype
    cls = get_origin(node) or node
    if _is_product(cls) and not _is_pydantic(cls):
        yield from _hints(cls).values()


def _hints(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except Exception:  # an annotation may hold any expression; msgspec reports it
        return {}


def _is_product(cls: Any) -> bool:
    """Whether it is a class with named fields that msgspec knows."""
    if not isinstance(cls, type):
        return False
    is_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    return is_tuple or typing.is_typeddict(cls) or _is_struct(cls) or _is_dataclass(cls)


def _is_struct(cls: type) -> bool:
    return issubclass(cls, msgspec.Struct)


def _is_dataclass(cls: type) -> bool:
    """Whether it is a dataclass or an attrs class."""
    return hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__")


def _is_pydantic(cls: Any) -> bool:
    """Whether pydantic validates it, though it is no model: its dataclasses, `EmailStr`."""
    names = ("__get_pydantic_core_schema__", "__pydantic_validator__")
    return isinstance(cls, type) and any(hasattr(cls, name) for name in names)


def _is_model(cls: Any) -> bool:
    return hasattr(cls, "model_validate")


def _is_unusual(node: Any) -> bool:
    if get_origin(node) is Annotated:
        metadata = get_args(node)[1:]
        return is_for_pydantic(metadata) or bool(checks_of(metadata))
    cls = get_origin(node) or node
    if _is_model(cls):
        return False
    if _is_pydantic(cls):
        return True
    if not isinstance(cls, type) or not _is_dataclass(cls):
        return False
    parameters = _field_parameters(cls, {})
    return parameters is None or _is_called_otherwise(cls, tuple(parameters))


def _is_called_otherwise(cls: Any, names: tuple[str, ...]) -> bool:
    """Whether a class has an `__init__` or a `__new__` that was not generated for these names."""
    code = getattr(cls.__init__, "__code__", None)
    if code is None or cls.__new__ is not object.__new__ or type(cls).__call__ is not type.__call__:
        return True
    is_generated = code.co_filename == "<string>" or code.co_filename.startswith("<attrs generated")
    taken = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return not (is_generated and set(taken) == set(names))


# --- the parameters of a class --------------------------------------------------------------------


class _Parameter(NamedTuple):
    hint: Any
    is_required: bool


def _field_parameters(cls: Any, hints: Mapping[str, Any]) -> dict[str, _Parameter] | None:
    """The parameters that an `__init__` made from the fields has; `None` where fields are special.

    Without hints, special fields are looked for, with them they are taken as they are.
    """
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass_parameters(cls, hints)
    return _attrs_parameters(cls, hints)


def _dataclass_parameters(cls: Any, hints: Mapping[str, Any]) -> dict[str, _Parameter] | None:
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
            parameters[name] = _Parameter(hint, not has_default)
    return parameters


def _attrs_parameters(cls: Any, hints: Mapping[str, Any]) -> dict[str, _Parameter] | None:
    from attrs import NOTHING

    parameters = {}
    for field in cls.__attrs_attrs__:
        is_special = field.converter or field.alias != field.name or not field.init
        if not hints and (is_special or getattr(field.default, "takes_self", False)):
            return None
        if field.init:
            hint = hints.get(field.name, Any if field.type is None else field.type)
            parameters[field.alias] = _Parameter(
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


def _parameters(cls: Any) -> dict[str, _Parameter]:
    """The parameters of a dataclass or an attrs class, as a call of the class takes them."""
    hints = _hints(cls)
    of_fields = _field_parameters(cls, hints) or {}
    if not _is_called_otherwise(cls, tuple(of_fields)):
        return of_fields
    try:
        declared = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        raise UnsupportedTypeError(
            f"the signature of {type_name(cls)} cannot be read: make it a plain dataclass"
        ) from None
    own_hints = _hints(cls.__init__)
    parameters: dict[str, _Parameter] = {}
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
            parameters[one.name] = _Parameter(hint, one.default is one.empty)
    return parameters


# --- the stand-ins --------------------------------------------------------------------------------


def _converted(value: Any, shape: Any, strict: bool) -> Any:
    """Plain values as `shape`; what does not fit is a `ValueError` with its own paths."""
    try:
        return convert(value, shape, strict)
    except msgspec.ValidationError as error:
        raise ValueError(nested_reason(error)) from None


class _StandIns:
    """The stand-ins of one type, each made once, since types may hold themselves."""

    def __init__(self) -> None:
        self.shapes: list[Any] = []
        self._made: dict[Any, Any] = {}

    def of(self, annotation: Any) -> Any:
        """The type in place of an annotation."""
        try:
            if annotation in self._made:
                return self._made[annotation]
        except TypeError:
            return annotation
        origin, members = get_origin(annotation), get_args(annotation)
        supertype = getattr(annotation, "__supertype__", getattr(annotation, "__value__", None))
        cls = origin or annotation
        if origin is Annotated:
            return self._annotated(annotation, members[0], members[1:])
        if supertype is not None:
            return self.of(supertype)
        if origin in (Union, UnionType):
            return self._union(annotation, tuple(map(self.of, members)))
        if _is_pydantic(cls) and not _is_model(cls):
            return self._adapter(annotation)
        if _is_product(cls):
            return self._product(annotation, cls)
        if members and isinstance(origin, type):
            return origin[tuple(map(self.of, members))]  # type: ignore[index]
        return annotation

    def _new(self, annotation: Any) -> type[StandIn]:
        made = type(type_name(annotation), (StandIn,), {"stands_for": annotation})
        self._made[annotation] = made
        return made

    def _annotated(self, annotation: Any, inner: Any, metadata: tuple[Any, ...]) -> Any:
        if is_for_pydantic(metadata):
            return self._adapter(annotation)
        shape = self.of(inner)
        metas = tuple(one for one in metadata if isinstance(one, msgspec.Meta))
        if metas:
            shape = Annotated[(shape, *metas)]
        checks = checks_of(metadata)
        if not checks:
            return shape
        made = self._new(annotation)
        self._complete(made, shape, lambda value: _checked(value, checks))
        return made

    def _union(self, annotation: Any, members: tuple[Any, ...]) -> Any:
        some = [member for member in members if member is not NoneType]
        if len(some) < 2 or not any(map(_is_stand_in, some)):
            return Union[members]  # noqa: UP007 - a member may be a string
        made = self._new(annotation)
        self.shapes += members

        def first_that_fits(value: Any, strict: bool) -> Any:
            reasons = []
            for member in members:
                try:
                    return _converted(value, member, strict)
                except ValueError as error:
                    reasons.append(f"{error}, as {type_name(member)}")
            raise ValueError("".join(reasons))

        made.build = staticmethod(first_that_fits)
        return made

    def _adapter(self, annotation: Any) -> Any:
        made = self._new(annotation)
        try:
            adapter = sys.modules["pydantic"].TypeAdapter(annotation)
        except Exception as error:  # pydantic's own, or what a package of its types is missing
            raise UnsupportedTypeError(f"pydantic refuses it: {error}") from None
        made.build = staticmethod(lambda value, _: _validated(adapter, annotation, value))
        return made

    def _product(self, annotation: Any, cls: Any) -> Any:
        made = self._new(annotation)
        if typing.is_typeddict(cls):
            optional = cls.__optional_keys__
            fields = {
                name: _Parameter(_unwrapped(hint), name not in optional)
                for name, hint in _hints(cls).items()
            }
            self._complete(made, self._mapping(annotation, fields), lambda value: value)
        elif _is_struct(cls):
            names = cls.__struct_fields__
            self._complete(
                made,
                self._struct(annotation, cls),
                lambda value: cls(**{name: getattr(value, name) for name in names}),
            )
        elif _is_dataclass(cls):
            shape = self._mapping(annotation, _parameters(cls))
            self._complete(made, shape, lambda value: cls(**value))
        else:
            self._complete(made, self._tuple(annotation, cls), lambda value: cls(*value))
        return made

    def _complete(self, made: type[StandIn], shape: Any, call: Callable[[Any], Any]) -> None:
        self.shapes.append(shape)
        made.shape = shape
        made.build = staticmethod(lambda value, strict: call(_converted(value, shape, strict)))

    def _mapping(self, annotation: Any, fields: Mapping[str, _Parameter]) -> Any:
        known = _arguments(annotation)
        types = {name: self.of(_filled(one.hint, known)) for name, one in fields.items()}
        shape: Mapping[str, Any] = {
            name: hint if fields[name].is_required else NotRequired[hint]
            for name, hint in types.items()
        }
        return TypedDict(type_name(annotation), shape)  # type: ignore[operator]

    def _tuple(self, annotation: Any, cls: Any) -> Any:
        known, hints = _arguments(annotation), _hints(cls)
        fields = [(name, self.of(_filled(hints.get(name, Any), known))) for name in cls._fields]
        shape: Any = NamedTuple(cls.__name__, fields)  # type: ignore[misc]
        shape._field_defaults = cls._field_defaults
        shape.__new__.__defaults__ = tuple(cls._field_defaults.values())
        return shape

    def _struct(self, annotation: Any, cls: Any) -> Any:
        known, config = _arguments(annotation), cls.__struct_config__
        fields = []
        for field in msgspec.structs.fields(cls):
            hint = self.of(_filled(_hints(cls)[field.name], known))
            default = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = msgspec.field(default_factory=field.default_factory)
            is_required = default is msgspec.NODEFAULT
            fields.append((field.name, hint) if is_required else (field.name, hint, default))
        return msgspec.defstruct(
            cls.__name__,
            fields,
            rename=dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)),
            tag=config.tag,
            tag_field=config.tag_field,
            array_like=config.array_like,
            forbid_unknown_fields=config.forbid_unknown_fields,
            kw_only=True,
        )


def _is_stand_in(annotation: Any) -> bool:
    return isinstance(annotation, type) and (
        issubclass(annotation, StandIn) or _is_model(annotation)
    )


def _checked(value: Any, checks: tuple[Check, ...]) -> Any:
    for expected, is_good in checks:
        if value is not None and not is_good(value):
            raise ValueError(f"Expected {expected}")
    return value


def _validated(adapter: Any, annotation: Any, value: Any) -> Any:
    config = getattr(annotation, "__pydantic_config__", None) or {}
    try:
        if config.get("strict"):  # JSON has no dates: text is strict enough there
            return adapter.validate_json(dump_json(value))
        return adapter.validate_python(value)
    except ValueError as error:
        raise ValueError(pydantic_reason(error)) from None


def _unwrapped(hint: Any) -> Any:
    """A member of a TypedDict without `Required` and `NotRequired`."""
    return get_args(hint)[0] if get_origin(hint) in (typing.Required, NotRequired) else hint


def _arguments(annotation: Any) -> dict[Any, Any]:
    """The arguments of a generic class by its type variables."""
    parameters = getattr(get_origin(annotation), "__parameters__", ())
    return dict(zip(parameters, get_args(annotation), strict=False))


def _filled(hint: Any, known: Mapping[Any, Any]) -> Any:
    """A hint with its type variables replaced."""
    if hint in known:
        return known[hint]
    variables = getattr(hint, "__parameters__", ())
    if not variables or isinstance(hint, type) or not known:
        return hint
    return hint[tuple(known.get(variable, variable) for variable in variables)]


# --- while decoding -------------------------------------------------------------------------------


def _hook(strict: bool) -> Callable[[Any, Any], Any]:
    def build(wanted: Any, value: Any) -> Any:
        if isinstance(wanted, type) and issubclass(wanted, StandIn):
            return wanted.build(value, strict)
        return _model(wanted, value)

    return build


def convert(value: Any, target: Any, strict: bool) -> Any:
    """Convert plain values to a type that `stand_in` gave.

    Args:
        value: The values.
        target: The type.
        strict: Whether text is not taken for a number or a boolean.

    Raises:
        msgspec.ValidationError: The values do not fit.
    """
    try:
        return msgspec.convert(value, target, strict=strict, str_keys=True, dec_hook=HOOKS[strict])
    except UnicodeEncodeError:  # msgspec reads dates, numbers and names as UTF-8
        raise msgspec.ValidationError("Expected no half of a surrogate pair") from None


def _model(wanted: Any, value: Any) -> Any:
    validate = getattr(wanted, "model_validate", None)
    if validate is None:
        raise ValueError(f"Expected {type_name(wanted)}, which JSON cannot hold")
    try:
        if wanted.model_config.get("strict"):  # JSON has no dates: text is strict enough there
            return wanted.model_validate_json(dump_json(value))
        return validate(value)
    except ValueError as error:
        raise ValueError(pydantic_reason(error)) from None


HOOKS: Mapping[bool, Callable[[Any, Any], Any]] = {True: _hook(True), False: _hook(False)}
"""The `dec_hook` for types that msgspec does not know, by `strict`."""
