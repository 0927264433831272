"""What the log shows, line by line."""

import asyncio
import json
import logging
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import pytest

from pyfunc.function.tracebacks import format_folded_traceback
from pyfunc.telemetry.logs import JsonFormatter, TextFormatter
from tests.support.serving import Served, environment

BUSY = """
    import asyncio
    import contextvars
    import logging
    import threading
    import warnings

    log = logging.getLogger("orders")


    def in_thread():
        log.info("from a thread", extra={"where": "thread"})


    async def in_task():
        log.info("from a task", extra={"where": "task"})


    async def main(event, context):
        context.logger.info("from the loop", extra={"where": "loop"})
        await asyncio.create_task(in_task())
        await asyncio.to_thread(in_thread)
        thread = threading.Thread(target=contextvars.copy_context().run, args=(in_thread,))
        thread.start()
        thread.join()
        if event["subject"] == "fails":
            raise ValueError("no \\ud800 good\\nat all")
        if event["subject"] == "dies":
            dying = threading.Thread(target=lambda: 1 / 0)
            dying.start()
            dying.join()
            warnings.warn("getting old")
        event.attributes["id"] = "changed"
        odd = {"odd": object, "time": b"\\xff", "keys": {(1, 2): {3}}}
        log.info("bad %d", "arguments", extra=odd)
        return event
"""


def write(directory: Path, source: str) -> Path:
    (directory / "func.py").write_text(dedent(source))
    return directory


def binary(number: int, subject: str) -> dict[str, str]:
    return {
        "ce-specversion": "1.0",
        "ce-id": f"id-{number}",
        "ce-source": "/shop",
        "ce-type": "order.placed",
        "ce-subject": subject,
    }


async def send(url: str, subjects: list[str]) -> None:
    async with aiohttp.ClientSession() as session:
        for number, subject in enumerate(subjects):
            async with session.post(url, headers=binary(number, subject)) as response:
                await response.read()


@pytest.mark.slow
async def test_every_line_of_a_busy_log_parses_and_those_of_invocations_carry_their_ids(
    tmp_path: Path,
) -> None:
    subjects = ["works", "fails", "dies"] * 10
    with Served(write(tmp_path, BUSY)) as served:
        await asyncio.gather(*(send(served.url, subjects) for _ in range(4)))
        served.terminate()
    lines = [json.loads(line) for line in served.text.splitlines()]
    assert {"time", "severity", "message", "logger"} <= set.intersection(*map(set, lines))
    inside = [line for line in lines if line["logger"] in ("orders", "function")]
    inside += [line for line in lines if line["message"] == "func.main failed"]
    assert {line["event_id"] for line in inside} == {f"id-{n}" for n in range(30)}
    assert {line["event_type"] for line in inside} == {"order.placed"}
    assert {line["event_source"] for line in inside} == {"/shop"}
    assert len({line["invocation_id"] for line in inside}) == 4 * 30
    assert all(len(line["trace_id"]) == 32 and len(line["span_id"]) == 16 for line in inside)


async def test_records_of_threads_tasks_warnings_and_failed_threads_are_lines_like_all(
    tmp_path: Path,
) -> None:
    with Served(write(tmp_path, BUSY)) as served:
        await send(served.url, ["dies"])
        served.terminate()
    lines = [json.loads(line) for line in served.text.splitlines()]
    assert [line["where"] for line in lines if "where" in line] == ["loop", "task", *["thread"] * 2]
    assert any("getting old" in line["message"] for line in lines)
    (died,) = [line for line in lines if "ZeroDivisionError" in line.get("traceback", "")]
    assert died["severity"] == "ERROR"
    (odd,) = [line for line in lines if "odd" in line]
    assert odd["message"] == "'bad %d' ('arguments',)"
    assert odd["odd"] == "<class 'object'>"
    assert odd["keys"] == {"(1, 2)": [3]}
    assert odd["extra_time"] == "/w=="
    assert odd["event_id"] == "id-0"


async def test_a_failure_is_one_record_with_the_users_frames_only(tmp_path: Path) -> None:
    with Served(write(tmp_path, BUSY)) as served:
        await send(served.url, ["fails"])
        served.terminate()
    (line,) = [json.loads(line) for line in served.log if "ValueError" in line]
    assert line["message"] == "func.main failed"
    assert line["severity"] == "ERROR"
    first, frame = line["traceback"].splitlines()[:2]
    assert first == "Traceback (most recent call last):"
    assert frame.endswith('func.py", line 27, in main')
    assert "pyfunc" not in line["traceback"].replace(str(tmp_path), "")


async def test_debug_shows_the_servers_frames_too(tmp_path: Path) -> None:
    with Served(write(tmp_path, BUSY), "--debug") as served:
        await send(served.url, ["fails"])
        served.terminate()
    (line,) = [json.loads(line) for line in served.log if "ValueError" in line]
    assert "invoker.py" in line["traceback"]


def record(message: object = "hello", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("name", logging.INFO, "file.py", 1, message, args, None)
    made.__dict__.update(extra)
    return made


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no")


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("made", "name", "shown"),
    [
        pytest.param(record("%d", "x"), "message", "'%d' ('x',)", id="wrong arguments"),
        pytest.param(record("%s", Mute()), "message", None, id="argument without a repr"),
        pytest.param(record(Mute()), "message", None, id="message without a repr"),
        pytest.param(record("a\ud800"), "message", "a\\ud800", id="surrogate in the message"),
        pytest.param(record(x="\ud800"), "x", "\\ud800", id="surrogate in a field"),
        pytest.param(record(x={"y": "\ud800"}), "x", "{'y': '\\ud800'}", id="deep surrogate"),
        pytest.param(record(x=CYCLE), "x", "[[...]]", id="cycle"),
        pytest.param(record(x=Mute()), "x", "<Mute that cannot be shown>", id="no repr"),
        pytest.param(record(x=float("nan")), "x", None, id="not a number"),
        pytest.param(record(x=1 << 80), "x", 1 << 80, id="large integer"),
        pytest.param(record(severity="other"), "extra_severity", "other", id="taken name"),
        pytest.param(record("a\u2028b\x85c\nd"), "message", "a\u2028b\x85c\nd", id="line ends"),
        pytest.param(record(x=Path("/tmp")), "x", "/tmp", id="object with a text"),  # noqa: S108
    ],
)
def test_no_record_is_lost_or_more_than_a_line(
    made: logging.LogRecord, name: str, shown: object
) -> None:
    line = JsonFormatter(whole=False).format(made)
    assert len(line.splitlines()) == 1
    fields = json.loads(line)
    assert name in fields
    if shown is not None:
        assert fields[name] == shown
    assert TextFormatter(whole=False, color=False).format(made)


def test_the_time_is_rfc_3339_in_utc() -> None:
    made = record()
    made.created = 0.25
    assert json.loads(JsonFormatter(whole=False).format(made))["time"] == (
        "1970-01-01T00:00:00.250000Z"
    )


def test_text_shows_the_same_in_short() -> None:
    made = record("hello %s", "world", count=3, note="two words")
    made.created = 0
    line = TextFormatter(whole=False, color=False).format(made)
    assert line == ("1970-01-01T00:00:00.000Z INFO     name: hello world count=3 note='two words'")


def test_text_can_neither_forge_a_record_nor_command_the_terminal() -> None:
    made = record("one\n1970-01-01T00:00:00.000Z ERROR two\x1b[2J", field="a\nb\x1b")
    first, second = TextFormatter(whole=False, color=False).format(made).splitlines()
    assert "one" in first
    assert second.startswith("    1970")
    assert "\x1b" not in first + second


def test_folding_reaches_causes_and_groups() -> None:
    def ours() -> None:
        from pyfunc.cloudevents.event import Event

        Event({"id": ""})

    try:
        try:
            ours()
        except ValueError as error:
            raise ExceptionGroup("both", [error]) from error
    except ExceptionGroup as group:
        text = format_folded_traceback(group)
    assert text.count("in ours") == 2
    assert "events.py" not in text


TALKS = """
    print("talking", end="")

    def main(): ...
"""


def test_a_print_is_seen_at_once(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pyfunc", "start", "--port", "0"],
        cwd=write(tmp_path, TALKS),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.read(7) == b"talking"  # without its end of line, the process lives
        process.send_signal(signal.SIGKILL)


def on_a_terminal(directory: Path, **env: str) -> str:
    """The log of a server whose standard error is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pyfunc", "start", "--port", "0"],
        cwd=directory,
        env={**environment(), "PYFUNC_DRAIN_DELAY": "0", **env},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    with process, os.fdopen(ours, "rb", buffering=0) as terminal:
        while b"listening" not in text:
            text += terminal.read(1000)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
    return text.decode()


def test_a_terminal_shows_coloured_text(tmp_path: Path) -> None:
    assert "\x1b[32mINFO    \x1b[0m pyfunc: " in on_a_terminal(write(tmp_path, TALKS), NO_COLOR="")


def test_no_color_is_respected(tmp_path: Path) -> None:
    text = on_a_terminal(write(tmp_path, TALKS), NO_COLOR="1")
    assert " INFO     pyfunc: listening" in text
    assert "\x1b" not in text


def test_the_format_can_be_chosen(tmp_path: Path) -> None:
    with Served(write(tmp_path, TALKS), "--log-format", "text") as served:
        served.terminate()
    assert " INFO     pyfunc: listening on " in served.text


def test_the_level_can_be_chosen(tmp_path: Path) -> None:
    quiet = """
        import logging
        logging.warning("heard")
        logging.info("not heard")
        def main(): ...
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "pyfunc", "start", "--port", "0", "--log-level", "warning"],
        cwd=write(tmp_path, quiet),
        env=environment(),
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["message"] == "heard"
        process.send_signal(signal.SIGKILL)
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "silence",
    [
        "logging.config.dictConfig({'version': 1})",
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'INFO'}})",
        "logging.config.fileConfig(io.StringIO(INI))",
    ],
)
def test_a_configuration_of_the_functions_does_not_silence_the_server(silence: str) -> None:
    code = (
        "import io, logging, logging.config\n"
        "from pyfunc.telemetry.logs import configure\n"
        "INI = '[loggers]\\nkeys=root\\n[handlers]\\nkeys=\\n[formatters]\\nkeys=\\n'\\\n"
        "    '[logger_root]\\nlevel=INFO\\nhandlers=\\n'\n"
        "configure('info', 'text')\n"
        f"{silence}\n"
        "print([logging.getLogger(name).disabled for name in ('pyfunc', 'pyfunc.access')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.stdout == "[False, False]\n", done.stderr
