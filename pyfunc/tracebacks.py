"""The part of a traceback that its reader wrote: frames of the user's, without ours around them."""

import traceback
from pathlib import Path
from types import TracebackType

__all__ = ["format_user_traceback", "user_frames"]

_OURS = str(Path(__file__).parent / "_")[:-1]  # with the separator at its end


def user_frames(tb: TracebackType | None) -> traceback.StackSummary:
    """The frames from the first one outside pyfunc and the import system on.

    Later frames stay, whosever they are: a library that the user called is part of the story.
    """
    frames = [f for f in traceback.extract_tb(tb) if not f.filename.startswith("<frozen ")]
    first = next((i for i, f in enumerate(frames) if not _is_plumbing(f.filename)), len(frames))
    return traceback.StackSummary.from_list(frames[first:])


def format_user_traceback(error: BaseException) -> str:
    """`error` as Python prints it, with the frames of `user_frames` only; no final newline."""
    summary = traceback.TracebackException.from_exception(error)
    summary.stack = user_frames(error.__traceback__)
    return "".join(summary.format()).rstrip()


def _is_plumbing(filename: str) -> bool:
    return filename.startswith(_OURS) or filename.endswith(
        ("/concurrent/futures/thread.py", "/importlib/__init__.py")
    )
