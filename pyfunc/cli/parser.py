"""The parser of the command line, built from the tables of commands and options."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyfunc import __version__
from pyfunc.cli.commands import COMMANDS, Arguments, Command
from pyfunc.function.suggest import nearest
from pyfunc.options import Option
from pyfunc.settings import OPTIONS, Settings, unknown_variables

__all__ = ["build_parser", "parse", "variable_warnings"]


def parse(
    argv: Sequence[str], echo: Callable[[str], None], warn: Callable[[str], None]
) -> tuple[Command, Arguments]:
    """Parse the arguments; exit with code 2 if argparse rejects them.

    Args:
        argv: The arguments.
        echo: Prints a line to standard output.
        warn: Prints a line to standard error.

    Raises:
        SettingsError: An option is invalid, on the command line or in the environment.
    """
    values = _values(argv)
    command: Command = values.pop("command")
    names = {option.name for option in OPTIONS}
    options = {name: text for name, text in values.items() if name in names and text is not None}
    flags = {name: value for name, value in values.items() if name not in names}
    settings = Settings.resolve(options)
    if command.name != "start":  # which logs them
        for text in variable_warnings():
            warn(f"pyfunc: unknown variable {text}")
    return command, Arguments(settings, flags, options, echo, warn)


def variable_warnings() -> Iterator[str]:
    """Yield each variable that looks like an option's and is none, with the nearest one."""
    variables = {option.variable.removeprefix("PYFUNC_"): option.variable for option in OPTIONS}
    for name in unknown_variables():
        meant = nearest(name.removeprefix("PYFUNC_"), variables)
        yield name + (f"; did you mean {variables[meant]}?" if meant else "")


def _values(argv: Sequence[str]) -> dict[str, Any]:
    for command in COMMANDS:
        if [command.name] == list(argv) and not command.flags:
            return {"command": command}  # as in images; needs no parser
    return vars(build_parser(argv).parse_args(argv))


def build_parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """Build the parser.

    Args:
        argv: The arguments; only commands among them get their options, since adding those of every
            command takes ten times as long as parsing. By default, all commands get them.
    """
    parser = argparse.ArgumentParser(
        prog="pyfunc",
        description="Serve one plain Python function over HTTP and CloudEvents.",
        epilog="Each option can also be set by an environment variable; the flag takes precedence."
        " Exit codes: 0 success, 1 check found faults or invoke failed, 2 an invalid option,"
        " 3 the function cannot be served, 4 a start-up hook failed,"
        " 5 worker processes end as soon as they start, 6 a second signal cut work off.",
    )
    parser.add_argument("--version", action="version", version=f"pyfunc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = _add_command(commands, command)
        if argv is None or command.name in argv:
            _add_options(subparser, command)
    return parser


def _add_command(commands: Any, command: Command) -> argparse.ArgumentParser:
    subparser: argparse.ArgumentParser = commands.add_parser(
        command.name,
        help=command.summary,
        description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        epilog="\n".join(["examples:", *(f"  {line}" for line in command.example.splitlines())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    subparser.set_defaults(command=command)
    return subparser


def _add_options(subparser: argparse.ArgumentParser, command: Command) -> None:
    for flag in command.flags:
        subparser.add_argument(*flag.names, help=flag.help, **flag.extra)
    options = [o for o in OPTIONS if o.group in command.groups or o.name in command.options]
    groups = dict.fromkeys(option.group for option in options)
    headings = {group: subparser.add_argument_group(group) for group in groups}
    for option in options:
        _add_option(headings[option.group], option)


def _add_option(heading: Any, option: Option) -> None:
    metavar = option.kind.metavar
    extra: dict[str, Any] = {"metavar": metavar} if metavar else {"nargs": "?", "const": "true"}
    default = f"; default {option.default_text}" if option.default else ""
    heading.add_argument(
        *option.flags,
        dest=option.name,
        help=f"{option.help} [{option.variable}{default}]",
        **extra,
    )
