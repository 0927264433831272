"""The constraints in the metadata of `Annotated`: those of annotated_types and of pydantic.

msgspec checks its own `Meta` and passes over all others. Neither package is imported for this.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyfunc.function.annotations import UnsupportedTypeError

__all__ = ["Check", "checks_of", "is_for_pydantic"]

Check = tuple[str, Callable[[Any], Any]]
"""The expected values in words, and the test of a value."""

_CHECKS: Mapping[str, Callable[[Any], Check]] = {
    "Gt": lambda one: (f"a value > {one.gt!r}", lambda value: value > one.gt),
    "Ge": lambda one: (f"a value >= {one.ge!r}", lambda value: value >= one.ge),
    "Lt": lambda one: (f"a value < {one.lt!r}", lambda value: value < one.lt),
    "Le": lambda one: (f"a value <= {one.le!r}", lambda value: value <= one.le),
    "MultipleOf": lambda one: (
        f"a multiple of {one.multiple_of!r}",
        lambda value: value % one.multiple_of == 0,
    ),
    "MinLen": lambda one: (
        f"a length of at least {one.min_length}",
        lambda value: len(value) >= one.min_length,
    ),
    "MaxLen": lambda one: (
        f"a length of at most {one.max_length}",
        lambda value: len(value) <= one.max_length,
    ),
    "Predicate": lambda one: (
        f"a value for which {getattr(one.func, '__name__', 'the predicate')} is true",
        one.func,
    ),
}
_NOTES = frozenset({"Unit", "DocInfo"})  # these constrain nothing


def checks_of(metadata: tuple[Any, ...]) -> tuple[Check, ...]:
    """The checks that the metadata of annotated_types asks for.

    Raises:
        UnsupportedTypeError: A constraint that is not known here.
    """
    return tuple(
        _check(one) for one in _single(metadata) if _is_of(one, "annotated_types") and _counts(one)
    )


def _counts(constraint: Any) -> bool:
    return type(constraint).__name__ not in _NOTES


def _check(constraint: Any) -> Check:
    name = type(constraint).__name__
    if name not in _CHECKS:
        raise UnsupportedTypeError(
            f"the constraint {name} is not checked here: check it in the function,"
            " or make the type a pydantic model"
        )
    return _CHECKS[name](constraint)


def _single(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """The constraints one by one: `Interval` and `Len` are groups of them."""
    for one in metadata:
        if any(base.__name__ == "GroupedMetadata" for base in type(one).__mro__):
            yield from _single(tuple(one))
        else:
            yield one


def is_for_pydantic(metadata: tuple[Any, ...]) -> bool:
    """Whether pydantic has to validate the type, as for `Field` or `BeforeValidator`."""
    return any(
        _is_of(one, "pydantic") or hasattr(one, "__get_pydantic_core_schema__") for one in metadata
    )


def _is_of(metadata: Any, package: str) -> bool:
    return type(metadata).__module__.partition(".")[0] == package
