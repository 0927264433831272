"""Says what a function is and what each of its parameters will receive; nothing is served."""

from pyfunc.loader import Loaded, load
from pyfunc.resolver import Binding, Plan, compile_plan
from pyfunc.settings import Settings

__all__ = ["describe"]


def describe(settings: Settings) -> str:
    """An account of the function that `start` would serve with these settings.

    Raises:
        StartupError: It cannot be served; the message says why.
    """
    loaded = load(settings.search_path, settings.module_name, settings.function_name)
    plan = compile_plan(loaded.function, str(loaded))
    rows = [(binding.parameter, _receives(binding)) for binding in plan.bindings]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [_headline(loaded, plan), *(f"  {name:<{width}}  {what}" for name, what in rows)]
    if loaded.hooks:
        lines.append(f"hooks: {', '.join(loaded.hooks)}")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in plan.warnings)])


def _headline(loaded: Loaded, plan: Plan) -> str:
    kind = "event" if plan.takes_events else "HTTP"
    called = "async" if plan.is_async else "sync"
    streams = ", streaming" if plan.is_generator else ""
    return f"{loaded.place} {loaded.function_name}: {called} {kind} function{streams}"


def _receives(binding: Binding) -> str:
    if binding.source is None:
        return "its default"
    converted = f", as {binding.annotation}" if binding.annotation else ""
    return binding.source.gives + converted + (" (optional)" if binding.optional else "")
