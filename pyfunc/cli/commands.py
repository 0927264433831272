"""The table of commands: summary, example, flags, and how to load each.

A command is loaded once it is chosen, so that none waits for the imports of another.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from pyfunc.settings import OPTIONS, Settings

__all__ = ["COMMANDS", "Arguments", "Command", "Flag"]

EVERY_GROUP = tuple(dict.fromkeys(option.group for option in OPTIONS))


class Flag(msgspec.Struct, frozen=True):
    """A flag or an argument of one command.

    Args:
        names: The flags, or the name of the argument.
        help: Its meaning, in a line.
        extra: Further arguments of `argparse.ArgumentParser.add_argument`.
    """

    names: tuple[str, ...]
    help: str
    extra: Mapping[str, Any] = {}


class Arguments(msgspec.Struct, frozen=True):
    """The arguments of a command.

    Args:
        settings: The options, from the command line and the environment.
        flags: The values of the command's own flags, by name.
        options: The texts of the options on the command line, by field of `Settings`.
        echo: Prints a line to standard output.
        warn: Prints a line to standard error.
    """

    settings: Settings
    flags: Mapping[str, Any]
    options: Mapping[str, str]
    echo: Callable[[str], None]
    warn: Callable[[str], None]


Run = Callable[[Arguments], int]


class Command(msgspec.Struct, frozen=True):
    """A command.

    Args:
        name: The word on the command line.
        summary: What it does, in a line.
        example: Commands to copy, one per line.
        load: Imports its modules, and returns the callable that runs it and returns the exit code.
        groups: The groups of options that apply to it.
        options: Options of other groups that apply to it.
        flags: Its own flags.
    """

    name: str
    summary: str
    example: str
    load: Callable[[], Run]
    groups: tuple[str, ...] = EVERY_GROUP
    options: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()


def _flag(*names: str, help: str, **extra: Any) -> Flag:
    return Flag(names, help, MappingProxyType(extra))


def _switch(*names: str, help: str) -> Flag:
    return _flag(*names, help=help, action="store_true")


def _start() -> Run:
    _import_aiohttp()
    from pyfunc.cli.start import start

    return lambda arguments: start(arguments.settings)


def _check() -> Run:
    _import_aiohttp()
    from pyfunc.cli.check import check

    return lambda arguments: check(arguments.settings, arguments.echo, **arguments.flags)


def _invoke() -> Run:
    _import_aiohttp()
    from pyfunc.cli.invoke import invoke
    from pyfunc.cli.invoke_request import InvokeFlags

    def run(arguments: Arguments) -> int:
        flags = {name: value for name, value in arguments.flags.items() if value is not None}
        return invoke(arguments.settings, arguments.echo, InvokeFlags(**flags))

    return run


def _dev() -> Run:
    from pyfunc.cli.dev import dev

    return lambda arguments: dev(arguments.settings, arguments.options)


def _manifest() -> Run:
    from pyfunc.cli.manifest import manifest

    return lambda arguments: manifest(
        arguments.settings, arguments.options, arguments.echo, arguments.warn, **arguments.flags
    )


def _new() -> Run:
    from pyfunc.cli.new import new

    return lambda arguments: new(arguments.echo, **arguments.flags)


def _import_aiohttp() -> None:
    """Import aiohttp before any other module does, without its client."""
    from pyfunc.fastpath.late_imports import import_aiohttp

    import_aiohttp()


_MANY: Mapping[str, Any] = MappingProxyType({"action": "append"})

_INVOKE_FLAGS = (
    _flag("--data", metavar="TEXT", help="the data, as JSON or text"),
    _flag("--data-file", metavar="FILE", help="file with the data; - for standard input"),
    _flag("--content-type", metavar="TYPE", help="media type of the data (default: guessed)"),
    _flag("--type", help="type of the event (default: com.example.sample)"),
    _flag("--source", metavar="URI", help="source of the event (default: /pyfunc/sample)"),
    _flag("--subject", metavar="TEXT", help="subject of the event (default: none)"),
    _flag("--id", help="id of the event (default: a new one)"),
    _flag(
        "--extension", metavar="NAME=VALUE", help="extension attribute; may be repeated", **_MANY
    ),
    _flag(
        "--mode",
        choices=("binary", "structured", "batched"),
        help="content mode of the event (default: binary)",
    ),
    _flag(
        "--event-file",
        metavar="FILE",
        help="JSON file with an event or an array of events; - for standard input",
    ),
    _flag("--method", help="send a plain request with this method instead of an event"),
    _flag("--path", default="/", help="path of the request (default: /)"),
    _flag("--query", metavar="NAME=VALUE", help="query parameter; may be repeated", **_MANY),
    _flag("--header", metavar="NAME:VALUE", help="header field; may be repeated", **_MANY),
    _flag("--url", help="send the request to a running server instead"),
    _switch("--json", help="print the response as JSON"),
    _switch("--curl", help="print the equivalent curl command, and send nothing"),
)

_MANIFEST_FLAGS = (
    _flag(
        "--for",
        dest="platform",
        choices=("knative", "kubernetes", "func"),
        default="knative",
        help="platform (default: knative)",
    ),
    _flag("--name", help="name of the service (default: the directory's)"),
    _flag("--image", metavar="REFERENCE", help="image (default: the name, tagged latest)"),
    _flag(
        "--event-type",
        metavar="TYPE",
        dest="event_types",
        help="event type to subscribe to at the broker; may be repeated",
        **_MANY,
    ),
    _flag(
        "--broker", metavar="NAME", default="default", help="name of the broker (default: default)"
    ),
    _flag(
        "--dead-letter",
        metavar="NAME",
        default="dead-letter",
        help="service for undeliverable events, or none (default: dead-letter)",
    ),
    _switch("--sink-binding", help="set K_SINK to the address of the broker"),
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
        "check that the function can be served; describe its parameters and responses",
        "python -m pyfunc check\n"
        "python -m pyfunc check --strict\n"
        "python -m pyfunc check --json | jq .parameters",
        _check,
        flags=(
            _switch("--json", help="print the report as JSON"),
            _switch("--strict", help="exit with code 1 if there are warnings"),
        ),
    ),
    Command(
        "invoke",
        "invoke the function once, and show what a broker would do with the response",
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
        "serve on localhost, reloading on save",
        "python -m pyfunc dev\npython -m pyfunc dev --port 9000",
        _dev,
        ("function", "limits", "events", "logs"),
        options=("port", "host"),
    ),
    Command(
        "manifest",
        "print manifests that run the function on a cluster",
        "python -m pyfunc manifest --image example.com/greet:1.0 | kubectl apply -f -\n"
        "python -m pyfunc manifest --event-type com.example.order --broker events\n"
        "python -m pyfunc manifest --for kubernetes --timeout 60 --concurrency 20",
        _manifest,
        flags=_MANIFEST_FLAGS,
    ),
    Command(
        "new",
        "create a directory with a function, its test and files to deploy it",
        "python -m pyfunc new my-function\npython -m pyfunc new my-function --template typed",
        _new,
        (),
        flags=(
            _flag("name", metavar="NAME", help="directory, whose name is that of the service"),
            _flag(
                "--template",
                choices=("http", "event", "typed", "batch", "stream"),
                default="http",
                help="kind of function (default: http)",
            ),
        ),
    ),
)
