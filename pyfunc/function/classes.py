"""Build instances of classes that msgspec does not build as their authors mean it.

msgspec fills the fields of dataclasses and attrs classes without calling them. That passes over an
`__init__` of their own, converters, aliases, `field(init=False)`, and constraints that pydantic or
annotated_types describe. Where a type has any of these, `stand_in` gives the type that msgspec
decodes in its place: its classes are replaced by subclasses of `StandIn`.
"""

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
)

import msgspec

from pyfunc.cloudevents.json_text import dump_json
from pyfunc.function.annotations import UnsupportedTypeError, type_name
from pyfunc.function.class_parameters import (
    Parameter,
    field_parameters,
    hints_of,
    is_called_otherwise,
    is_dataclass,
    is_model,
    is_product,
    is_pydantic,
    is_struct,
    parameters_of,
)
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
    if is_product(cls) and not is_pydantic(cls):
        yield from hints_of(cls).values()


def _is_unusual(node: Any) -> bool:
    if get_origin(node) is Annotated:
        metadata = get_args(node)[1:]
        return is_for_pydantic(metadata) or bool(checks_of(metadata))
    cls = get_origin(node) or node
    if is_model(cls):
        return False
    if is_pydantic(cls):
        return True
    if not isinstance(cls, type) or not is_dataclass(cls):
        return False
    parameters = field_parameters(cls, {})
    return parameters is None or is_called_otherwise(cls, tuple(parameters))


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
        if is_pydantic(cls) and not is_model(cls):
            return self._adapter(annotation)
        if is_product(cls):
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
                name: Parameter(_unwrapped(hint), name not in optional)
                for name, hint in hints_of(cls).items()
            }
            self._complete(made, self._mapping(annotation, fields), lambda value: value)
        elif is_struct(cls):
            names = cls.__struct_fields__
            self._complete(
                made,
                self._struct(annotation, cls),
                lambda value: cls(**{name: getattr(value, name) for name in names}),
            )
        elif is_dataclass(cls):
            shape = self._mapping(annotation, parameters_of(cls))
            self._complete(made, shape, lambda value: cls(**value))
        else:
            self._complete(made, self._tuple(annotation, cls), lambda value: cls(*value))
        return made

    def _complete(self, made: type[StandIn], shape: Any, call: Callable[[Any], Any]) -> None:
        self.shapes.append(shape)
        made.shape = shape
        made.build = staticmethod(lambda value, strict: call(_converted(value, shape, strict)))

    def _mapping(self, annotation: Any, fields: Mapping[str, Parameter]) -> Any:
        known = _arguments(annotation)
        types = {name: self.of(_filled(one.hint, known)) for name, one in fields.items()}
        shape: Mapping[str, Any] = {
            name: hint if fields[name].is_required else NotRequired[hint]
            for name, hint in types.items()
        }
        return TypedDict(type_name(annotation), shape)  # type: ignore[operator]

    def _tuple(self, annotation: Any, cls: Any) -> Any:
        known, hints = _arguments(annotation), hints_of(cls)
        fields = [(name, self.of(_filled(hints.get(name, Any), known))) for name in cls._fields]
        shape: Any = NamedTuple(cls.__name__, fields)  # type: ignore[misc]
        shape._field_defaults = cls._field_defaults
        shape.__new__.__defaults__ = tuple(cls._field_defaults.values())
        return shape

    def _struct(self, annotation: Any, cls: Any) -> Any:
        known, config = _arguments(annotation), cls.__struct_config__
        fields = []
        for field in msgspec.structs.fields(cls):
            hint = self.of(_filled(hints_of(cls)[field.name], known))
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
        issubclass(annotation, StandIn) or is_model(annotation)
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
