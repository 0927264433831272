"""How Sphinx builds the site; `scripts/docs` runs it.

Nothing is fetched: no intersphinx, and the theme brings its own fonts and scripts. Pages are
written so that they read well as files of the repository, too; what only the site needs is here.
"""

import os
import re
from pathlib import Path
from typing import Any

import pyfunc

HERE = Path(__file__).resolve().parent

project = "pyfunc"
author = "the pyfunc authors"
project_copyright = author
release = version = pyfunc.__version__

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"pyfunc {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False

# A page may take in a file that has its place elsewhere: `<!-- include ../docker/README.md -->`.
_INCLUDE = re.compile(r"^<!-- include (\S+) -->$", re.M)
# Where the index names the pages that are in none of its lists.
_OTHER_PAGES = "<!-- other pages -->"
_HEADING = re.compile(r"^#", re.M)
_FENCED = re.compile(r"(^ *```.*?^ *```)", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def setup(app: Any) -> None:
    """What Sphinx calls first."""
    app.connect("source-read", _read)


def _read(app: Any, page: str, source: list[str]) -> None:
    folder = (HERE / page).parent
    whole = _INCLUDE.sub(lambda found: _included(found, folder), source[0])
    whole = _outside_code(whole, lambda text: _linked(text, folder, folder))
    source[0] = whole.replace(_OTHER_PAGES, _others(whole))


def _others(index: str) -> str:
    """Pages that the index does not name yet are reached, too."""
    named = {*index.split(), "index"}
    others = sorted(page.stem for page in HERE.glob("*.md") if page.stem not in named)
    toctree = "\n".join(["```{toctree}", ":hidden:", ":caption: More", "", *others, "```"])
    return toctree if others else ""


def _included(found: "re.Match[str]", folder: Path) -> str:
    """The file, with its links as seen from the page; its headings go below those of the page."""
    path = (folder / found[1]).resolve()
    hashes = "##" if found.start() else "#"
    return _outside_code(
        path.read_text(), lambda text: _linked(_HEADING.sub(hashes, text), path.parent, folder)
    )


def _outside_code(text: str, change: Any) -> str:
    parts = _FENCED.split(text)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _linked(text: str, origin: Path, folder: Path) -> str:
    """Links to other pages lead there; a link to a file that is no page becomes its text."""

    def link(found: "re.Match[str]") -> str:
        target = (origin / found[2]).resolve()
        if target.suffix == ".md" and target.is_relative_to(HERE) and target.is_file():
            return f"[{found[1]}]({os.path.relpath(target, folder)}{found[3] or ''})"
        return found[1]

    return _LINK.sub(link, text)
