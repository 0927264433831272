"""The log: one line for each record, on standard error, unbuffered; configured by commands.

Records logged during an invocation carry its ids. No record is lost: values that the format cannot
express are written as text.
"""

import io
import logging
import re
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, TextIO

import msgspec

from pyfunc.function.invocation import CURRENT
from pyfunc.function.tracebacks import format_folded_traceback

__all__ = ["JsonFormatter", "TextFormatter", "configure"]

logger = logging.getLogger("pyfunc")

Fields = dict[str, Any]

# Attributes that every record has; all others come from `extra={...}`.
_STANDARD = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}
)
_OWN = frozenset(
    {"time", "severity", "message", "logger", "traceback", "stack"}
    | {"invocation_id", "event_id", "event_type", "event_source", "trace_id", "span_id"}
)


def configure(level: str, format: str = "auto", *, debug: bool = False, color: bool = True) -> None:
    """Configure the root logger for the user's records, and flush each `print` at once.

    Exceptions that Python itself would write to standard error, such as those of threads,
    become records too, so that all lines have one form.

    Args:
        level: The lowest severity to log, such as `info`.
        format: `text`, `json`, or `auto`: text on a terminal, JSON otherwise.
        debug: Show whole tracebacks, including the server's frames.
        color: Allow colours in text, on terminals.
    """
    stream = sys.stderr
    terminal = stream.isatty()
    if format == "auto":
        format = "text" if terminal else "json"
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(stream)
    if format == "json":
        handler.setFormatter(JsonFormatter(debug))
    else:
        handler.setFormatter(TextFormatter(debug, color and terminal))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _OURS:
        logging.getLogger(name).__class__ = _ServerLogger
    threading.excepthook = _thread_failed
    sys.unraisablehook = _unraisable
    sys.stdout = _unbuffered(sys.stdout)


_OURS = ("pyfunc", "pyfunc.access", "pyfunc.webhook")


class _ServerLogger(logging.Logger):
    """A logger that stays enabled.

    `logging.config` disables every logger that its configuration does not name, and a function
    that configures its own logging seldom means those of the server.
    """

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        """Stay enabled."""


def _unbuffered(stream: TextIO) -> TextIO:
    """Make the stream unbuffered, as `python -u` does."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    raw = io.FileIO(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        raw,  # no buffer between, as with -u
        encoding=stream.encoding,
        errors=stream.errors,
        write_through=True,
    )


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is None or isinstance(failed.exc_value, SystemExit):
        return
    name = failed.thread.name if failed.thread else "a thread"
    logger.error("%s failed", name, exc_info=failed.exc_value)


def _unraisable(failed: "sys.UnraisableHookArgs") -> None:
    message = failed.err_msg or "an exception was ignored"
    logger.error("%s: %r", message, failed.object, exc_info=failed.exc_value)


class _Formatter(logging.Formatter):
    """The part common to both formats: tracebacks.

    Args:
        whole: Show whole tracebacks, including the server's frames.
    """

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self._traceback = super().formatException if whole else _folded

    def traceback(self, record: logging.LogRecord) -> str | None:
        """Format the exception of a record with its causes and contexts."""
        if not record.exc_info or record.exc_info[1] is None:
            return record.exc_text
        try:
            return self._traceback(record.exc_info)
        except Exception:  # a message or source line that cannot be shown
            return _shown(record.exc_info[1])


class JsonFormatter(_Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as a line."""
        fields: Fields = {
            "time": _time(record.created, "microseconds"),
            "severity": record.levelname,
            "message": _message(record),
            "logger": record.name,
        }
        invocation = CURRENT.get()
        if invocation is not None:
            fields.update(invocation.fields)
        fields.update(_extra(record))
        if (text := self.traceback(record)) is not None:
            fields["traceback"] = text
        if record.stack_info:
            fields["stack"] = record.stack_info
        return _encoded(fields)


_COLORS: Mapping[int, str] = MappingProxyType(
    {logging.DEBUG: "2", logging.INFO: "32", logging.WARNING: "33", logging.ERROR: "31"}
)
_WORD = re.compile(r"[!#-<>-~]+", re.ASCII).fullmatch
_CONTROLS = MappingProxyType(
    {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if code not in (9, 10)}
)
_SHOWN_IDS = ("invocation_id", "event_type", "event_id")
_IN_MESSAGE = frozenset({"method", "path", "status", "outcome"})  # of the access log


class TextFormatter(_Formatter):
    """One line for people; further lines of one record are indented.

    Args:
        whole: Show whole tracebacks, including the server's frames.
        color: Use ANSI colours.
    """

    def __init__(self, whole: bool, color: bool) -> None:
        super().__init__(whole)
        self.color = color

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as a line."""
        severity = self._painted(_COLORS.get(record.levelno, "31"), f"{record.levelname:<8}")
        line = f"{_time(record.created, 'milliseconds')} {severity} {record.name}: "
        line += _escaped(_message(record))
        shown_already = _IN_MESSAGE if record.name == "pyfunc.access" else ()
        for name, value in _extra(record).items():
            line += "" if name in shown_already else f" {name}={_value(value)}"
        if (invocation := CURRENT.get()) is not None:
            ids = invocation.fields
            shown = " ".join(f"{n}={_value(ids[n])}" for n in _SHOWN_IDS if n in ids)
            line += " " + self._painted("2", f"[{shown}]")
        for text in (self.traceback(record), record.stack_info):
            if text:
                line += "\n    " + _escaped(text)
        return line

    def _painted(self, color: str, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if self.color else text


def _folded(exc_info: tuple[Any, BaseException, TracebackType | None]) -> str:
    return format_folded_traceback(exc_info[1])


def _time(seconds: float, precision: str) -> str:
    """RFC 3339, UTC."""
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision)
    return moment.replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    """The message; if it does not fit its arguments, both of them."""
    try:
        return record.getMessage()
    except Exception:
        return f"{_shown(record.msg)} {_shown(record.args)}"


def _extra(record: logging.LogRecord) -> Fields:
    """The fields of `extra={...}`, renamed where they would hide our own."""
    return {
        f"extra_{name}" if name in _OWN else str(name): value
        for name, value in record.__dict__.items()
        if name not in _STANDARD
    }


def _shown(value: object, show: Callable[[object], str] = repr) -> str:
    """Any object as text, even if its `repr` fails."""
    try:
        return show(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _as_text(value: object) -> str:
    return _shown(value, str)


_ENCODER = msgspec.json.Encoder(enc_hook=_as_text)
# Line ends to some readers, though allowed in a JSON string.
_SEPARATORS = ("\x85", "\u2028", "\u2029")


def _encoded(fields: Fields) -> str:
    """Encode the fields as one line of JSON; values without a JSON form become text."""
    try:
        line = _ENCODER.encode(fields).decode()
    except Exception:
        clean = {_clean(name): _clean_value(value) for name, value in fields.items()}
        line = _ENCODER.encode(clean).decode()
    if not line.isascii():
        for separator in _SEPARATORS:
            line = line.replace(separator, f"\\u{ord(separator):04x}")
    return line


def _clean_value(value: object) -> object:
    try:
        return msgspec.Raw(_ENCODER.encode(value))
    except Exception:
        return _clean(value if isinstance(value, str) else _shown(value))


def _clean(text: str) -> str:
    """Escape surrogates, which UTF-8 cannot express."""
    return text.encode("utf-8", "backslashreplace").decode()


def _escaped(text: str) -> str:
    """Escape controls and indent lines, so that text cannot forge a record or drive a terminal."""
    text = text.translate(_CONTROLS)
    return text.replace("\n", "\n    ") if "\n" in text else text


def _value(value: object) -> str:
    text = value if isinstance(value, str) else _as_text(value)
    return text if _WORD(text) else _escaped(repr(text))
