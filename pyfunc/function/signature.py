"""Compiles a signature against the table of sources into a frozen `Plan`, once, at start.

The only user of `inspect`. Three steps stay apart: where a value comes from (`_source`), whether
it may be left out (`_binding`), and into what it is converted (`_conversion`). Precedence: an
annotation that names a source's type, else the parameter's name, else its default, else an error.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from pyfunc.cloudevents import sdk
from pyfunc.errors import SignatureError
from pyfunc.function.annotations import UnsupportedTypeError, bare, type_name
from pyfunc.function.conversion import from_payload, from_strings
from pyfunc.function.invocation import Invocation
from pyfunc.function.sources import (
    SOURCES,
    Conversion,
    Needs,
    Read,
    Source,
    body_payload,
    event_payload,
)
from pyfunc.function.suggest import nearest

__all__ = ["Binding", "Plan", "compile_plan", "is_async", "parameter_names"]

_EMPTY = inspect.Parameter.empty
_ANYTHING = (_EMPTY, Any, object)


class Binding(msgspec.Struct, frozen=True):
    """One parameter with what it receives.

    A `source` of `None` means that the parameter keeps its default.
    """

    parameter: str
    source: Source | None
    read: Read
    is_keyword: bool
    optional: bool
    annotation: str
    """The type that the value is converted to, as written; empty where it is taken as it comes."""
    warning: str = ""
    wanted: Any = ...
    """The evaluated annotation that it is converted to; `...` where it is taken as it comes."""
    has_default: bool = False


class Plan(msgspec.Struct, frozen=True):
    """How to call a function: every argument's reader, and what must be at hand for them."""

    name: str
    bindings: tuple[Binding, ...]
    positional: tuple[Read, ...]
    keywords: tuple[tuple[str, Read], ...]
    needs: Needs
    is_async: bool
    is_generator: bool
    takes_batch: bool
    checks_data: bool
    """Whether some binding reads the data, so that malformed data is found before the call."""
    returns: Any
    """The evaluated return annotation; `...` where there is none that can be evaluated."""
    warnings: tuple[str, ...]

    @property
    def takes_events(self) -> bool:
        """Whether this is an event function; every other one is an HTTP function."""
        return self.needs is Needs.EVENT

    @property
    def may_stream(self) -> bool:
        """Whether the function is given a request that it may read as it arrives."""
        sources = [b.source for b in self.bindings if b.source is not None]
        return any(s.name == "request" and s.needs is Needs.NOTHING for s in sources)

    @property
    def needs_body(self) -> bool:
        """Whether the body is read before the call."""
        return self.needs >= Needs.BODY


class _Unbindable(Exception):  # noqa: N818 - collected, never raised to a caller
    """Why one parameter cannot be bound."""


def compile_plan(
    function: Callable[..., Any], name: str, sources: tuple[Source, ...] = SOURCES
) -> Plan:
    """Choose a source for every parameter of `function`.

    Args:
        function: The user's callable.
        name: How it is called in messages.
        sources: What may be asked for.

    Raises:
        SignatureError: Some parameters cannot be bound; all of them are told.
    """
    author = _author(function)
    # What `req` is goes by the function that names it; how to call, by the one outside.
    table = tuple(source.as_async() for source in sources) if is_async(author) else sources
    namespace = getattr(author, "__globals__", {})
    bindings: list[Binding] = []
    faults: list[str] = []
    for parameter in _parameters(function, name):
        try:
            bindings.append(_binding(parameter, namespace, table))
        except _Unbindable as fault:
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
        checks_data=any(b.source and b.source.name == "data" and b.annotation for b in bindings),
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
    """Whether a decorator takes whatever the function under it does, and so may be looked under."""
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
    """The names of what a callable takes, `*args` and `**kwargs` aside; none if unreadable."""
    try:
        return [parameter.name for parameter in _parameters(function, "")]
    except SignatureError:
        return []


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under partials and the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    return type(function).__call__


def is_async(function: Callable[..., Any]) -> bool:
    """Whether what a call of it gives has to be awaited or iterated on the loop."""
    inner = _innermost(function)
    return inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)


def _is_generator(function: Callable[..., Any]) -> bool:
    inner = _innermost(function)
    return inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)


def _returns(function: Callable[..., Any]) -> Any:
    try:
        annotation = _signature(function).return_annotation
        namespace = getattr(_author(function), "__globals__", {})
        return ... if annotation is _EMPTY else bare(_evaluated(annotation, namespace))
    except (_Unbindable, TypeError, ValueError):
        return ...


# --- one parameter --------------------------------------------------------------------------------


def _binding(
    parameter: inspect.Parameter, namespace: dict[str, Any], sources: tuple[Source, ...]
) -> Binding:
    annotation = _evaluated(parameter.annotation, namespace)
    has_default = parameter.default is not _EMPTY
    source = _source(parameter.name, annotation, sources)
    is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
    if source is None:
        if not has_default:
            raise _Unbindable(_unknown(parameter.name, annotation, sources))
        default = parameter.default
        return Binding(parameter.name, None, lambda _: default, is_keyword, True, "")
    read, converted, warning = _conversion(parameter, annotation, source)
    optional = has_default or _is_optional(annotation)
    wanted = annotation if converted else ...
    more = (converted, warning, wanted, has_default)
    return Binding(parameter.name, source, read, is_keyword, optional, *more)


def _evaluated(annotation: Any, namespace: dict[str, Any]) -> Any:
    if annotation is _EMPTY:
        return annotation
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, namespace, include_extras=True)["it"]
    except Exception as error:  # an annotation may hold any expression
        raise _Unbindable(
            f"the annotation {annotation!r} cannot be evaluated ({error});"
            " import what it names in the module, outside `if TYPE_CHECKING`"
        ) from None


def _source(name: str, annotation: Any, sources: tuple[Source, ...]) -> Source | None:
    """Where from: by the annotation, else by the name."""
    asked = _dotted_names(annotation)
    for source in sources:
        if asked.intersection(source.types):
            return source
    for source in sources:
        if name in source.parameters:
            return source
    return None


def _dotted_names(annotation: Any) -> set[str]:
    """The dotted name of an annotation, or those of the members of a union."""
    annotation = bare(annotation)
    if (of_the_sdk := sdk.event_type(annotation)) is not None:
        return {of_the_sdk}
    if get_origin(annotation) in (Union, UnionType):
        members = get_args(annotation)
        return set().union(*map(_dotted_names, members)) if len(members) < 4 else set()
    if get_origin(annotation) is list:
        return {f"list[{name}]" for item in get_args(annotation) for name in _dotted_names(item)}
    if isinstance(annotation, type):
        return {f"{annotation.__module__}.{annotation.__qualname__}"}
    return set()


def _is_optional(annotation: Any) -> bool:
    annotation = bare(annotation)
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


# --- into what ------------------------------------------------------------------------------------


def _conversion(
    parameter: inspect.Parameter, annotation: Any, source: Source
) -> tuple[Read, str, str]:
    """The reader with the conversion in it, the type converted to, and a warning or two quotes."""
    plain = bare(annotation)
    if _is_open(plain):
        return _or_default(parameter, source), "", ""
    if _dotted_names(plain).intersection(source.types):
        return source.typed_read(plain) if source.typed_read else source.read, "", ""
    try:
        read = _CONVERSIONS[source.conversion](parameter, annotation, source)
    except UnsupportedTypeError as error:
        raise _Unbindable(f"{type_name(plain)} cannot be converted to: {error}") from None
    if read is not None:
        return read, type_name(plain), ""
    return source.read, "", _mismatch(parameter.name, plain, source)


def _is_open(annotation: Any) -> bool:
    """Whether it leaves the type open; an annotation may be any value, so that none is compared."""
    return any(annotation is anything for anything in _ANYTHING)


def _or_default(parameter: inspect.Parameter, source: Source) -> Read:
    """Data that is absent gives way to the parameter's default."""
    default, read = parameter.default, source.read
    if default is _EMPTY or default is None or source.conversion is not Conversion.PAYLOAD:
        return read

    def read_or_default(invocation: Invocation) -> Any:
        value = read(invocation)
        return default if value is None else value

    return read_or_default


def _from_payload(parameter: inspect.Parameter, annotation: Any, source: Source) -> Read | None:
    if parameter.default is _EMPTY and any(annotation is known for known in source.accepts):
        return source.read
    convert = from_payload(parameter.name, annotation, _default(parameter))
    if convert is None:
        return None
    payload = event_payload if source.needs is Needs.EVENT else body_payload
    return lambda invocation: convert(payload(invocation))


def _from_strings(parameter: inspect.Parameter, annotation: Any, source: Source) -> Read | None:
    plain = bare(annotation)
    if plain is str:
        return lambda invocation: invocation.request.rel_url.raw_query_string
    if _is_mapping(plain) and (get_args(plain) or (str,))[-1] in (str, Any, object):
        return _as_dict(parameter, plain, source)
    convert = from_strings(parameter.name, annotation, _default(parameter))
    return lambda invocation: convert(source.read(invocation))


def _default(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is _EMPTY else parameter.default


def _as_dict(parameter: inspect.Parameter, annotation: Any, source: Source) -> Read | None:
    plain = bare(annotation)
    if (get_origin(plain) or plain) is not dict:
        return None
    return lambda invocation: dict(source.read(invocation))


def _as_it_is(parameter: inspect.Parameter, annotation: Any, source: Source) -> Read | None:
    return None


_CONVERSIONS: Mapping[Conversion, Callable[[inspect.Parameter, Any, Source], Read | None]] = {
    Conversion.NONE: _as_it_is,
    Conversion.PAYLOAD: _from_payload,
    Conversion.STRINGS: _from_strings,
    Conversion.DICT: _as_dict,
}


def _is_mapping(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, Mapping) and not hasattr(kind, "__total__")


def _mismatch(name: str, annotation: Any, source: Source) -> str:
    kind = get_origin(annotation) or annotation
    if any(kind is known for known in source.accepts) or source.conversion is Conversion.PAYLOAD:
        return ""
    if _is_mapping(annotation) and (source.conversion or dict in source.accepts):
        return ""
    return f"{name} is annotated {type_name(annotation)} and receives {source.gives}"


# --- what is told ---------------------------------------------------------------------------------


_UNKNOWN = "there is nothing of this name to ask for"


def _unknown(name: str, annotation: Any, sources: tuple[Source, ...]) -> str:
    if name == "self":
        return "it belongs to a method: take that of an instance, such as `main = Handler().main`"
    known = [parameter for source in sources for parameter in source.parameters]
    near = _ALSO_CALLED.get(name.lower()) or nearest(name.lower(), known, cutoff=0.55)
    typed = "" if _is_open(annotation) else f", nor of the type {type_name(annotation)}"
    if near is not None:
        return f"{_UNKNOWN}{typed}; did you mean {near}?"
    remedy = "; call it data for the data of an event, or body for the body of a request"
    return f"{_UNKNOWN}{typed}{remedy if typed else ''}"


# What other frameworks call these things.
_ALSO_CALLED: Mapping[str, str] = {
    **dict.fromkeys(("args", "params", "querystring", "query_params"), "query"),
    **dict.fromkeys(("form", "files", "cookies", "json"), "req"),
    **dict.fromkeys(("msg", "message", "ce"), "event"),
}


def _hint(sources: tuple[Source, ...]) -> str:
    known = [parameter for source in sources for parameter in source.parameters]
    return (
        f"A parameter may be named {', '.join(known[:-1])} or {known[-1]},"
        " be annotated with a type that says what it is, or have a default."
    )
