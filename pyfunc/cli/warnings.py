"""Warnings about functions that can be served, but will fail or surprise later.

Each row of `PITFALLS` examines the plan, the hooks or the source code. No user code is called.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

from aiohttp import web

from pyfunc.function.loader import Loaded, unwrapped
from pyfunc.function.signature import Plan, parameter_names
from pyfunc.request.view import Request
from pyfunc.settings import Settings

__all__ = ["PITFALLS", "Finding", "Pitfall", "warnings"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning.

    Args:
        code: A stable identifier, for programs.
        message: The text for people.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The function to examine."""

    loaded: Loaded
    settings: Settings
    plan: Plan | None
    tree: ast.AST | None
    """The syntax tree of the function, if its source is available."""

    def parameter(self, source: str) -> str | None:
        """Return the name of the parameter that receives a source."""
        bindings = self.plan.bindings if self.plan else ()
        return next((b.parameter for b in bindings if b.source and b.source.name == source), None)


# Of `code.co_flags` (`inspect.CO_VARARGS` and `CO_VARKEYWORDS`).
CO_VARARGS = 0x04
CO_VARKEYWORDS = 0x08

Find = Callable[[Subject], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Pitfall:
    """A check: the code of its warnings, and the function that yields their messages."""

    code: str
    find: Find


def warnings(loaded: Loaded, plan: Plan | None, settings: Settings) -> list[Finding]:
    """List the warnings, in the order of the table.

    Args:
        loaded: The function and its hooks.
        plan: Its plan; `None` if it is invalid, so that only the hooks are checked.
        settings: The options.
    """
    subject = Subject(loaded, settings, plan, _tree(loaded))
    return [Finding(row.code, message) for row in PITFALLS for message in row.find(subject)]


# --- the request ----------------------------------------------------------------------------------


def _sync_view_in_async(subject: Subject) -> Iterator[str]:
    for name, types in _annotated(subject):
        if subject.plan and subject.plan.is_async and "pyfunc.request.view.Request" in types:
            yield (
                f"{name} is a pyfunc.Request, which is meant for a plain `def`: the whole body is"
                " read before the call. Annotate it with aiohttp.web.Request, or not at all"
            )


def _aiohttp_request_in_sync(subject: Subject) -> Iterator[str]:
    for name, types in _annotated(subject):
        if subject.plan and not subject.plan.is_async and _AIOHTTP_REQUEST.intersection(types):
            yield (
                f"{name} is aiohttp's request, whose read(), json() and post() must be awaited;"
                " a plain `def` cannot. Leave the annotation out, or write `async def`"
            )


def _flask_names_in_async(subject: Subject) -> Iterator[str]:
    plan = subject.plan
    if plan is None or not (plan.is_async and plan.may_stream):
        return
    request = subject.parameter("request")
    for name in sorted(_attributes_of(request, subject.tree)):
        if hasattr(Request, name) and not hasattr(web.Request, name):
            remedy = _IN_AIOHTTP.get(name)
            instead = f"write {remedy.format(request)}" if remedy else "read it from the headers"
            yield (
                f"{request} is aiohttp's request in an `async def`, and has no {name}: {instead},"
                " or make the function a plain `def`"
            )


_IN_AIOHTTP: Mapping[str, str] = {
    "args": "{}.query",
    "data": "await {}.read()",
    "files": "await {}.post()",
    "form": "await {}.post()",
    "full_path": "{}.path_qs",
    "get_data": "await {}.read()",
    "get_json": "await {}.json()",
    "is_json": "{}.content_type",
    "mimetype": "{}.content_type",
    "remote_addr": "{}.remote",
    "stream": "{}.content",
    "values": "{}.query",
}
_AIOHTTP_REQUEST = frozenset({"aiohttp.web_request.Request", "aiohttp.web_request.BaseRequest"})


def _annotated(subject: Subject) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the parameters whose source follows from their type."""
    for binding in subject.plan.bindings if subject.plan else ():
        if binding.source is not None and not binding.source.parameters:
            yield binding.parameter, binding.source.types


def _data_and_body(subject: Subject) -> Iterator[str]:
    data = subject.parameter("data") or subject.parameter("event")
    if data is None:
        return
    reason = (
        "in structured mode the body is the whole event, in batched mode all events. Take the data"
        f" from {data}"
    )
    if body := subject.parameter("body"):
        yield f"{body} is the HTTP body beside {data}: {reason}"
    request = subject.parameter("request")
    for name in sorted(_BODY_READS.intersection(_attributes_of(request, subject.tree))):
        yield f"{request}.{name} reads the HTTP body beside {data}: {reason}"


_BODY_READS = frozenset(
    {"content", "data", "files", "form", "get_data", "get_json", "json", "multipart", "post"}
    | {"read", "stream", "text", "values"}
)


def _attributes_of(name: str | None, tree: ast.AST | None) -> set[str]:
    """Collect the attributes of a name in the function."""
    return {
        node.attr
        for node in ast.walk(tree or ast.Module([], []))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }


# --- hooks ----------------------------------------------------------------------------------------


def _hook_with_parameters(subject: Subject) -> Iterator[str]:
    for name, hook in subject.loaded.hooks.items():
        if names := parameter_names(hook):
            yield (
                f"the hook {name} has the parameter{'s'[: len(names) > 1]} {', '.join(names)}:"
                " hooks are called without arguments"
            )


def _hidden_parameters(subject: Subject) -> Iterator[str]:
    function = subject.loaded.function
    code = getattr(function, "__code__", None)
    takes_any = isinstance(code, CodeType) and code.co_flags & (CO_VARARGS | CO_VARKEYWORDS)
    if subject.plan and not subject.plan.bindings and takes_any:
        yield (
            "the function takes only *args or **kwargs, which receive nothing: where it is the"
            " wrapper of a decorator, decorate that with functools.wraps"
        )


def _status_before_body(subject: Subject) -> Iterator[str]:
    if subject.tree is None or not subject.plan or subject.plan.takes_events:
        return
    for node in ast.walk(subject.tree):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            first, *rest = node.value.elts
            if _is_status(first) and rest and not _is_status(rest[0]):
                yield (
                    f"`return {ast.unparse(node.value)}` is a JSON array with status 200: the body"
                    " comes first, then the status"
                )


def _is_status(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int and 100 <= node.value <= 599
    return ast.unparse(node).rpartition(".")[0].endswith("HTTPStatus")


def _named_like_a_hook(subject: Subject) -> Iterator[str]:
    for name in subject.loaded.neighbours:
        if hook := _LOOK_ALIKES.get(name):
            yield f"{name} is never called: the hook is named {hook}"


def _hook_not_callable(subject: Subject) -> Iterator[str]:
    for name in subject.loaded.ignored:
        yield f"the hook {name} is not callable: make it a function"


_LOOK_ALIKES: Mapping[str, str] = {
    **dict.fromkeys(("startup", "on_start", "start", "init", "on_init"), "on_startup"),
    **dict.fromkeys(("shutdown", "on_stop", "stop", "on_cleanup", "cleanup"), "on_shutdown"),
    **dict.fromkeys(("ready", "readiness", "on_ready"), "is_ready"),
    **dict.fromkeys(("alive", "live", "is_live", "liveness", "is_healthy"), "is_alive"),
}


# --- replies --------------------------------------------------------------------------------------


def _endless_loop(subject: Subject) -> Iterator[str]:
    """Find replies with the received type, which a broker delivers to the function again."""
    if subject.tree is None or not (subject.plan and subject.plan.takes_events):
        return
    reason = "a broker whose trigger matches that type delivers it again, endlessly"
    if returned := _returned_as_received(subject):
        yield f"{returned} is returned with the received type: {reason}"
    replied = set(_replied_types(subject.tree))
    if subject.settings.reply_type:
        replied.add(subject.settings.reply_type)
    for name in sorted(replied & set(_received_types(subject.tree))):
        yield f"the reply has the type {name}, which the function also receives: {reason}"


def _returned_as_received(subject: Subject) -> str | None:
    """Return the parameter with the event or attributes, if returned without a new type."""
    for source in ("event", "attributes"):
        name = subject.parameter(source)
        if name and name not in _changed(subject.tree) and name in _returned(subject.tree):
            return name
    return None


def _returned(tree: ast.AST | None) -> set[str]:
    """Collect the names that are returned: alone, or first in a pair."""
    names = set()
    for node in ast.walk(tree or ast.Module([], [])):
        value = node.value if isinstance(node, ast.Return | ast.Yield) else None
        if isinstance(value, ast.Tuple) and len(value.elts) == 2:
            value = value.elts[0]
        if isinstance(value, ast.Name):
            names.add(value.id)
    return names


def _changed(tree: ast.AST | None) -> set[str]:
    """Collect the names that are assigned, passed to a call, or whose type may be set."""
    names: set[str] = set()
    for node in ast.walk(tree or ast.Module([], [])):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Subscript) and _may_set_type(node):
            names |= _name(node.value)
        elif isinstance(node, ast.Call) and not _only_reads(node.func):
            names |= set().union(*(_name(argument) for argument in node.args))
            names |= set().union(*(_name(keyword.value) for keyword in node.keywords))
            names |= _receiver(node.func)
    return names


def _may_set_type(node: ast.Subscript) -> bool:
    is_other = isinstance(node.slice, ast.Constant) and node.slice.value != "type"
    return isinstance(node.ctx, ast.Store) and not is_other


def _only_reads(function: ast.expr) -> bool:
    """Recognize calls that only print, log or measure their arguments."""
    name = function.attr if isinstance(function, ast.Attribute) else "".join(_name(function))
    return name in _READERS


_READERS = frozenset(
    {"critical", "debug", "dumps", "error", "exception", "info", "isinstance", "len", "log"}
    | {"print", "repr", "str", "warning"}
)


def _receiver(function: ast.expr) -> set[str]:
    """`x` of `x.update`, which may set the type of `x`."""
    if isinstance(function, ast.Attribute) and function.attr in ("update", "setdefault"):
        return _name(function.value)
    return set()


def _name(node: ast.AST) -> set[str]:
    return {node.id} if isinstance(node, ast.Name) else set()


def _received_types(tree: ast.AST) -> Iterator[str]:
    """Yield the texts that the type of the event is compared with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and _is_type(node.left):
            for other in node.comparators:
                yield from _texts(other)
        elif isinstance(node, ast.Match) and _is_type(node.subject):
            for case in node.cases:
                yield from _texts(case.pattern)


def _is_type(node: ast.AST) -> bool:
    """`event.type`, `event["type"]`, `event.get("type")`, `event.get_type()`."""
    match node:
        case ast.Attribute(attr="type") | ast.Subscript(slice=ast.Constant(value="type")):
            return True
        case ast.Call(func=ast.Attribute(attr="get_type")):
            return True
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value="type"), *_]):
            return True
    return False


def _replied_types(tree: ast.AST) -> Iterator[str]:
    """Yield the texts that become a type: assigned to `["type"]`, or under that key of a dict."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value="type"))], value=text):
                yield from _texts(text)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "type":
                        yield from _texts(value)


def _texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


# --- the table ------------------------------------------------------------------------------------


def _mismatches(subject: Subject) -> Iterator[str]:
    yield from subject.plan.warnings if subject.plan else ()


PITFALLS: tuple[Pitfall, ...] = (
    Pitfall("annotation-mismatch", _mismatches),
    Pitfall("sync-request-in-async", _sync_view_in_async),
    Pitfall("async-request-in-sync", _aiohttp_request_in_sync),
    Pitfall("flask-names-in-async", _flask_names_in_async),
    Pitfall("data-and-body", _data_and_body),
    Pitfall("hook-with-parameters", _hook_with_parameters),
    Pitfall("hidden-parameters", _hidden_parameters),
    Pitfall("status-before-body", _status_before_body),
    Pitfall("named-like-a-hook", _named_like_a_hook),
    Pitfall("hook-not-callable", _hook_not_callable),
    Pitfall("endless-loop", _endless_loop),
)


def _tree(loaded: Loaded) -> ast.AST | None:
    """Parse the source of the function; `None` if there is none."""
    inner = unwrapped(loaded.function)
    code = getattr(inner, "__code__", None) or getattr(
        vars(type(inner)).get("__call__"), "__code__", None
    )
    if not isinstance(code, CodeType):
        return None
    try:
        module = ast.parse(Path(code.co_filename).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    return next((node for node in ast.walk(module) if _starts_at(node, code.co_firstlineno)), None)


def _starts_at(node: ast.AST, line: int) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return False
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return line == min([node.lineno, *(decorator.lineno for decorator in decorators)])
