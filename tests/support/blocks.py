"""The code blocks of the documentation, and the commands and outputs of console blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.serving import ROOT

__all__ = ["PAGES", "Block", "Step", "blocks", "same", "steps"]

_PATTERNS = ("*.md", "docs/**/*.md", "docker/**/*.md", "examples/*/README.md")
PAGES = sorted(str(path.relative_to(ROOT)) for pattern in _PATTERNS for path in ROOT.glob(pattern))

_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\S*).*\n(?P<text>(?:.*\n)*?)(?P=indent)```$",
    re.M,
)
_VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "TIME"),
    (re.compile(r"\d+ ms"), "MILLISECONDS"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page.

    Args:
        where: The page and the line, for messages.
        language: What the fence says.
        text: What is in it.
        reason: Why it cannot be run; empty where it can.
    """

    where: str
    language: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a console block, with the output that is shown below it."""

    command: str
    output: str


def blocks(page: str) -> Iterator[Block]:
    """All blocks of a page, in order."""
    text = Path(ROOT, page).read_text()
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(f"{page}:{line}", found["language"], _dedented(found), found["reason"] or "")


def _dedented(found: "re.Match[str]") -> str:
    indent = found["indent"]
    return "".join(line.removeprefix(indent) for line in found["text"].splitlines(keepends=True))


def steps(block: Block) -> list[Step]:
    """The commands of a console block: lines after `$ `, with those that a backslash continues."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if found and found[-1][0][-1].endswith("\\") and not found[-1][1]:
            found[-1][0].append(line)
        elif line.startswith("$ "):
            found.append(([line.removeprefix("$ ")], []))
        else:
            assert found, f"{block.where}: output before the first command"
            found[-1][1].append(line)
    return [Step("\n".join(command), "\n".join(output).strip()) for command, output in found]


def same(shown: str, actual: str) -> bool:
    """Whether an output is what a page shows.

    Ids and times may differ, a shown HTTP head may leave headers out, and `...` stands for any
    lines.
    """
    shown, actual = _settled(shown), _settled(actual)
    if shown.startswith("HTTP/1.1 "):
        shown_head, _, shown = shown.partition("\n\n")
        head, _, actual = actual.partition("\n\n")
        if not _head(shown_head) <= _head(head):
            return False
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
    return re.fullmatch(pattern, actual.strip(), re.S) is not None


def _head(text: str) -> set[str]:
    status, *headers = text.splitlines()
    pairs = (header.partition(": ") for header in headers)
    return {status, *(f"{name.lower()}: {value}" for name, _, value in pairs)}


def _settled(text: str) -> str:
    text = text.replace("\r\n", "\n")
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text
