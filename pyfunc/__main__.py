"""The command line: argv to `Settings`, one command called, errors to exit codes.

Exit codes: 0 done, 1 `check` found faults, 2 a wrong option, 3 the function cannot be served.
"""

import sys
from pathlib import Path

# `python -m` puts the current directory first; a `json.py` of the user's would then be taken for
# Python's own by our imports. The loader puts the search path there, once everything is imported.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())):
    del sys.path[0]

import argparse
from collections.abc import Sequence
from typing import Any

from pyfunc import __version__
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
    arguments = vars(_parser().parse_args(argv))
    command = arguments.pop("command")
    try:
        settings = Settings.resolve({k: v for k, v in arguments.items() if v is not None})
        return int(command(settings))
    except StartupError as error:
        print(f"pyfunc: {error}", file=sys.stderr)
        return 1 if command is _check and error.exit_code == 3 else error.exit_code
    except KeyboardInterrupt:
        return 130


def _check(settings: Settings) -> int:
    from pyfunc.check import describe  # each command loads its own rooms only

    print(describe(settings))
    return 0


def _start(settings: Settings) -> int:
    from pyfunc import logs  # each command loads its own rooms only
    from pyfunc.app import create_app
    from pyfunc.server import serve

    logs.configure(
        settings.log_level,
        settings.log_format,
        debug=settings.debug,
        color=not settings.no_color,
    )
    return serve(create_app(settings), settings)


_COMMANDS = {
    "check": (_check, "tell whether the function can be served, and what each parameter receives"),
    "start": (_start, "serve the function"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyfunc",
        description="Serve one plain Python function over HTTP and CloudEvents.",
        epilog="Each option has an environment variable of the same meaning; the option wins."
        " Exit codes: 0 done, 1 check found faults, 2 a wrong option, 3 cannot be served.",
    )
    parser.add_argument("--version", action="version", version=f"pyfunc {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (command, summary) in _COMMANDS.items():
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(command=command)
        _add_options(sub)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    groups = {name: parser.add_argument_group(name) for name in dict.fromkeys(_groups())}
    for option in OPTIONS:
        explained = f"{option.help} [{option.variable}{_default(option)}]"
        extra: dict[str, Any] = {"nargs": "?", "const": "true"} if option.is_switch else {}
        groups[option.group].add_argument(
            *option.flags,
            dest=option.name,
            help=explained,
            metavar=option.metavar or None,
            **extra,
        )


def _groups() -> list[str]:
    return [option.group for option in OPTIONS]


def _default(option: Option) -> str:
    return "" if option.default in (None, (), False) else f"; default {option.default}"


if __name__ == "__main__":
    sys.exit(main())
