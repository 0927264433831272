"""Makes a directory with a function from a template, its test, and what it takes to deploy it.

`templates/pyfunc` has the functions; they are copied as they are. `scaffold` has what goes around
each of them, and the manifests are those that `manifest` prints.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pyfunc.cli.cluster import NOWHERE, Deployment, is_name, near
from pyfunc.cli.manifest import documents
from pyfunc.errors import SettingsError

__all__ = ["TEMPLATES", "run"]

_HERE = Path(__file__).parent
_FUNCTIONS = _HERE.parent / "templates/pyfunc"
_SCAFFOLD = _HERE / "scaffold"

TEMPLATES = ("http", "event", "typed", "batch", "stream")
_OF_EVENTS = ("event", "typed", "batch")
_ASYNC = ("typed", "stream")
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
    if is_name(name):
        return
    meant = near(name)
    raise SettingsError(
        f"the name {name!r} cannot be that of a service: expected lower-case letters, digits and"
        " hyphens, a letter first" + (f"; did you mean {meant}?" if meant else "")
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
    for path in sorted(_SCAFFOLD.iterdir()):
        if path.is_file():
            yield _DOTTED.get(path.name, path.name), path.read_text(encoding="utf-8")
    yield from _manifests(name, template)


def _manifests(name: str, template: str) -> Iterator[tuple[str, str]]:
    function = Deployment(
        name=name,
        image=f"registry.example.com/team/{name}",
        takes_events=template in _OF_EVENTS,
        is_async=template in _ASYNC,
        event_types=("com.example.order",) if template in _OF_EVENTS else (),
        dead_letter=NOWHERE,
    )
    for text, manifest in documents("knative", function):
        yield f"{text.removeprefix('knative-')}.yaml", manifest
    for text, manifest in documents("func", replace(function, image="", event_types=())):
        yield f"{text}.yaml", manifest


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
