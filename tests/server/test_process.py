"""A serving process from its start to its exit code: real processes, signals and sockets."""

import asyncio
import http.client
import json
import re
import resource
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.restarts import FUNCTIONS, restart_under_load
from tests.support.events import event_headers
from tests.support.serving import Served, pyfunc

TOLD = """
import asyncio, os, time

def say(text):
    os.write(2, b'{"message": "%s"}\\n' % text.encode())
"""


def write(directory: Path, source: str) -> Path:
    (directory / "func.py").write_text(TOLD + dedent(source))
    return directory


def ask(served: Served, path: str = "/") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{served.url}{path}", timeout=20) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def told(served: Served) -> list[str]:
    """The messages of the log, once the process has ended."""
    served.close()
    return [json.loads(line)["message"] for line in served.log]


class Kept:
    """A connection that stays open."""

    def __init__(self, served: Served) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)

    def ask(self, path: str = "/") -> http.client.HTTPResponse:
        self.connection.request("GET", path)
        response = self.connection.getresponse()
        response.read()
        return response

    def __enter__(self) -> "Kept":
        self.connection.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


KINDS = {
    "async": "async def main(query):\n    say('called')\n    await asyncio.sleep(0.5)\n"
    "    return 'done'\n",
    "sync": "def main(query):\n    say('called')\n    time.sleep(0.5)\n    return 'done'\n",
    "streaming": "async def main(query):\n    say('called')\n    yield 'do'\n"
    "    await asyncio.sleep(0.5)\n    yield 'ne'\n",
    "sync streaming": "def main(query):\n    say('called')\n    yield 'do'\n"
    "    time.sleep(0.5)\n    yield 'ne'\n",
}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_flight_finishes_before_the_process_ends_with_0(
    tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    with Served(write(tmp_path, KINDS[kind])) as served:
        answer = served.in_background(lambda: ask(served)[1])
        served.wait_for("called")
        assert served.terminate(number) == 0
        assert answer.result(20) == "done"
        assert told(served)[-1] == "stopped with exit code 0"


def test_the_log_of_a_shutdown_tells_each_step_with_the_number_in_flight(tmp_path: Path) -> None:
    with Served(write(tmp_path, KINDS["async"])) as served:
        served.in_background(lambda: ask(served)[1])
        served.wait_for("called")
        served.terminate()
        assert told(served)[-4:] == [
            "SIGTERM: draining, still listening for 0 s; 1 in flight",
            "closed the listeners; up to 25 s to finish; 1 in flight",
            "finished; 0 in flight",
            "stopped with exit code 0",
        ]


def test_during_the_delay_everything_is_served_and_each_answer_ends_its_connection(
    tmp_path: Path,
) -> None:
    source = "async def main(query):\n    return 'done'\n"
    with Served(write(tmp_path, source), "--drain-delay", "60") as served, Kept(served) as kept:
        assert kept.ask().headers["Connection"] is None
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("draining")
        assert kept.ask().headers["Connection"] == "close"
        with Kept(served) as new:
            assert new.ask().headers["Connection"] == "close"
        assert ask(served, "/healthz/live")[0] == 200
        assert ask(served, "/healthz/ready")[0] == 503
        assert json.loads(ask(served, "/healthz/ready")[1])["phase"] == "draining"
        assert served.terminate() == 0


@pytest.mark.parametrize(
    ("env", "number", "delay"),
    [
        pytest.param({}, signal.SIGTERM, "2", id="SIGTERM"),
        pytest.param({}, signal.SIGINT, "0", id="SIGINT"),
        pytest.param({"K_SERVICE": "hello"}, signal.SIGTERM, "0", id="Knative"),
        pytest.param({"PYFUNC_DRAIN_DELAY": "0.5"}, signal.SIGINT, "0.5", id="as told"),
    ],
)
def test_default_of_the_delay(
    tmp_path: Path, env: dict[str, str], number: signal.Signals, delay: str
) -> None:
    source = "def main(): ..."
    with Served(write(tmp_path, source), env={"PYFUNC_DRAIN_DELAY": "", **env}) as served:
        served.process.send_signal(number)
        assert served.wait_for(r"still listening for (\S+) s")[1] == delay
        served.terminate()


FOREVER = {
    "async": "async def main(query):\n    say('called')\n    try:\n"
    "        await asyncio.sleep(60)\n    finally:\n        say('cancelled')\n",
    "stubborn": "async def main(query):\n    say('called')\n    while True:\n        try:\n"
    "            await asyncio.sleep(60)\n        except asyncio.CancelledError:\n"
    "            say('cancelled')\n",
    "sync": "def main(query):\n    say('called')\n    time.sleep(60)\n",
    "to_thread": "async def main(query):\n    say('called')\n"
    "    await asyncio.to_thread(time.sleep, 60)\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOREVER)
def test_what_never_finishes_is_cut_off_at_the_drain_timeout(tmp_path: Path, kind: str) -> None:
    source = FOREVER[kind] + "def on_shutdown():\n    say('shut down')\n"
    with Served(write(tmp_path, source), "--drain-timeout", "0.2") as served:
        answer = served.in_background(lambda: str(ask(served)[0]))
        served.wait_for("called")
        assert served.terminate() == 0
        log = told(served)
    assert "out of time: cancelling what is left; 1 in flight" in log
    assert "shut down" in log
    assert ("cancelled" in log) == (kind in ("async", "stubborn"))
    if kind == "stubborn":
        assert "1 in flight could not be cancelled" in log
    else:
        assert answer.result(20) == "503"
    if kind == "sync":
        assert any("a thread cannot be stopped and goes on (at func.py:" in line for line in log)


def test_a_second_signal_goes_straight_to_the_cancelling(tmp_path: Path) -> None:
    with Served(write(tmp_path, FOREVER["async"]), "--drain-delay", "60") as served:
        answer = served.in_background(lambda: str(ask(served)[0]))
        served.wait_for("called")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("draining")
        assert served.terminate(signal.SIGINT) == 6
        assert answer.result(20) == "503"
        assert "told to hurry: cancelling what is left; 1 in flight" in told(served)


@pytest.mark.slow
@pytest.mark.parametrize(
    "part",
    [b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["half a head", "half a body"],
)
def test_half_a_request_holds_the_exit_no_longer_than_the_drain(
    tmp_path: Path, part: bytes
) -> None:
    source = "def main(body: bytes): ..."
    with (
        Served(write(tmp_path, source), "--drain-timeout", "0.2") as served,
        socket.create_connection(("127.0.0.1", served.port)) as half,
    ):
        half.sendall(part)
        assert ask(served, "/healthz/live")[0] == 200  # what came before it has been read
        assert served.terminate() == 0


@pytest.fixture
def few_files() -> Iterator[int]:
    """How many connections can be made here; a process started now gets a low limit at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    most = 65536 if hard == resource.RLIM_INFINITY else hard
    yield min(2000, most - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.fastpath_only("aiohttp has no time limit for a request that arrives")
async def test_two_thousand_slow_requests_neither_stop_others_nor_stay(
    tmp_path: Path, few_files: int
) -> None:
    """Half of them have sent half a head, the others half a body."""
    source = "def main(body: bytes):\n    return body\n"
    parts = (
        b"GET / HTTP/1.1\r\nHost: a\r\nx: ",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\nhalf",
    )
    with Served(write(tmp_path, source), "--read-timeout", "3") as served:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        slow = []
        for number in range(few_files):
            slow.append(await asyncio.open_connection("127.0.0.1", served.port))
            slow[-1][1].write(parts[number % 2])
        for _ in range(20):
            status, _ = await asyncio.to_thread(ask, served)
            assert status == 200
        answers = [(await reader.readline()).split()[1] for reader, _ in slow]
        assert set(answers) == {b"408"}
        assert resident_megabytes(served.process.pid) < 200
        for _, writer in slow:
            writer.close()
        assert served.terminate() == 0


def resident_megabytes(process: int) -> float:
    """The most memory that a process ever had; 0 where the system does not tell."""
    status = Path(f"/proc/{process}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1000 if found else 0


SEES = """
import aiohttp.web
go = asyncio.Event()
async def main(query, request: aiohttp.web.Request):
    if request.path == "/go":
        go.set()
        return
    say('called')
    try:
        await go.wait()
    except asyncio.CancelledError:
        say('cancelled')
        raise
    say('finished')
"""


@pytest.mark.parametrize(
    ("source", "option", "seen"),
    [
        pytest.param(SEES, "true", "cancelled", id="HTTP, asked for"),
        pytest.param(SEES, "false", "finished", id="HTTP"),
        pytest.param(SEES.replace("query", "event"), "true", "finished", id="events always"),
    ],
)
def test_an_invocation_whose_client_goes_away(
    tmp_path: Path, source: str, option: str, seen: str
) -> None:
    with Served(write(tmp_path, source), "--cancel-on-disconnect", option) as served:
        leaving, staying = (http.client.HTTPConnection("127.0.0.1", served.port) for _ in range(2))
        leaving.request("POST", "/", headers=event_headers())
        served.wait_for("called")
        leaving.close()
        staying.request("POST", "/go", headers=event_headers())  # arrives after the other has left
        staying.getresponse().read()
        staying.close()
        assert served.wait_for("cancelled|finished")[0] == seen
        assert served.terminate() == 0


class TestStartUp:
    def test_the_port_is_open_and_an_invocation_waits(self, tmp_path: Path) -> None:
        go = tmp_path / "go"
        source = f"""
            import pathlib
            async def on_startup():
                while not pathlib.Path({str(go)!r}).exists():
                    await asyncio.sleep(0.01)
            def main(query): return "done"
        """
        with Served(write(tmp_path, source)) as served:
            assert ask(served, "/healthz/live")[0] == 200
            assert ask(served, "/healthz/ready")[0] == 503
            answer = served.in_background(lambda: ask(served)[1])
            go.touch()
            assert answer.result(20) == "done"
            assert ask(served, "/healthz/ready")[0] == 200

    def test_an_invocation_waits_for_a_time_only(self, tmp_path: Path) -> None:
        source = "async def on_startup():\n    await asyncio.sleep(60)\ndef main(query): ...\n"
        with Served(write(tmp_path, source), "--queue-timeout", "0.1") as served:
            assert ask(served)[0] == 503
            assert served.terminate() == 0

    @pytest.mark.parametrize("how", ["async def", "def"])
    def test_a_signal_ends_a_hook_cleanly(self, tmp_path: Path, how: str) -> None:
        wait = "await asyncio.sleep(60)" if how == "async def" else "time.sleep(60)"
        source = f"""
            {how} on_startup():
                say('begins')
                {wait}
            def on_shutdown(): say('shut down')
            def main(query): ...
        """
        with Served(write(tmp_path, source)) as served:
            served.wait_for("begins")
            waiting = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
            waiting.request("GET", "/")
            ask(served, "/healthz/live")  # connections are taken in their order
            assert served.terminate() == 0
            with waiting.getresponse() as response:
                assert response.status == 503
            waiting.close()
            log = told(served)
        assert "SIGTERM during start-up" in log
        assert "shut down" not in log

    def test_a_signal_ends_an_import_cleanly(self, tmp_path: Path) -> None:
        source = "say('begins')\ntime.sleep(60)\ndef main(): ...\n"
        served = Served(write(tmp_path, source))
        served.start()
        try:
            served.wait_for("begins")
            assert served.terminate() == 0
            assert told(served)[-1] == "SIGTERM during start-up; stopped with exit code 0"
        finally:
            served.__exit__(None, None, None)


@pytest.mark.parametrize("how", ["async def", "def"])
@pytest.mark.parametrize("hook", ["on_startup", "on_shutdown"])
@pytest.mark.parametrize("fault", ["raises", "is late"])
def test_a_hook_that_fails_ends_the_process_with_4_and_the_users_frames(
    tmp_path: Path, how: str, hook: str, fault: str
) -> None:
    wait = "await asyncio.sleep(60)" if how == "async def" else "time.sleep(60)"
    source = f"{how} {hook}():\n    {'1 / 0' if fault == 'raises' else wait}\ndef main(): ...\n"
    limits = ("--startup-timeout", "0.2", "--shutdown-timeout", "0.2")
    with Served(write(tmp_path, source), *limits) as served:
        if hook == "on_shutdown":
            served.wait_for('"ready"')
            served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 4
        log = told(served)
    (failure,) = [line for line in log if re.match(rf"{hook} (failed|was)", line)]
    assert re.search(rf'func\.py", line \d+, in {hook}', failure)
    assert "/pyfunc/" not in failure
    if fault == "raises":
        assert "ZeroDivisionError" in failure
    else:
        assert failure.startswith(f"{hook} was not done within 0.2 seconds")
    assert log[-1] == "stopped with exit code 4"


def test_a_port_that_is_no_number_is_told(tmp_path: Path) -> None:
    done = pyfunc("start", cwd=write(tmp_path, "def main(): ..."), env={"PORT": "http"})
    assert done.returncode == 2
    assert done.stderr == ("pyfunc: PORT is 'http': expected a port number from 0 to 65535\n")


@pytest.mark.slow
def test_an_idle_process_uses_no_cpu(tmp_path: Path) -> None:
    """No timer runs: there is a second in which it was not switched to at all.

    The first seconds may not be such, with what is left over of the start.
    """
    with Served(write(tmp_path, "def main(): ...")) as served:
        served.wait_for('"ready"')
        status = Path(f"/proc/{served.process.pid}/status")
        if not status.exists():
            pytest.skip("no /proc on this system")

        def switches() -> list[str]:
            return re.findall(r"voluntary_ctxt_switches:\s+\d+", status.read_text())

        def is_idle() -> bool:
            before = switches()
            time.sleep(1)
            return switches() == before

        assert any(is_idle() for _ in range(5))
        served.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.timeout(120)
async def test_restarts_under_load_lose_no_request(kind: str) -> None:
    """Twenty of each are `python -m tests.restarts`; two of each show here that it works."""
    outcome = await restart_under_load(FUNCTIONS[kind], 2)
    assert outcome.failed == []
    assert outcome.answered > 0
