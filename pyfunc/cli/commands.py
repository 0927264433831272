"""The table of commands: name, what it does, an example, its flags, and the room that runs it.

A row costs nothing until its command is given: its room is imported then.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec

from pyfunc.errors import SettingsError
from pyfunc.settings import OPTIONS, Settings

__all__ = ["COMMANDS", "Arguments", "Command", "Flag"]

EVERY_GROUP = tuple(dict.fromkeys(option.group for option in OPTIONS))


class Flag(msgspec.Struct, frozen=True):
    """Something that one command takes on the command line alone, as argparse is told of it."""

    names: tuple[str, ...]
    help: str
    more: Mapping[str, Any] = {}


class Arguments(msgspec.Struct, frozen=True):
    """What was given on the command line."""

    settings: Settings
    flags: Mapping[str, Any]
    """The values of the command's own flags, by name."""
    options: Mapping[str, str]
    """The text of each option that was given, by field of `Settings`."""
    say: Callable[[str], None]
    """Prints a line for the user."""
    warn: Callable[[str], None]
    """Prints a line beside the output, where no program takes it for a part of that."""


class Command(msgspec.Struct, frozen=True):
    """One command.

    Args:
        name: What the user types.
        summary: What it does, in a line.
        example: Commands to copy, one a line.
        run: Does it; returns the exit code.
        groups: The groups of options that matter to it.
        options: Options of other groups that matter to it.
        flags: What it takes besides.
    """

    name: str
    summary: str
    example: str
    run: Callable[[Arguments], int]
    groups: tuple[str, ...] = EVERY_GROUP
    options: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()


def _flag(*names: str, help: str, **more: Any) -> Flag:
    return Flag(names, help, MappingProxyType(more))


def _switch(*names: str, help: str) -> Flag:
    return _flag(*names, help=help, action="store_true")


# Each command loads its own rooms only, so that none pays for another's.


def _check(arguments: Arguments) -> int:
    from pyfunc.fastpath.late_imports import import_aiohttp

    import_aiohttp()  # before any other room does

    from pyfunc.cli.check import run

    return run(arguments.settings, arguments.say, **arguments.flags)


def _dev(arguments: Arguments) -> int:
    from pyfunc.cli.dev import run

    return run(arguments.settings, arguments.options)


def _invoke(arguments: Arguments) -> int:
    from pyfunc.fastpath.late_imports import import_aiohttp

    import_aiohttp()  # before any other room does

    from pyfunc.cli.invoke import Wanted, run

    given = {name: value for name, value in arguments.flags.items() if value is not None}
    return run(arguments.settings, arguments.say, Wanted(**given))


def _manifest(arguments: Arguments) -> int:
    from pyfunc.cli.manifest import run

    return run(
        arguments.settings, arguments.options, arguments.say, arguments.warn, **arguments.flags
    )


def _new(arguments: Arguments) -> int:
    from pyfunc.cli.new import run

    return run(arguments.say, **arguments.flags)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Imports make what stays: to look for garbage in it meanwhile, and later, is time lost."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _start(arguments: Arguments) -> int:
    with _no_garbage():
        from pyfunc.fastpath.late_imports import import_aiohttp

        import_aiohttp()  # before any other room does

        from pyfunc.app import create_app
        from pyfunc.server.cpus import usable_cpus
        from pyfunc.server.process import run
        from pyfunc.telemetry import logs
        from pyfunc.telemetry.setup import share

    settings = arguments.settings
    logs.configure(
        settings.log_level,
        settings.log_format,
        debug=settings.debug,
        color=not settings.no_color,
    )
    if (workers := settings.workers or usable_cpus()) > 1:
        return _workers()(create_app, settings, workers, share)

    return run(partial(create_app, settings), settings)


def _workers() -> Callable[..., int]:
    try:
        from pyfunc.server.workers import run_workers
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"several workers need {error.name}: install pyfunc-invoker with the extra `workers`,"
            " or set --workers 1"
        ) from None
    return run_workers


_MANY: Mapping[str, Any] = MappingProxyType({"action": "append"})

_INVOKE_FLAGS = (
    _flag("--data", metavar="TEXT", help="the data: JSON, or text"),
    _flag("--data-file", metavar="FILE", help="a file with the data; - for standard input"),
    _flag("--content-type", metavar="TYPE", help="what the data is (default: found out)"),
    _flag("--type", help="the event's type (default: com.example.sample)"),
    _flag("--source", metavar="URI", help="the event's source (default: /pyfunc/sample)"),
    _flag("--subject", metavar="TEXT", help="the event's subject (default: none)"),
    _flag("--id", help="the event's id (default: a new one)"),
    _flag("--extension", metavar="NAME=VALUE", help="an extension; may be repeated", **_MANY),
    _flag(
        "--mode",
        choices=("binary", "structured", "batched"),
        help="the content mode of the event (default: binary)",
    ),
    _flag(
        "--event-file",
        metavar="FILE",
        help="a file with an event, or an array of events, in JSON; - for standard input",
    ),
    _flag("--method", help="send no event but a plain request with this method"),
    _flag("--path", default="/", help="the path (default: /)"),
    _flag("--query", metavar="NAME=VALUE", help="a part of the query; may be repeated", **_MANY),
    _flag("--header", metavar="NAME:VALUE", help="a header; may be repeated", **_MANY),
    _flag("--url", help="send it to a server that is running, not to the function here"),
    _switch("--json", help="show the answer for machines"),
    _switch("--curl", help="show the curl command that sends the same, and send nothing"),
)

_MANIFEST_FLAGS = (
    _flag(
        "--for",
        dest="platform",
        choices=("knative", "kubernetes", "func"),
        default="knative",
        help="the platform (default: knative)",
    ),
    _flag("--name", help="of the service (default: after the directory)"),
    _flag("--image", metavar="REFERENCE", help="the image (default: the name, tagged latest)"),
    _flag(
        "--event-type",
        metavar="TYPE",
        dest="event_types",
        help="a type of events to get from the broker; may be repeated",
        **_MANY,
    ),
    _flag("--broker", metavar="NAME", default="default", help="the broker (default: default)"),
    _flag(
        "--dead-letter",
        metavar="NAME",
        default="dead-letter",
        help="the service that gets what could not be delivered, or none (default: dead-letter)",
    ),
    _switch("--sink-binding", help="tell the function where the broker is, in K_SINK"),
)

COMMANDS: tuple[Command, ...] = (
    Command(
        "start",
        "serve the function",
        "python -m pyfunc start\npython -m pyfunc start -m app.handlers -f greet --port 9000",
        _start,
    ),
    Command(
        "check",
        "tell whether the function can be served, what it receives and what it answers",
        "python -m pyfunc check\n"
        "python -m pyfunc check --strict\n"
        "python -m pyfunc check --json | jq .parameters",
        _check,
        flags=(
            _switch("--json", help="the same for machines, on standard output"),
            _switch("--strict", help="end with 1 where there are warnings"),
        ),
    ),
    Command(
        "invoke",
        "invoke the function once, and tell what a broker would do with the answer",
        "python -m pyfunc invoke\n"
        "python -m pyfunc invoke --type com.example.order --data '{\"n\": 1}'\n"
        "python -m pyfunc invoke --event-file event.json --mode binary\n"
        "python -m pyfunc invoke --method GET --path /greet --query name=Ada\n"
        "python -m pyfunc invoke --url http://localhost:8080 --json | jq .outcome",
        _invoke,
        ("function", "limits", "events", "logs"),
        flags=_INVOKE_FLAGS,
    ),
    Command(
        "dev",
        "serve the function on localhost, anew whenever a file is saved",
        "python -m pyfunc dev\npython -m pyfunc dev --port 9000",
        _dev,
        ("function", "limits", "events", "logs"),
        options=("port", "host"),
    ),
    Command(
        "manifest",
        "print what a cluster has to know to run the function",
        "python -m pyfunc manifest --image example.com/greet:1.0 | kubectl apply -f -\n"
        "python -m pyfunc manifest --event-type com.example.order --broker events\n"
        "python -m pyfunc manifest --for kubernetes --timeout 60 --concurrency 20",
        _manifest,
        flags=_MANIFEST_FLAGS,
    ),
    Command(
        "new",
        "make a directory with a function, its test and what it takes to deploy it",
        "python -m pyfunc new my-function\npython -m pyfunc new my-function --template typed",
        _new,
        (),
        flags=(
            _flag("name", metavar="NAME", help="the directory, and the name of the function"),
            _flag(
                "--template",
                choices=("http", "event", "typed", "batch", "stream"),
                default="http",
                help="what kind of function (default: http)",
            ),
        ),
    ),
)
