"""Tracebacks of user code, without the server's frames around it."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

__all__ = [
    "format_folded_traceback",
    "format_user_traceback",
    "user_frames",
    "user_place",
    "user_stack",
    "user_traceback",
    "waiting_stack",
]


_LIBRARY = str(Path(traceback.__file__).parent / "_")[:-1]
_OURS = str(Path(__file__).parent.parent / "_")[:-1]  # with the separator at its end


def user_frames(tb: TracebackType | None) -> traceback.StackSummary:
    """Return the frames from the first one outside pyfunc and the import system on.

    Later frames stay, also those of libraries that the user called.
    """
    frames = [f for f in traceback.extract_tb(tb) if not f.filename.startswith("<frozen ")]
    return traceback.StackSummary.from_list(frames[_first_of_user(frames) :])


def user_stack(frame: FrameType) -> traceback.StackSummary:
    """Return the current frames of a thread, cut like `user_frames`."""
    frames = traceback.extract_stack(frame)
    first = next((i for i, f in enumerate(frames) if _is_users(f.filename)), len(frames))
    return traceback.StackSummary.from_list(frames[first:])


def waiting_stack(awaitable: Any) -> traceback.StackSummary:
    """The same as `user_frames`, for where a coroutine waits now."""
    frames = traceback.StackSummary.extract(_waiting_frames(awaitable))
    return traceback.StackSummary.from_list(frames[_first_of_user(frames) :])


def _waiting_frames(awaitable: Any) -> Iterator[tuple[FrameType, int]]:
    """The frames of a coroutine or generator, and of what it waits for, outermost first."""
    while (kind := _kind_of_frame(awaitable)) is not None:
        frame = getattr(awaitable, f"{kind}_frame")
        if frame is None:  # it has ended
            return
        yield frame, frame.f_lineno
        awaitable = getattr(awaitable, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")


def _kind_of_frame(awaitable: Any) -> str | None:
    return next((kind for kind in ("cr", "gi", "ag") if hasattr(awaitable, f"{kind}_frame")), None)


def user_traceback(tb: TracebackType | None) -> TracebackType | None:
    """Cut a traceback like `user_frames`, for raising again; whole if no frame is the user's."""
    rest = tb
    while rest is not None and _is_plumbing(rest.tb_frame.f_code.co_filename):
        rest = rest.tb_next
    return rest or tb


def user_place(frames: list[traceback.FrameSummary]) -> str:
    """Return the last line of user code in a stack, such as `func.py:12`; empty without one.

    Frames of libraries that the function calls are skipped.
    """
    own = [f for f in frames if _is_users(f.filename)]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


def format_user_traceback(error: BaseException) -> str:
    """Format an error as Python does, with the frames of `user_frames`; no final newline."""
    summary = traceback.TracebackException.from_exception(error)
    summary.stack = user_frames(error.__traceback__)
    return "".join(summary.format()).rstrip()


def format_folded_traceback(error: BaseException) -> str:
    """Format an error with its causes and contexts, without the server's frames.

    Frames of the server stay where there are no others: the fault is the server's then.
    """
    summary = traceback.TracebackException.from_exception(error, compact=True)
    for part in _parts(summary):
        part.stack = _folded(part.stack)
    return "".join(summary.format()).rstrip()


def _parts(summary: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """An error, its causes and contexts, and the members of groups."""
    pending = [summary]
    while pending:
        part = pending.pop()
        yield part
        linked = (part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ()))
        pending += [other for other in linked if other is not None]


def _folded(frames: traceback.StackSummary) -> traceback.StackSummary:
    rest = [f for f in frames[_first_of_user(frames) :] if not f.filename.startswith(_OURS)]
    return traceback.StackSummary.from_list(rest or list(frames))


def _first_of_user(frames: list[traceback.FrameSummary]) -> int:
    return next((i for i, f in enumerate(frames) if not _is_plumbing(f.filename)), len(frames))


def _is_users(filename: str) -> bool:
    return (
        not filename.startswith((_OURS, _LIBRARY, "<"))
        and "site-packages" not in Path(filename).parts
    )


def _is_plumbing(filename: str) -> bool:
    return filename.startswith(_OURS) or filename.endswith(
        ("/concurrent/futures/thread.py", "/importlib/__init__.py")
    )
