"""The command `check`: report the parameters, responses and faults of a function.

Nothing is served. `docs/check.md` describes the JSON, whose shape is stable.
"""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from pyfunc.cli.answers import answers
from pyfunc.cli.warnings import warnings
from pyfunc.errors import SignatureError, StartupError
from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import Binding, Plan, compile_plan, required_parameters
from pyfunc.function.sources import Conversion
from pyfunc.settings import OPTIONS, Settings

__all__ = ["check", "describe", "report"]

WIDTH = 80
Report = Mapping[str, Any]


def check(
    settings: Settings, echo: Callable[[str], None], json: bool = False, strict: bool = False
) -> int:
    """Print the report.

    Args:
        settings: The options, as for `start`.
        echo: Prints a text.
        json: Print JSON.
        strict: Treat warnings as faults.

    Returns:
        The exit code: 0 if the function can be served, else 1.
    """
    result = report(settings)
    echo(msgspec.json.format(msgspec.json.encode(result)).decode() if json else describe(result))
    return 1 if result["errors"] or (strict and result["warnings"]) else 0


# --- the report -----------------------------------------------------------------------------------


def report(settings: Settings) -> Report:
    """Examine the function that `start` would serve with these settings."""
    try:
        loaded = load(settings.search_path, settings.module_name, settings.function_name)
    except StartupError as error:
        return _document(settings, errors=[str(error)])
    try:
        plan = compile_plan(loaded.function, str(loaded))
    except SignatureError as error:
        errors = [*error.faults, *_hook_faults(loaded)]
        return _document(settings, loaded, errors=errors, hint=error.hint)
    return _document(settings, loaded, plan, _hook_faults(loaded))


def _hook_faults(loaded: Loaded) -> list[str]:
    """List the hooks that `start` could not call."""
    return [
        f"{name}: hooks are called without arguments; remove {', '.join(names)}"
        for name, hook in loaded.hooks.items()
        if (names := required_parameters(hook))
    ]


def _document(
    settings: Settings,
    loaded: Loaded | None = None,
    plan: Plan | None = None,
    errors: Sequence[str] = (),
    hint: str | None = None,
) -> Report:
    findings = warnings(loaded, plan, settings) if loaded else []
    return {
        "ok": not errors,
        "function": _function(loaded, plan) if loaded else None,
        "parameters": [_parameter(binding) for binding in plan.bindings] if plan else [],
        "answers": _answers(loaded, plan, settings) if loaded and plan else [],
        "hooks": list(loaded.hooks) if loaded else [],
        "options": [*_options(settings)],
        "warnings": [{"code": finding.code, "message": finding.message} for finding in findings],
        "errors": list(errors),
        "hint": hint,
    }


def _function(loaded: Loaded, plan: Plan | None) -> Report:
    return {
        "name": str(loaded),
        "place": loaded.place,
        "kind": None if plan is None else "event" if plan.takes_events else "http",
        "async": None if plan is None else plan.is_async,
        "streaming": None if plan is None else plan.is_generator,
    }


def _parameter(binding: Binding) -> Report:
    source = binding.source
    return {
        "name": binding.parameter,
        "source": source.name if source else None,
        "receives": source.gives if source else "its default",
        "type": binding.type_name or None,
        "absent": _absent(binding),
    }


def _absent(binding: Binding) -> str:
    """Classify what happens if a request has nothing for a parameter."""
    source = binding.source
    if source is None:
        return "default"
    if source.conversion is Conversion.PAYLOAD:
        return _absent_payload(binding, source.name)
    fields = source.conversion is Conversion.STRINGS and binding.type_name[:4] not in ("", "dict")
    return "refused" if fields else "never"


def _absent_payload(binding: Binding, source: str) -> str:
    if binding.has_default:
        return "default"
    if binding.optional or (not binding.type_name and source != "body"):
        return "none"
    return "empty" if binding.type_name in ("", "str", "bytes", "bytearray") else "refused"


def _answers(loaded: Loaded, plan: Plan, settings: Settings) -> list[Report]:
    source = f"/{loaded.module_name}/{loaded.function_name}"
    return [
        {"returned": returned, "answered": answered}
        for returned, answered in answers(plan, settings, source)
    ]


def _options(settings: Settings) -> Iterator[Report]:
    for option in OPTIONS:
        value = getattr(settings, option.name)
        if value != option.default:
            yield {
                "name": option.name,
                "value": _json_value(value),
                "default": _json_value(option.default),
                "flag": option.long_flag,
                "variable": option.variable,
            }


def _json_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


# --- for people -----------------------------------------------------------------------------------


def describe(report: Report) -> str:
    """The report as text of 80 columns."""
    sections = [_headline(report)] if report["function"] else []
    sections += [_section(title, lines(report)) for title, lines in _SECTIONS]
    return "\n\n".join([*filter(None, sections), _verdict(report)])


def _headline(report: Report) -> str:
    function = report["function"]
    if function["kind"] is None:
        return f"{function['place']} {function['name']}"
    words = ["async" if function["async"] else "sync"]
    words += ["streaming"] if function["streaming"] else []
    kind = "event" if function["kind"] == "event" else "HTTP"
    name = function["name"].rpartition(".")[2]
    return f"{function['place']} {name}: {' '.join(words)} {kind} function"


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *lines]) if lines else ""


def _parameters(report: Report) -> list[str]:
    return _table([(row["name"], _received(row)) for row in report["parameters"]])


def _received(row: Report) -> str:
    if row["source"] is None:
        return str(row["receives"])
    converted = f", as {row['type']}" if row["type"] else ""
    return f"{row['receives']}{converted}{_ABSENT[row['absent']]}"


_ABSENT: Mapping[str, str] = {
    "default": "; its default if absent",
    "empty": "; empty if absent",
    "never": "",
    "none": "; None if absent",
    "refused": "; required",
}


def _returned(report: Report) -> list[str]:
    return _table([(row["returned"], row["answered"]) for row in report["answers"]])


def _hooks(report: Report) -> list[str]:
    return _table([(name, _HOOKS.get(name, "")) for name in report["hooks"]])


_HOOKS: Mapping[str, str] = {
    "on_startup": "called before the first request",
    "on_shutdown": "called after the last one",
    "is_ready": "asked by readiness probes",
    "is_alive": "asked by liveness probes",
}


def _changed(report: Report) -> list[str]:
    return _table([(row["variable"], _choice(row)) for row in report["options"]])


def _choice(row: Report) -> str:
    return f"{_shown(row['value'])} (default: {_shown(row['default'])})"


def _shown(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _warnings(report: Report) -> list[str]:
    return _bullets([warning["message"] for warning in report["warnings"]])


def _errors(report: Report) -> list[str]:
    hint = _wrapped(report["hint"], "    ", "    ") if report["hint"] else []
    return [*_bullets(report["errors"]), *hint]


Lines = Callable[[Report], list[str]]
_SECTIONS: tuple[tuple[str, Lines], ...] = (
    ("receives", _parameters),
    ("returns", _returned),
    ("hooks", _hooks),
    ("options that were changed", _changed),
    ("warnings", _warnings),
    ("errors", _errors),
)


def _verdict(report: Report) -> str:
    count = len(report["warnings"])
    if report["errors"]:
        return "It cannot be served."
    return "It can be served" + (f", with {count} warning{'s'[: count > 1]}." if count else ".")


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Two columns; a text that does not fit goes on below itself."""
    width = min(max((len(name) for name, _ in rows), default=0), 34)
    lines: list[str] = []
    for name, text in rows:
        first = f"  {name:<{width}}  "
        lines += _wrapped(text, first, " " * (width + 4))
    return lines


def _bullets(texts: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for text in texts:
        first, *rest = text.splitlines()
        lines += _wrapped(first, "  - ", "    ")
        for line in rest:  # the indented lines of a traceback stay as they are
            lines += [f"    {line}"] if line[:1] == " " else _wrapped(line, "    ", "    ")
    return lines


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    if len(first) > len(rest):  # a name longer than its column stands alone
        return [first.rstrip(), *_wrapped(text, rest, rest)]
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
