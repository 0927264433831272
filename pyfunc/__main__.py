"""The entry point of the command line: exit codes, and what has to happen before any import.

Exit codes: 0 success, 1 `check` found faults or `invoke` failed, 2 an invalid option, 3 the
function cannot be served, 4 a start-up hook failed, 5 worker processes end as soon as they start,
6 a second signal cut work off.
"""

import os
import signal
import sys


def _end(number: int, _: object) -> None:
    """End a process that has not begun its work; `start` takes signals over before it does."""
    os._exit(0 if "start" in sys.argv else 128 + number)


def _begin() -> None:
    """Handle signals, which the first process of a container gets for nothing else.

    And open the null device in the place of closed standard streams, whose numbers the first
    sockets would take.
    """
    signal.signal(signal.SIGTERM, _end)
    if "start" in sys.argv:
        signal.signal(signal.SIGINT, _end)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    _begin()

import gc
from pathlib import Path

# `python -m` puts the current directory first; our imports would then take a user's `json.py` for
# Python's own. The loader adds the search path once everything is imported.
if __name__ == "__main__" and not sys.flags.safe_path and sys.path[0] in ("", str(Path.cwd())):
    del sys.path[0]

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
    if argv is None and __name__ != "__main__":  # the script `pyfunc`
        _begin()
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
