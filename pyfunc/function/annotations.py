"""Read annotations: evaluate them, name them in messages, ask for their members and types.

Converting values to an annotation is left to `conversion`.
"""

from collections.abc import Iterator, Mapping
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pyfunc.cloudevents import sdk

__all__ = [
    "AnnotationError",
    "UnsupportedTypeError",
    "bare",
    "dotted_names",
    "evaluate",
    "is_mapping",
    "is_open",
    "is_optional",
    "members_of",
    "refuse_value",
    "type_name",
    "without_none",
]


class AnnotationError(Exception):
    """An annotation that cannot be evaluated."""


class UnsupportedTypeError(TypeError):
    """An annotation that no received value can be converted to."""


def evaluate(annotation: Any, namespace: dict[str, Any]) -> Any:
    """Evaluate an annotation and the strings in it.

    Raises:
        AnnotationError: A name in it is unknown, or an expression in it fails.
    """
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, namespace, include_extras=True)["it"]
    except Exception as error:  # an annotation may hold any expression
        raise AnnotationError(
            f"the annotation {annotation!r} cannot be evaluated ({error});"
            " import what it names in the module, outside `if TYPE_CHECKING`"
        ) from None


def type_name(annotation: Any) -> str:
    """The name of an annotation for messages, close to how its author wrote it."""
    if annotation in (None, NoneType):
        return "None"
    members = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(type_name, members))
    if isinstance(annotation, type) and not members:
        return annotation.__qualname__.rpartition(".<locals>.")[2]
    if members and isinstance(get_origin(annotation), type):
        return f"{type_name(get_origin(annotation))}[{', '.join(map(type_name, members))}]"
    if isinstance(annotation, TypeVar | NewType):
        return annotation.__name__
    return "..." if annotation is ... else str(annotation).replace("typing.", "")


def refuse_value(annotation: Any) -> None:
    """Refuse a value in the place of a type, such as `[int]`.

    Raises:
        UnsupportedTypeError: The annotation is a value.
    """
    try:
        hash(annotation)
    except TypeError:
        hint = f"; did you mean list[{type_name(annotation[0])}]?" if _is_list(annotation) else ""
        raise UnsupportedTypeError(f"it is a value, not a type{hint}") from None


def _is_list(annotation: Any) -> bool:
    return isinstance(annotation, list) and len(annotation) == 1


def bare(annotation: Any) -> Any:
    """An annotation without the metadata of `Annotated`."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without `None`, and whether `None` was one of its members."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    members = get_args(annotation)
    rest = [member for member in members if member is not NoneType]
    if len(rest) == len(members):
        return annotation, False
    return (rest[0] if len(rest) == 1 else Union[tuple(rest)]), True  # noqa: UP007


def members_of(annotation: Any) -> Iterator[Any]:
    """An annotation and, depth first, all annotations inside it."""
    yield annotation
    for argument in get_args(annotation):
        yield from members_of(argument)


def is_open(annotation: Any) -> bool:
    """Check for `Any` and `object`; by identity, since an annotation may be any value."""
    return annotation is Any or annotation is object


def is_optional(annotation: Any) -> bool:
    """Check for a union with `None`."""
    annotation = bare(annotation)
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


def is_mapping(annotation: Any) -> bool:
    """Check for a mapping class other than a `TypedDict`."""
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, Mapping) and not hasattr(kind, "__total__")


def dotted_names(annotation: Any) -> set[str]:
    """The dotted name of a class, or those of the members of a union; SDK events by `EVENT_TYPES`.

    A list of classes gives `list[name]`. Large unions name no source.
    """
    annotation = bare(annotation)
    if (sdk_type := sdk.event_type(annotation)) is not None:
        return {sdk_type}
    if get_origin(annotation) in (Union, UnionType):
        members = get_args(annotation)
        return set().union(*map(dotted_names, members)) if len(members) < 4 else set()
    if get_origin(annotation) is list:
        return {f"list[{name}]" for item in get_args(annotation) for name in dotted_names(item)}
    if isinstance(annotation, type):
        return {f"{annotation.__module__}.{annotation.__qualname__}"}
    return set()
