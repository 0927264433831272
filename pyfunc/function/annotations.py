"""Read annotations: their names in messages, their members, and what `Annotated` adds.

Converting values to an annotation is left to `conversion`.
"""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, NewType, TypeVar, Union, get_args, get_origin

__all__ = [
    "UnsupportedTypeError",
    "bare",
    "members_of",
    "refuse_value",
    "type_name",
    "without_none",
]


class UnsupportedTypeError(TypeError):
    """An annotation that no received value can be converted to."""


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
