"""The tables of the README and of the documentation that come from the code."""

import re
from collections.abc import Sequence
from pathlib import Path

from pyfunc.function.sources import SOURCES
from pyfunc.settings import OPTIONS, Option

# How a type is written where people import it, by the name it has where it is defined.
SPELLED = {
    "pyfunc.cloudevents.event.Event": "pyfunc.Event",
    "list[pyfunc.cloudevents.event.Event]": "list[pyfunc.Event]",
    "pyfunc.request.view.Request": "pyfunc.Request",
    "pyfunc.function.invocation.Context": "pyfunc.Context",
    "aiohttp.web_request.Request": "aiohttp.web.Request",
    "flask.wrappers.Request": "flask.Request",
}


_DOTTED = re.compile(r"\w+(?:\.\w+)+")

ROOT = Path(__file__).resolve().parent.parent

# Which page holds which of the tables, between comments of their names.
PAGES = {
    "README.md": ("sources", "options"),
    "docs/options.md": ("options in full",),
    "docs/sources.md": ("sources",),
}


def with_tables(text: str, names: Sequence[str]) -> str:
    """The text with these tables, between their markers, written anew."""
    for name in names:
        table = _TABLES[name]()
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
        rows.append((", ".join(named), ", ".join(types), _DOTTED.sub(r"`\g<0>`", gives)))
    return _table(("parameter", "or annotation", "receives"), rows)


def options() -> str:
    return _table(("option", "variable", "default", ""), [_option(option) for option in OPTIONS])


def options_in_full() -> str:
    """A table for each group of options, narrow enough for a phone."""
    sections = []
    for group in dict.fromkeys(option.group for option in OPTIONS):
        rows = [_option_in_full(option) for option in OPTIONS if option.group == group]
        table = _table(("option, variable", "meaning, values, default"), rows)
        sections.append(f"\n## {group.capitalize()}\n\n{table}\n")
    return "".join(sections)


def _option_in_full(option: Option) -> tuple[str, str]:
    flags, variable, default, _ = _option(option)
    names = "<br>".join([*flags.split(", "), variable])
    takes = f"Takes {option.kind.expected}" + (f"; default {default}." if default else ".")
    return names, f"{option.help[0].upper()}{option.help[1:]}. {takes}"


def _option(option: Option) -> tuple[str, str, str, str]:
    flags = [flag for flag in option.flags if "_" not in flag]
    return (
        ", ".join(f"`{flag}`" for flag in flags),
        f"`{option.variable}`",
        f"`{option.default_text}`" if option.default_text else "",
        option.help,
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


_TABLES = {"sources": sources, "options": options, "options in full": options_in_full}

if __name__ == "__main__":
    for page, names in PAGES.items():
        path = ROOT / page
        path.write_text(with_tables(path.read_text(), names))
