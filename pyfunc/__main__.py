"""The command line: argv to `Settings`, one command called, errors to exit codes.

Exit codes: 0 done, 1 `check` found faults or `invoke` failed, 2 a wrong option, 3 the function
cannot be served, 4 a hook failed at start, 5 worker processes end as soon as they start.
"""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # imports make what stays: to look for garbage in it meanwhile is time lost

from pathlib import Path

# `python -m` puts the current directory first; a `json.py` of the user's would then be taken for
# Python's own by our imports. The loader puts the search path there, once everything is imported.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())):
    del sys.path[0]

import argparse
import os
from collections.abc import Sequence
from typing import Any

from pyfunc import __version__
from pyfunc.cli.commands import COMMANDS, Arguments, Command
from pyfunc.errors import StartupError
from pyfunc.settings import OPTIONS, Option, Settings

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments; those of the process where not given.

    Returns:
        The exit code.
    """
    if argv is None:
        argv = sys.argv[1:]
    given = _given(argv)
    command: Command = given.pop("command")
    try:
        return command.run(_arguments(given))
    except StartupError as error:
        print(f"pyfunc: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _given(argv: Sequence[str]) -> dict[str, Any]:
    """The command, its options and flags; a command alone, as in images, needs no parser."""
    for command in COMMANDS:
        if [command.name] == list(argv) and not command.flags:
            return {"command": command}
    return vars(_parser(argv).parse_args(argv))


def _arguments(given: dict[str, Any]) -> Arguments:
    known = {option.name for option in OPTIONS}
    options = {name: text for name, text in given.items() if name in known and text is not None}
    flags = {name: value for name, value in given.items() if name not in known}
    return Arguments(Settings.resolve(options), flags, options, print, _warn)


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


def _parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser; only commands among the arguments have their options, if `argv` is given.

    Telling argparse of every option of every command takes ten times as long as parsing.
    """
    parser = argparse.ArgumentParser(
        prog="pyfunc",
        description="Serve one plain Python function over HTTP and CloudEvents.",
        epilog="Each option has an environment variable of the same meaning; the option wins."
        " Exit codes: 0 done, 1 check found faults or invoke failed, 2 a wrong option,"
        " 3 the function cannot be served, 4 a hook failed at start,"
        " 5 worker processes end as soon as they start.",
    )
    parser.add_argument("--version", action="version", version=f"pyfunc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = _add_command(commands, command)
        if argv is None or command.name in argv:
            _add_options(sub, command)
    return parser


def _add_command(commands: Any, command: Command) -> argparse.ArgumentParser:
    sub: argparse.ArgumentParser = commands.add_parser(
        command.name,
        help=command.summary,
        description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        epilog="\n".join(["examples:", *(f"  {line}" for line in command.example.splitlines())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    sub.set_defaults(command=command)
    return sub


def _add_options(sub: argparse.ArgumentParser, command: Command) -> None:
    for flag in command.flags:
        sub.add_argument(*flag.names, help=flag.help, **flag.more)
    matter = [o for o in OPTIONS if o.group in command.groups or o.name in command.options]
    groups = {
        group: sub.add_argument_group(group) for group in dict.fromkeys(o.group for o in matter)
    }
    for option in matter:
        _add_option(groups[option.group], option)


def _add_option(group: Any, option: Option) -> None:
    extra: dict[str, Any] = {"nargs": "?", "const": "true"} if not option.kind.metavar else {}
    group.add_argument(
        *option.flags,
        dest=option.name,
        help=f"{option.help} [{option.variable}{_default(option)}]",
        metavar=option.kind.metavar or None,
        **extra,
    )


def _default(option: Option) -> str:
    return f"; default {option.default_text}" if option.default else ""


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main())
