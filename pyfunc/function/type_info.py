"""Inspect types through msgspec: their members, types that nothing can fill, default values.

Decoding is left to `decoding`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from pyfunc.function.annotations import UnsupportedTypeError, type_name

__all__ = ["completion", "is_many", "keep", "type_info"]


def type_info(annotation: Any) -> Any:
    """The `msgspec.inspect` description of a type.

    Raises:
        UnsupportedTypeError: Nothing can be converted to the type, or to one inside it.
    """
    try:
        info = msgspec.inspect.type_info(annotation)
    except (TypeError, NameError) as error:
        raise UnsupportedTypeError(str(error)) from None
    for node in _nodes(info, required=True):
        if isinstance(node, msgspec.inspect.CustomType) and not _builds_itself(node.cls):
            raise UnsupportedTypeError(
                f"{type_name(node.cls)} says nothing about its fields:"
                " make it a dataclass, a TypedDict or a model"
            )
    return info


def _builds_itself(cls: Any) -> bool:
    return hasattr(cls, "model_validate") or hasattr(cls, "build")


def _nodes(info: Any, required: bool = False) -> Iterator[Any]:
    """A type and the types within it, or only those that a sender has to fill."""
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


def is_many(info: Any) -> bool:
    """Whether a type, or a member of a union, holds several values."""
    members = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    kinds = ("ListType", "SetType", "FrozenSetType", "VarTupleType", "TupleType", "CollectionType")
    return any(type(member).__name__ in kinds for member in members)


def keep(value: Any) -> Any:
    """Return the value as it is."""
    return value


def completion(annotation: Any) -> Callable[[Any], Any]:
    """Make the function that gives decoded dataclasses the fields left to their defaults.

    msgspec leaves a default in the class, where neither `vars` nor its own encoder look. `keep`
    where the type has no dataclass.
    """
    nodes = _nodes(type_info(annotation))
    if not any(isinstance(node, msgspec.inspect.DataclassType) for node in nodes):
        return keep

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
