"""The command `new`: create a directory with a function, its test, and files to deploy it.

Functions are copied from `templates/pyfunc`, the files around them from `scaffold`. The manifests
are those that `manifest` prints.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pyfunc.cli.deployment import NO_DEAD_LETTER, Deployment, is_name, nearest_name
from pyfunc.cli.manifest import documents
from pyfunc.errors import SettingsError

__all__ = ["TEMPLATES", "new"]

_HERE = Path(__file__).parent
_FUNCTIONS = _HERE.parent / "templates/pyfunc"
_SCAFFOLD = _HERE / "scaffold"

TEMPLATES = ("http", "event", "typed", "batch", "stream")
_EVENT_TEMPLATES = ("event", "typed", "batch")
_ASYNC_TEMPLATES = ("typed", "stream")
# Packaging tools would apply files of these names to pyfunc itself.
_DOTTED: Mapping[str, str] = {"dockerignore": ".dockerignore", "gitignore": ".gitignore"}


def new(echo: Callable[[str], None], name: str, template: str) -> int:
    """Create the directory `name` from a template.

    Args:
        echo: Prints a text.
        name: A path, whose last part is the name of the service.
        template: One of `TEMPLATES`.

    Raises:
        SettingsError: The name is invalid, or the directory exists and is not empty.
    """
    directory = Path(name)
    _check_name(directory.absolute().name)
    _check_directory(directory)
    files = dict(_files(directory.absolute().name, template))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            with (directory / file).open("x", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as error:
        raise SettingsError(f"{name} cannot be created: {error.strerror}") from None
    echo(_summary(directory, template, [*files]))
    return 0


def _check_name(name: str) -> None:
    if is_name(name):
        return
    nearest = nearest_name(name)
    raise SettingsError(
        f"invalid service name {name!r}: expected lower-case letters, digits and hyphens, starting"
        " with a letter" + (f"; did you mean {nearest}?" if nearest else "")
    )


def _check_directory(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        return
    if directory.exists() or directory.is_symlink():
        raise SettingsError(f"{directory} already exists: choose another name, or remove it")


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
        takes_events=template in _EVENT_TEMPLATES,
        is_async=template in _ASYNC_TEMPLATES,
        event_types=("com.example.order",) if template in _EVENT_TEMPLATES else (),
        dead_letter=NO_DEAD_LETTER,
    )
    for text, manifest in documents("knative", function):
        yield f"{text.removeprefix('knative-')}.yaml", manifest
    for text, manifest in documents("func", replace(function, image="", event_types=())):
        yield f"{text}.yaml", manifest


def _summary(directory: Path, template: str, files: list[str]) -> str:
    width = max(map(len, files))
    change_directory = [f"  cd {directory}"] if directory != Path() else []
    lines = [
        f"{directory.absolute().name} was created from the template {template}:",
        *(f"  {file:<{width}}  {_FILES.get(file, '')}".rstrip() for file in files),
        "",
        "Next steps:",
        *change_directory,
        *(f"  python -m {command}" for command in _NEXT),
    ]
    return "\n".join(lines)


_FILES: Mapping[str, str] = {
    ".dockerignore": "files that stay out of the image",
    ".gitignore": "files that stay out of the repository",
    "Dockerfile": "builds an image",
    "README.md": "the commands",
    "func.py": "the function",
    "func.yaml": "for Knative's func",
    "requirements.txt": "dependencies of the function",
    "service.yaml": "for Knative Serving",
    "test_func.py": "its tests",
    "trigger.yaml": "for Knative Eventing",
}
_NEXT = ("pyfunc check", "pyfunc invoke", "pytest", "pyfunc dev")
