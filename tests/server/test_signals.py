"""Signals from the first moment of a process to its last."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from pyfunc.server.signals import SIGNALS, WORKER_SIGNALS, Meanings, Signals, stoppable


async def received(meanings: Meanings, *numbers: signal.Signals) -> tuple[signal.Signals, bool]:
    """The first signal as it is understood, and whether a later one asks to hurry."""
    before = {number: signal.getsignal(number) for number in meanings}
    signals = Signals(meanings)
    try:
        for number in numbers:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.02)
        return await signals.first, signals.second.is_set()
    finally:
        signals.ignore()
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_asks_to_stop(number: signal.Signals) -> None:
    assert await received(SIGNALS, number) == (number, False)


async def test_the_second_signal_asks_to_hurry() -> None:
    assert await received(SIGNALS, signal.SIGTERM, signal.SIGINT) == (signal.SIGTERM, True)


async def test_only_the_supervisor_makes_a_worker_hurry() -> None:
    term, hurry = signal.SIGTERM, signal.SIGUSR2
    assert await received(WORKER_SIGNALS, term, term) == (term, False)
    assert await received(WORKER_SIGNALS, term, hurry) == (term, True)


def test_a_signal_before_the_server_handles_it_ends_the_start_with_0() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def start() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
        return 1

    try:
        assert stoppable(start) == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("command", "code"), [("start", 0), ("check", 128 + signal.SIGTERM)], ids=["start", "check"]
)
def test_a_signal_ends_a_command_while_it_imports(command: str, code: int) -> None:
    script = (
        "import os, runpy, signal, sys\n"
        "def look(event, arguments, sent=[]):\n"
        "    if event == 'import' and arguments[0] == 'gc' and not sent:\n"
        "        sent.append(1); os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.modules.pop('gc', None); sys.addaudithook(look)\n"
        f"sys.argv = ['pyfunc', '{command}']\n"
        "runpy.run_module('pyfunc', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=20)
    assert done.returncode == code, done.stderr
