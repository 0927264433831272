"""Compilation of a signature into a frozen `Plan`, once, at start.

`inspect` is used here and in `class_parameters` only. Three steps stay apart: the source of a value
(`_source`), whether the parameter is optional (`_binding`), and the conversion (`readers`).
Precedence: an annotation that names a source's type, else the parameter's name, else its default,
else an error.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pyfunc.errors import SignatureError
from pyfunc.function.annotations import (
    AnnotationError,
    UnsupportedTypeError,
    bare,
    dotted_names,
    evaluate,
    is_open,
    is_optional,
    type_name,
)
from pyfunc.function.readers import reader
from pyfunc.function.sources import SOURCES, Needs, Read, Source
from pyfunc.function.suggest import nearest

__all__ = ["Binding", "Plan", "compile_plan", "is_async", "parameter_names"]

_EMPTY = inspect.Parameter.empty


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter with what it receives.

    A `source` of `None` means that the parameter keeps its default.
    """

    parameter: str
    source: Source | None
    read: Read
    is_keyword: bool
    has_default: bool
    optional: bool
    type_name: str = ""
    """The type that the value is converted to, as written; empty where it is not converted."""
    target: Any = ...
    """The evaluated annotation that it is converted to; `...` where it is not converted."""
    warning: str = ""


class Plan(msgspec.Struct, frozen=True):
    """How to call a function: the reader of every argument, and what must be read for them."""

    name: str
    bindings: tuple[Binding, ...]
    positional: tuple[Read, ...]
    keywords: tuple[tuple[str, Read], ...]
    needs: Needs
    is_async: bool
    is_generator: bool
    takes_batch: bool
    checks_data: bool
    """A parameter reads the data, so that malformed data is found before the call."""
    returns: Any
    """The evaluated return annotation; `...` if it is missing or cannot be evaluated."""
    warnings: tuple[str, ...]

    @property
    def takes_events(self) -> bool:
        """This is an event function; every other one is an HTTP function."""
        return self.needs is Needs.EVENT

    @property
    def takes_data(self) -> bool:
        """Whether the data of an event is part of what the function is called with."""
        sources = [b.source for b in self.bindings if b.source is not None]
        return any(source.name in ("data", "event", "events") for source in sources)

    @property
    def may_stream(self) -> bool:
        """The function gets a request that it may read as it arrives."""
        sources = [b.source for b in self.bindings if b.source is not None]
        return any(s.name == "request" and s.needs is Needs.NOTHING for s in sources)

    @property
    def needs_body(self) -> bool:
        """The body is read before the call."""
        return self.needs >= Needs.BODY


class _Unbindable(Exception):  # noqa: N818 - collected, never raised to a caller
    """The reason why one parameter cannot be bound."""


def compile_plan(
    function: Callable[..., Any], name: str, sources: tuple[Source, ...] = SOURCES
) -> Plan:
    """Choose a source for every parameter of `function`.

    Args:
        function: The user's callable.
        name: The function's name in messages.
        sources: The table of sources.

    Raises:
        SignatureError: Some parameters cannot be bound; it lists all of them.
    """
    author = _author(function)
    # The type of `req` depends on the function that names it; the call, on the outermost one.
    table = tuple(source.as_async() for source in sources) if is_async(author) else sources
    namespace = getattr(author, "__globals__", {})
    bindings: list[Binding] = []
    faults: list[str] = []
    for parameter in _parameters(function, name):
        try:
            bindings.append(_binding(parameter, namespace, table))
        except (_Unbindable, AnnotationError) as fault:
            faults.append(f"{parameter.name}: {fault}")
    if faults:
        is_unknown = any(_UNKNOWN in fault for fault in faults)
        raise SignatureError(name, faults, _hint(table) if is_unknown else "")
    return _plan(function, name, bindings)


def _plan(function: Callable[..., Any], name: str, bindings: list[Binding]) -> Plan:
    used = [binding.source for binding in bindings if binding.source is not None]
    last = max((i for i, b in enumerate(bindings) if b.source and not b.is_keyword), default=-1)
    return Plan(
        name=name,
        bindings=tuple(bindings),
        positional=tuple(b.read for b in bindings[: last + 1] if not b.is_keyword),
        keywords=tuple((b.parameter, b.read) for b in bindings if b.is_keyword and b.source),
        needs=max((source.needs for source in used), default=Needs.NOTHING),
        is_async=is_async(function),
        is_generator=_is_generator(function),
        takes_batch=any(source.name == "events" for source in used),
        checks_data=any(b.source and b.source.name == "data" and b.type_name for b in bindings),
        returns=_returns(function),
        warnings=tuple(b.warning for b in bindings if b.warning),
    )


# --- the function ---------------------------------------------------------------------------------


_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        parameters = _signature(function).parameters.values()
    except (TypeError, ValueError):
        raise SignatureError(
            name, ["its signature cannot be read: wrap it in a function of your own"]
        ) from None
    pinned = function.keywords if isinstance(function, functools.partial) else ()
    return [p for p in parameters if p.kind not in _SEVERAL and p.name not in pinned]


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function, follow_wrapped=_passes_on(function))


def _passes_on(function: Callable[..., Any]) -> bool:
    """Check for a decorator that passes any arguments on to the function under it."""
    try:
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):  # made in C, such as `functools.lru_cache`
        return True
    return any(parameter.kind in _SEVERAL for parameter in parameters)


def _author(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that names the parameters."""
    inner = _innermost(function)
    return inspect.unwrap(inner) if _passes_on(function) else inner


def parameter_names(function: Callable[..., Any]) -> list[str]:
    """Return the parameters of a callable, except `*args` and `**kwargs`; none if unreadable."""
    try:
        return [parameter.name for parameter in _parameters(function, "")]
    except SignatureError:
        return []


def required_parameters(function: Callable[..., Any]) -> list[str]:
    """Return the parameters without a default; none if unreadable."""
    try:
        parameters = _parameters(function, "")
    except SignatureError:
        return []
    return [each.name for each in parameters if each.default is inspect.Parameter.empty]


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under partials and the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    return type(function).__call__


def is_async(function: Callable[..., Any]) -> bool:
    """Check for a function whose result is awaited or iterated on the loop."""
    inner = _innermost(function)
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def _is_generator(function: Callable[..., Any]) -> bool:
    inner = _innermost(function)
    return inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)


def _returns(function: Callable[..., Any]) -> Any:
    try:
        annotation = _signature(function).return_annotation
        namespace = getattr(_author(function), "__globals__", {})
        if annotation is _EMPTY:
            return ...
        return bare(evaluate(annotation, namespace))
    except (AnnotationError, TypeError, ValueError):
        return ...


# --- one parameter --------------------------------------------------------------------------------


def _binding(
    parameter: inspect.Parameter, namespace: dict[str, Any], sources: tuple[Source, ...]
) -> Binding:
    is_typed = parameter.annotation is not _EMPTY
    annotation = evaluate(parameter.annotation, namespace) if is_typed else Any
    default = ... if parameter.default is _EMPTY else parameter.default
    is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    source = _source(parameter.name, annotation, sources)
    if source is None:
        if default is ...:
            raise _Unbindable(_unknown(parameter.name, annotation, sources))
        return Binding(
            parameter=parameter.name,
            source=None,
            read=lambda _: default,
            is_keyword=is_keyword,
            has_default=True,
            optional=True,
        )
    try:
        read, converted_to, warning = reader(source, parameter.name, annotation, default)
    except UnsupportedTypeError as error:
        target = type_name(bare(annotation))
        raise _Unbindable(f"{target} cannot be converted to: {error}") from None
    return Binding(
        parameter=parameter.name,
        source=source,
        read=read,
        is_keyword=is_keyword,
        has_default=default is not ...,
        optional=default is not ... or is_optional(annotation),
        type_name=converted_to,
        target=annotation if converted_to else ...,
        warning=warning,
    )


def _source(name: str, annotation: Any, sources: tuple[Source, ...]) -> Source | None:
    """Choose the source by the annotation, else by the name."""
    names = dotted_names(annotation)
    for source in sources:
        if names.intersection(source.types):
            return source
    for source in sources:
        if name in source.parameters:
            return source
    return None


# --- errors ---------------------------------------------------------------------------------


_UNKNOWN = "there is nothing of this name to ask for"


def _unknown(name: str, annotation: Any, sources: tuple[Source, ...]) -> str:
    if name == "self":
        return "it belongs to a method: take that of an instance, such as `main = Handler().main`"
    names = [parameter for source in sources for parameter in source.parameters]
    near = _ALSO_CALLED.get(name.lower()) or nearest(name.lower(), names, cutoff=0.55)
    typed = "" if is_open(annotation) else f", nor of the type {type_name(annotation)}"
    if near is not None:
        return f"{_UNKNOWN}{typed}; did you mean {near}?"
    remedy = "; call it data for the data of an event, or body for the body of a request"
    return f"{_UNKNOWN}{typed}{remedy if typed else ''}"


# The names of these things in other frameworks.
_ALSO_CALLED: Mapping[str, str] = {
    **dict.fromkeys(("args", "params", "querystring", "query_params"), "query"),
    **dict.fromkeys(("form", "files", "cookies", "json"), "req"),
    **dict.fromkeys(("msg", "message", "ce"), "event"),
}


def _hint(sources: tuple[Source, ...]) -> str:
    names = [parameter for source in sources for parameter in source.parameters]
    return (
        f"A parameter may be named {', '.join(names[:-1])} or {names[-1]},"
        " be annotated with a type that says what it is, or have a default."
    )
