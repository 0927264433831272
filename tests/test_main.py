"""The command line as a process: what it prints, and with which code it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from pyfunc import __version__
from tests.support.serving import Served, environment, pyfunc

HELLO = "def main(query):\n    return 'hello'\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "func.py").write_text(HELLO)
    return tmp_path


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - http
        return response.status, response.read().decode()


def test_version_is_told(tmp_path: Path) -> None:
    assert pyfunc("--version", cwd=tmp_path).stdout == f"pyfunc {__version__}\n"


def test_installed_command_is_the_module(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("pyfunc")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"pyfunc {__version__}\n"


def test_help_names_every_command(tmp_path: Path) -> None:
    shown = pyfunc("--help", cwd=tmp_path).stdout
    assert "check" in shown
    assert "start" in shown


def test_check_of_a_good_function_ends_with_0(directory: Path) -> None:
    done = pyfunc("check", cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "func.py:1" in done.stdout
    assert "query" in done.stdout


def test_check_of_a_bad_function_ends_with_1_and_tells_all_faults(directory: Path) -> None:
    (directory / "func.py").write_text("def main(dta, evnt, colour): ...\n")
    done = pyfunc("check", cwd=directory)
    assert (done.returncode, done.stderr) == (1, "")
    for fault in ("dta: ", "did you mean data", "evnt: ", "did you mean event", "colour: "):
        assert fault in done.stdout
    assert "Traceback" not in done.stdout


def test_start_of_a_bad_function_ends_with_3(directory: Path) -> None:
    (directory / "func.py").write_text("def main(colour): ...\n")
    done = pyfunc("start", "--port", "0", cwd=directory)
    assert done.returncode == 3
    assert "colour" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        pytest.param(("start", "--port", "http"), {}, "--port is 'http'", id="flag"),
        pytest.param(("start",), {"PORT": "tcp://10.0.0.1:80"}, "PORT is 'tcp://", id="variable"),
        pytest.param(("start", "--colour"), {}, "--colour", id="unknown"),
        pytest.param(("serve",), {}, "serve", id="command"),
        pytest.param((), {}, "COMMAND", id="nothing"),
    ],
)
def test_wrong_option_ends_with_2(
    directory: Path, arguments: tuple[str, ...], env: dict[str, str], told: str
) -> None:
    done = pyfunc(*arguments, cwd=directory, env=env)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_port_that_is_taken_is_told(directory: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        done = pyfunc("start", "--port", str(port), cwd=directory)
    assert done.returncode == 3
    assert f"*:{port} is taken by another program" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "other", "-f", "greet"),
        ("--module-name", "other", "--function-name", "greet"),
        ("--module_name", "other", "--function_name=greet"),
    ],
    ids=" ".join,
)
def test_flags_choose_the_function_and_win(directory: Path, arguments: tuple[str, ...]) -> None:
    (directory / "sub").mkdir()
    (directory / "sub/other.py").write_text("def greet():\n    return 'other'\n")
    env = {"MODULE_NAME": "func", "FUNCTION_NAME": "main"}
    with Served(directory, "--search_path", "sub", *arguments, env=env) as served:
        assert get(served.url) == (200, "other")


def test_variables_choose_the_function(directory: Path) -> None:
    (directory / "app").mkdir()
    (directory / "app/handlers.py").write_text("def greet():\n    return 'dotted'\n")
    env = {"MODULE_NAME": "app.handlers", "FUNCTION_NAME": "greet"}
    with Served(directory, env=env) as served:
        assert get(served.url) == (200, "dotted")


def test_listen_address_opens_each(directory: Path) -> None:
    command = [sys.executable, "-m", "pyfunc", "start"]
    env = environment({"LISTEN_ADDRESS": "127.0.0.1:0,127.0.0.2:0", "PORT": "1"})
    with subprocess.Popen(command, cwd=directory, env=env, stderr=subprocess.PIPE, text=True) as p:
        assert p.stderr is not None
        bound = []
        for line in p.stderr:
            if match := re.search(r"listening on (http://127\.0\.0\.[12]:\d+)", line):
                bound.append(match[1])
            if len(bound) == 2:
                break
        assert [get(url) for url in bound] == [(200, "hello")] * 2
        p.send_signal(signal.SIGINT)
        p.stderr.read()
    assert p.returncode == 0


def test_both_families_share_a_port(directory: Path) -> None:
    with Served(directory) as served:
        assert get(served.url) == (200, "hello")
        if socket.has_ipv6 and Path("/proc/net/if_inet6").exists():
            assert get(f"http://[::1]:{served.port}") == (200, "hello")


def test_print_and_logging_appear_at_once(directory: Path) -> None:
    (directory / "func.py").write_text(
        "import logging, sys\n"
        "def main():\n"
        "    logging.info('logged')\n"
        "    print('printed', file=sys.stderr)\n"
        "    return ''\n"
    )
    with Served(directory) as served:
        get(served.url)
        served.wait_for("logged")
        served.wait_for("printed")


def test_sigterm_answers_what_is_in_flight_and_ends_with_0(directory: Path) -> None:
    gate = directory / "gate"
    os.mkfifo(gate)
    (directory / "func.py").write_text(
        "import logging\n"
        "def main():\n"
        "    logging.info('invoked')\n"
        "    with open('gate') as gate:\n"
        "        return gate.read()\n"
    )
    answers = []
    with Served(directory) as served:
        client = threading.Thread(target=lambda: answers.append(get(served.url)))
        client.start()
        served.wait_for("invoked")
        served.process.send_signal(signal.SIGTERM)
        served.wait_for("draining")
        gate.write_text("finished")
        client.join()
        assert served.process.wait(timeout=20) == 0
    assert answers == [(200, "finished")]


def test_probes_answer_while_a_function_blocks(directory: Path) -> None:
    gate = directory / "gate"
    os.mkfifo(gate)
    (directory / "func.py").write_text(
        "import logging\n"
        "def main():\n"
        "    logging.info('invoked')\n"
        "    with open('gate') as gate:\n"
        "        return gate.read()\n"
    )
    with Served(directory, "--threads", "1") as served:
        client = threading.Thread(target=get, args=(served.url,))
        client.start()
        served.wait_for("invoked")
        for path in ("/healthz/live", "/healthz/ready", "/health/liveness", "/health/readiness"):
            assert get(served.url + path)[0] == 200
        gate.write_text("")
        client.join()
