"""Errors of msgspec and pydantic as one `DataError`: the path first, then the reason.

msgspec's "Expected `int`, got `str` - at `$.a`" becomes "$.a: expected int, got str".
"""

import re
from typing import Any

from pyfunc.errors import DataError

__all__ = ["OWN_PATH", "misfit", "nested_reason", "path_and_reason", "pydantic_reason"]

OWN_PATH = "\x00"
"""Begins a reason that starts with a path of its own."""

# The end of msgspec's messages: "... - at `$.items[2].qty`".
_PATH = r"(?s) - at `(\$.*)`$"


def misfit(name: str, error: Exception) -> DataError:
    """The error for data that does not fit the annotation of a parameter.

    Args:
        name: The parameter's name.
        error: A `msgspec.ValidationError`; its message may hold several reasons with own paths.
    """
    path, reason = path_and_reason(error)
    if reason.startswith(OWN_PATH):
        faults = [f"{path}{fault}" for fault in reason.split(OWN_PATH)[1:]]
    else:
        faults = [f"{path}: {reason}"]
    return DataError(f"{name} does not fit: {'; '.join(faults)}", errors=faults)


def path_and_reason(error: Exception) -> tuple[str, str]:
    """The path and the reason of a `msgspec.ValidationError`."""
    reason, path = str(error), "$"
    if (match := re.search(_PATH, reason)) is not None:
        reason, path = reason[: match.start()], match[1]
    missing = "Object missing required field "
    if reason.startswith(missing):
        return f"{path}.{reason.removeprefix(missing).strip('`')}", "missing"
    reason = reason.replace("`", "")
    return path, f"{reason[:1].lower()}{reason[1:]}"


def nested_reason(error: Exception, suffix: str = "") -> str:
    """The reasons of a `msgspec.ValidationError`, each with its path, for an error further out.

    Args:
        error: The error; its message may hold several reasons with own paths.
        suffix: The end of each reason, such as the type that was tried.
    """
    path, reason = path_and_reason(error)
    if not reason.startswith(OWN_PATH):
        return f"{OWN_PATH}{path[1:]}: {reason}{suffix}"
    return "".join(f"{OWN_PATH}{path[1:]}{one}{suffix}" for one in reason.split(OWN_PATH)[1:])


def pydantic_reason(error: Any) -> str:
    """The faults of a pydantic `ValidationError`, such as `.items[2].qty: input should be ...`.

    Each begins with `OWN_PATH`.
    """
    if not hasattr(error, "errors"):  # a `ValueError` of a model's own
        return f"{OWN_PATH}: {error}"
    faults = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        steps = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in fault["loc"])
        faults.append(f"{steps}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
    return "".join(OWN_PATH + fault for fault in faults)
