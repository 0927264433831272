"""The entry point of the command line: exit codes, and what has to happen before any import.

Exit codes: 0 success, 1 `check` found faults or `invoke` failed, 2 an invalid option, 3 the
function cannot be served, 4 a start-up hook failed, 5 worker processes end as soon as they start.
"""

import gc
import sys
from pathlib import Path

# `python -m` puts the current directory first; our imports would then take a user's `json.py` for
# Python's own. The loader adds the search path once everything is imported.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())):
    del sys.path[0]

import os
from collections.abc import Callable, Sequence
from functools import partial

from pyfunc.errors import StartupError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments, by default those of the process.

    Returns:
        The exit code.
    """
    try:
        return _load(sys.argv[1:] if argv is None else argv)()
    except StartupError as error:
        _print_error(f"pyfunc: {error}")
        return error.exit_code
    except BrokenPipeError:  # the reader, such as `head`, has closed its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _load(argv: Sequence[str]) -> Callable[[], int]:
    """Parse the arguments and import the modules of the command."""
    gc.disable()  # imported objects stay: looking for garbage among them takes 7 % of a start
    try:
        from pyfunc.cli.parser import parse

        command, arguments = parse(argv, print, _print_error)
        return partial(command.load(), arguments)
    finally:
        gc.freeze()
        gc.enable()


def _print_error(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
