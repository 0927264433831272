"""Loading of the user's module: its function and hooks, or an error that names the exact fault.

The parameters of the function are for `signature`.
"""

import functools
import importlib
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

import msgspec

from pyfunc.cloudevents import sdk_aliases
from pyfunc.errors import LoadError
from pyfunc.function.search_path import put_first
from pyfunc.function.suggest import nearest
from pyfunc.function.tracebacks import format_user_traceback, user_frames

__all__ = ["HOOKS", "Loaded", "load", "loaded_from", "unwrapped"]

HOOKS = ("on_startup", "on_shutdown", "is_ready", "is_alive")

_MISSING = object()
_RELATIVE = "\nModules beside this one are imported by their own names: write `import helper`."

Hooks = MappingProxyType[str, Callable[[], Any]]


class Loaded(msgspec.Struct, frozen=True):
    """The function, its name and place for messages, and the hooks of its module."""

    function: Callable[..., Any]
    hooks: Hooks
    module_name: str
    function_name: str
    place: str
    """The file and line, such as `func.py:12`; the module's name where no line is known."""
    neighbours: tuple[str, ...] = ()
    """The other public functions of the module, hooks aside."""
    ignored: tuple[str, ...] = ()
    """Names of hooks that are bound to something other than a function."""

    def __str__(self) -> str:
        return f"{self.module_name}.{self.function_name}"


def load(search_path: str, module_name: str, function_name: str | None) -> Loaded:
    """Import `module_name` from `search_path` and find its function.

    The search path stays on `sys.path`, since functions import their neighbours at request time
    too.

    Args:
        search_path: A directory.
        module_name: A module or package; dots are allowed.
        function_name: The function; `None` means `main`, or else the only public one.

    Raises:
        LoadError: The directory, module or function does not exist, or the import fails.
    """
    _refuse_bad_name(module_name)
    root = Path(search_path).absolute()
    if not root.is_dir():
        raise LoadError(f"the search path {search_path} is no directory: choose one with -s")
    try:
        put_first(root)
    except OSError as error:
        raise LoadError(f"the search path {search_path} cannot be read: {error.strerror}") from None
    importlib.invalidate_caches()
    sdk_aliases.install()
    module = _import(root, module_name)
    name, function = _find_function(module, module_name, function_name)
    return _loaded(function, vars(module), module_name, name, root)


def loaded_from(function: Callable[..., Any]) -> Loaded:
    """Make `Loaded` from a function, with the hooks of the module that defines it."""
    inner = unwrapped(function)
    module_name = inner.__module__
    namespace = vars(sys.modules.get(module_name, ModuleType("")))
    name = getattr(inner, "__name__", type(inner).__name__)
    return _loaded(function, namespace, module_name, name, Path.cwd())


def _loaded(
    function: Callable[..., Any],
    namespace: dict[str, Any],
    module_name: str,
    function_name: str,
    root: Path,
) -> Loaded:
    hooks = {name: namespace[name] for name in HOOKS if callable(namespace.get(name))}
    public = _public_functions(namespace, module_name)
    return Loaded(
        function,
        MappingProxyType(hooks),
        module_name,
        function_name,
        _place(function, root) or module_name,
        neighbours=tuple(name for name in public if name != function_name),
        ignored=tuple(name for name in HOOKS if name in namespace and name not in hooks),
    )


def _import(root: Path, module_name: str) -> ModuleType:
    try:
        module = importlib.import_module(module_name)
    except SyntaxError as error:
        fault = "imports a module with" if user_frames(error.__traceback__) else "has"
        raise LoadError(
            f"{module_name} {fault} a syntax error:\n{format_user_traceback(error)}"
        ) from None
    except ModuleNotFoundError as error:
        raise _not_found(root, module_name, error) from None
    except BaseException as error:  # user code; SystemExit at import is a mistake too
        if isinstance(error, KeyboardInterrupt):
            raise
        remedy = _RELATIVE if "no known parent package" in str(error) else ""
        raise LoadError(
            f"{module_name} fails while it is imported:\n{format_user_traceback(error)}{remedy}"
        ) from None
    _refuse_namesake(root, module_name, module)
    return module


def _refuse_bad_name(module_name: str) -> None:
    is_file = module_name.endswith(".py")
    if not is_file and all(part.isidentifier() for part in module_name.split(".")):
        return
    hint = module_name.partition(":")[0].removesuffix(".py").strip("./")
    hint = hint.replace("/", ".").replace("-", "_")
    raise LoadError(
        f"{module_name!r} is no module name: expected one such as func or app.handlers"
        + (f"; did you mean {hint}?" if hint != module_name else "")
    )


def _not_found(root: Path, module_name: str, error: ModuleNotFoundError) -> LoadError:
    missing = error.name or ""
    is_ours = module_name == missing or module_name.startswith(f"{missing}.")
    if not is_ours or user_frames(error.__traceback__):
        return _missing_import(root, module_name, missing, error)
    modules = _modules_below(root, module_name.rpartition(".")[0])
    return LoadError(
        f"there is no module {module_name} in {root}. "
        + (f"The modules there: {', '.join(modules)}. " if modules else "No Python file is there. ")
        + _did_you_mean(module_name, modules)
        + "Choose another directory with -s or another module with -m."
    )


def _missing_import(
    root: Path, module_name: str, missing: str, error: ModuleNotFoundError
) -> LoadError:
    """Report a missing import: a module of the user's own, or one to be installed."""
    top, _, below = missing.partition(".")
    is_own = bool(below) and root.joinpath(top).is_dir()
    fault = "there" if is_own else "installed"
    lines = [f"{module_name} imports {missing}, which is not {fault}:"]
    lines.append(format_user_traceback(error))
    if not is_own:
        lines.append(
            f"Install it where pyfunc runs (it may be called otherwise than {top!r}),"
            " and add it to the requirements of the function."
        )
    modules = [
        name for name in _modules_below(root, missing.rpartition(".")[0]) if name != module_name
    ]
    if near := nearest(missing, modules):
        lines.append(f"A module {near} is in {root}: did you mean that one?")
    return LoadError("\n".join(lines))


def _modules_below(root: Path, package: str) -> list[str]:
    folder = root.joinpath(*package.split(".")) if package else root
    prefix = f"{package}." if package else ""
    names = {path.stem for path in folder.glob("*.py") if path.stem.isidentifier()}
    names |= {path.parent.name for path in folder.glob("*/__init__.py")}
    return sorted(prefix + name for name in names - {"__init__"})


def _refuse_namesake(root: Path, module_name: str, module: ModuleType) -> None:
    """Refuse a module from elsewhere that hides the user's file of that name."""
    file = root.joinpath(*module_name.split("."))
    is_own = file.with_suffix(".py").exists() or file.joinpath("__init__.py").exists()
    origin = getattr(module, "__file__", None)
    if is_own and root not in Path(origin or "/").absolute().parents:
        raise LoadError(
            f"the name {module_name} belongs to another module ({origin or 'built into Python'}):"
            " rename the file and choose it with -m"
        )


def _find_function(
    module: ModuleType, module_name: str, function_name: str | None
) -> tuple[str, Callable[..., Any]]:
    public = _public_functions(vars(module), module.__name__)
    name = function_name or "main"
    if function_name is None and not hasattr(module, "main") and len(public) == 1:
        name = public[0]
    if name in HOOKS:
        raise LoadError(f"{name} is a hook: expected another function, with -f or FUNCTION_NAME")
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, _MISSING)
    if function is _MISSING:
        raise LoadError(_no_function(module, name, public, function_name is not None))
    if isinstance(function, type):
        raise LoadError(
            f"{module_name}.{name} is a class: expected a function or an instance with __call__;"
            f" write {name} = {name}(), or choose another name with -f"
        )
    if not callable(function):
        raise LoadError(
            f"{module_name}.{name} is of type {type(function).__name__}: expected a function"
            + (", not what it returns" if isinstance(function, Awaitable) else "")
        )
    return name, function


def _public_functions(namespace: dict[str, Any], module_name: str) -> list[str]:
    return [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in HOOKS and _is_defined_in(module_name, value)
    ]


def _is_defined_in(module_name: str, value: Any) -> bool:
    """Check for a function, decorated or not, or a callable object that the module defines."""
    if isinstance(value, type) or getattr(value, "__module__", None) != module_name:
        return False
    if isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
        return True
    return callable(value) and type(value).__module__ == module_name


def _no_function(module: ModuleType, name: str, public: list[str], is_named: bool) -> str:
    module_name = module.__name__
    if getattr(module, "__file__", None) is None:
        modules = _modules_below(Path(next(iter(module.__path__))), "")
        listed = ", ".join(f"{module_name}.{other}" for other in modules)
        return (
            f"{module_name} is a directory without __init__.py:"
            f" choose one of its modules with -m: {listed or 'none is there'}"
        )
    if not public:
        return f"{module_name} has no function {name}, nor any other: write `def {name}(...)` in it"
    listed = ", ".join(public)
    if is_named:
        return (
            f"{module_name} has no function {name}. {_did_you_mean(name, public)}"
            f"Its functions: {listed}."
        )
    return (
        f"{module_name} has no function {name}, and more than one other: {listed}."
        " Choose one with -f or FUNCTION_NAME."
    )


def _did_you_mean(name: str, candidates: list[str]) -> str:
    near = nearest(name, candidates)
    return f"Did you mean {near}? " if near else ""


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Remove decorators and partials from a function."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function


def _place(function: Callable[..., Any], root: Path) -> str:
    inner = unwrapped(function)
    call = vars(type(inner)).get("__call__")
    code = getattr(inner, "__code__", None) or getattr(call, "__code__", None)
    if code is None:
        return ""
    file = Path(code.co_filename)
    shown = file.relative_to(root) if root in file.parents else file
    return f"{shown}:{code.co_firstlineno}"
