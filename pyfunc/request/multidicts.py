"""Containers of names with one or more values, with Werkzeug's methods.

A name that the request lacks is the caller's mistake and is answered with 400, as in Flask, unless
the function catches the `KeyError`. Parsing is left to `headers` and `forms`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final, Generic, NoReturn, TypeVar, overload

from multidict import CIMultiDict

from pyfunc.errors import RequestError

__all__ = ["BadRequestKeyError", "Headers", "MultiDict"]

V = TypeVar("V")
D = TypeVar("D")
T = TypeVar("T")


class BadRequestKeyError(RequestError, KeyError):
    """A form, query, cookie or file that the function needs and the request does not have.

    Args:
        kind: What is missing, such as `form field`.
        key: The name that the function asked for.
    """

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"the request has no {kind} {key!r}")
        self.kind = kind
        self.key = key

    def __str__(self) -> str:  # KeyError would show the sentence in quotes
        return self.detail

    def __reduce__(self) -> tuple[type[BadRequestKeyError], tuple[str, object]]:
        return type(self), (self.kind, self.key)


class MultiDict(dict[str, V], Generic[V]):
    """An immutable `dict` of the first value of each name that also knows the other values.

    Args:
        pairs: Names and values in their order; a name may come more than once.
        kind: What the values are, for the message about a missing one.
    """

    def __init__(self, pairs: Iterable[tuple[str, V]] = (), kind: str = "value") -> None:
        self._lists: dict[str, list[V]] = {}
        self._kind = kind
        for name, value in pairs:
            self._lists.setdefault(name, []).append(value)
        super().__init__((name, values[0]) for name, values in self._lists.items())

    def __missing__(self, key: str) -> NoReturn:
        raise BadRequestKeyError(self._kind, key)

    @overload  # type: ignore[override]  # `type` is Werkzeug's addition to `dict.get`
    def get(self, key: str) -> V | None: ...
    @overload
    def get(self, key: str, default: D) -> V | D: ...
    @overload
    def get(self, key: str, default: D, type: Callable[[V], T]) -> T | D: ...
    @overload
    def get(self, key: str, *, type: Callable[[V], T]) -> T | None: ...
    def get(self, key: str, default: Any = None, type: Callable[[V], Any] | None = None) -> Any:
        """The first value, converted by `type`; the default if it is missing or does not fit."""
        if key not in self:
            return default
        return _converted(self[key], type, default)

    @overload
    def getlist(self, key: str) -> list[V]: ...
    @overload
    def getlist(self, key: str, type: Callable[[V], T]) -> list[T]: ...
    def getlist(self, key: str, type: Callable[[V], Any] | None = None) -> list[Any]:
        """All values of a name in their order, without those that `type` does not take."""
        values = self._lists.get(key, [])
        if type is None:
            return list(values)
        converted = (_converted(value, type, _UNFIT) for value in values)
        return [value for value in converted if value is not _UNFIT]

    def items(self, multi: bool = False) -> Any:
        """Names with their first values, or with every value where `multi` is true."""
        return self._pairs() if multi else super().items()

    def lists(self) -> Iterator[tuple[str, list[V]]]:
        """Names with all their values."""
        return ((name, list(values)) for name, values in self._lists.items())

    def listvalues(self) -> Iterator[list[V]]:
        """All values, a list for each name."""
        return (list(values) for values in self._lists.values())

    def to_dict(self, flat: bool = True) -> dict[str, Any]:
        """A plain `dict` of first values, or of lists of all values where `flat` is false."""
        return dict(self) if flat else dict(self.lists())

    def copy(self) -> dict[str, V]:
        """A plain `dict` of first values, the caller's to change."""
        return dict(self)

    def _pairs(self) -> Iterator[tuple[str, V]]:
        return ((name, value) for name, values in self._lists.items() for value in values)

    def _immutable(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("the parts of a request cannot be changed; change a `.copy()`")

    __setitem__: Callable[..., NoReturn] = _immutable
    __delitem__: Callable[..., NoReturn] = _immutable
    __ior__: Callable[..., NoReturn] = _immutable
    clear: Callable[..., NoReturn] = _immutable
    pop: Callable[..., NoReturn] = _immutable
    popitem: Callable[..., NoReturn] = _immutable
    setdefault: Callable[..., NoReturn] = _immutable
    update: Callable[..., NoReturn] = _immutable

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultiDict):
            return self._lists == other._lists
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:  # `dict` has one of its own
        return not self == other

    __hash__ = None

    def __reduce__(self) -> tuple[type[MultiDict[V]], tuple[list[tuple[str, V]], str]]:
        return type(self), (list(self._pairs()), self._kind)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._pairs())!r})"


class Headers:
    """The headers of a request or of a form's part; names are matched in any case.

    As in Werkzeug, names are shown `Like-This`, iteration yields pairs, and a header that came more
    than once is its values joined (RFC 9110, section 5.3); `getlist` keeps them apart.

    Args:
        pairs: Names and values as they came.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values = CIMultiDict(pairs)

    def __getitem__(self, name: str) -> str:
        try:
            values = self._values.getall(name)
        except KeyError:
            raise BadRequestKeyError("header", name) from None
        separator = "; " if name.lower() == "cookie" else ","
        return values[0] if len(values) == 1 else separator.join(values)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: D) -> str | D: ...
    @overload
    def get(self, name: str, default: D, type: Callable[[str], T]) -> T | D: ...
    @overload
    def get(self, name: str, *, type: Callable[[str], T]) -> T | None: ...
    def get(self, name: str, default: Any = None, type: Callable[[str], Any] | None = None) -> Any:
        """The header's text, converted by `type`; the default if it is missing or does not fit."""
        return _converted(self[name], type, default) if name in self._values else default

    def getlist(self, name: str) -> list[str]:
        """The values of a header that came more than once, each by itself."""
        return self._values.getall(name, [])

    get_all = getlist

    def keys(self) -> list[str]:
        """Each header's name once, written `Like-This`."""
        return list(dict.fromkeys(name.title() for name in self._values))

    def values(self) -> list[str]:
        """Each header's text."""
        return [self[name] for name in self.keys()]

    def items(self) -> list[tuple[str, str]]:
        """Names and texts."""
        return [(name, self[name]) for name in self.keys()]

    def to_wsgi_list(self) -> list[tuple[str, str]]:
        """Names and texts, under the name that Werkzeug has for it."""
        return self.items()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items())

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self.keys())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._values == other._values

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self) + "\r\n"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.items()!r})"


# Tells a value that `type` refused from any value it may return.
_UNFIT: Final = object()


def _converted(value: Any, convert: Callable[[Any], Any] | None, default: Any) -> Any:
    if convert is None:
        return value
    try:
        return convert(value)
    except (ValueError, TypeError):
        return default
