"""Makes a directory with a function from a template, its test, and what it takes to deploy it.

`templates/pyfunc` has the functions; they are copied as they are. `scaffold` has what goes around
each of them; the function's name is filled in there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template

from pyfunc.errors import SettingsError

__all__ = ["TEMPLATES", "run"]

_HERE = Path(__file__).parent
_FUNCTIONS = _HERE / "templates/pyfunc"
_SCAFFOLD = _HERE / "scaffold"

TEMPLATES = ("http", "event", "typed", "batch", "stream")
_OF_EVENTS = ("event", "typed", "batch")
# Knative makes a host name of it (RFC 1123, section 2.1).
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch
# Names that packaging tools would take for their own.
_DOTTED: Mapping[str, str] = {"dockerignore": ".dockerignore", "gitignore": ".gitignore"}


def run(say: Callable[[str], None], name: str, template: str) -> int:
    """Make the directory `name` from a template.

    Args:
        say: Prints a text.
        name: A path whose last part is the function's name.
        template: One of `TEMPLATES`.

    Raises:
        SettingsError: The name is none, or something is there already.
    """
    directory = Path(name)
    _refuse_bad_name(directory.absolute().name)
    _refuse_to_overwrite(directory)
    files = dict(_files(directory.absolute().name, template))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            with (directory / file).open("x", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as error:
        raise SettingsError(f"{name} cannot be made: {error.strerror}") from None
    say(_told(directory, template, [*files]))
    return 0


def _refuse_bad_name(name: str) -> None:
    if _NAME(name):
        return
    near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:63]
    raise SettingsError(
        f"the name {name!r} cannot be that of a service: expected lower-case letters, digits and"
        " hyphens, a letter first" + (f"; did you mean {near}?" if _NAME(near) else "")
    )


def _refuse_to_overwrite(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        return
    if directory.exists() or directory.is_symlink():
        raise SettingsError(f"{directory} is there already: choose another name, or remove it")


def _files(name: str, template: str) -> Iterator[tuple[str, str]]:
    for path in sorted((_FUNCTIONS / template).iterdir()):
        if path.is_file():
            yield path.name, path.read_text(encoding="utf-8")
    of_events = template in _OF_EVENTS
    filled = {
        "name": name,
        "image": f"registry.example.com/team/{name}",
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "invoke": "invoke: cloudevent\n" if of_events else "",
    }
    for path in sorted(_SCAFFOLD.iterdir()):
        if path.is_file() and (of_events or path.name != "trigger.yaml"):
            text = Template(path.read_text(encoding="utf-8")).substitute(filled)
            yield _DOTTED.get(path.name, path.name), text


def _told(directory: Path, template: str, files: list[str]) -> str:
    width = max(map(len, files))
    enter = [f"  cd {directory}"] if directory != Path() else []
    lines = [
        f"{directory.absolute().name} was made from the template {template}:",
        *(f"  {file:<{width}}  {_FILES.get(file, '')}".rstrip() for file in files),
        "",
        "What to do next:",
        *enter,
        *(f"  python -m {command}" for command in _NEXT),
    ]
    return "\n".join(lines)


_FILES: Mapping[str, str] = {
    ".dockerignore": "what is no part of the image",
    ".gitignore": "what is no part of the repository",
    "Dockerfile": "makes an image",
    "README.md": "the commands",
    "func.py": "the function",
    "func.yaml": "for Knative's func",
    "requirements.txt": "what the function needs",
    "service.yaml": "for Knative Serving",
    "test_func.py": "its tests",
    "trigger.yaml": "for Knative Eventing",
}
_NEXT = ("pyfunc check", "pyfunc invoke", "pytest", "pyfunc dev")
