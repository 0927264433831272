"""The tables of the README that come from the code."""

import re
from collections.abc import Sequence
from pathlib import Path

from pyfunc.settings import OPTIONS, Option
from pyfunc.sources import SOURCES

# How a type is written where people import it, by the name it has where it is defined.
SPELLED = {
    "pyfunc.events.Event": "pyfunc.Event",
    "list[pyfunc.events.Event]": "list[pyfunc.Event]",
    "pyfunc.request.Request": "pyfunc.Request",
    "pyfunc.context.Context": "pyfunc.Context",
    "aiohttp.web_request.Request": "aiohttp.web.Request",
    "flask.wrappers.Request": "flask.Request",
}


def with_tables(text: str) -> str:
    """The text with every table between its markers written anew."""
    for name, table in (("sources", sources()), ("options", options())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text, count = re.subn(pattern, lambda m: f"{m[1]}{table}{m[2]}", text, flags=re.S)  # noqa: B023
        assert count == 1, name
    return text


def sources() -> str:
    rows = []
    for name in dict.fromkeys(source.name for source in SOURCES):
        group = [source for source in SOURCES if source.name == name]
        named = [f"`{p}`" for source in group for p in source.parameters]
        types = [f"`{SPELLED[t]}`" for source in group for t in source.types if t in SPELLED]
        if any(t.startswith("cloudevents.") for source in group for t in source.types):
            types.append("the CloudEvents SDK's classes")
        first = group[0]
        gives = first.gives + (f"; `async def`: {first.async_gives}" if first.async_gives else "")
        rows.append((", ".join(named), ", ".join(types), gives))
    return _table(("parameter", "or annotation", "receives"), rows)


def options() -> str:
    return _table(("option", "variable", "default", ""), [_option(option) for option in OPTIONS])


def _option(option: Option) -> tuple[str, str, str, str]:
    flags = [flag for flag in option.flags if "_" not in flag]
    return (
        ", ".join(f"`{flag}`" for flag in flags),
        f"`{option.variable}`",
        "" if option.default in (None, (), "") else f"`{_shown(option)}`",
        option.help,
    )


def _shown(option: Option) -> str:
    value = option.default
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    readme = Path(__file__).resolve().parent.parent / "README.md"
    readme.write_text(with_tables(readme.read_text()))
