"""Sends random pipelined requests to functions of each kind, and checks every response.

    python -m tests.stress --seconds 60

Each connection has a conversation of its own: unique tokens, bodies in pieces and in chunks,
`Expect: 100-continue`, `HEAD`, events in each content mode, clients that go away. The first wrong
response ends the command with exit code 1 and an explanation. The same seed makes the same
conversations again; when their bytes arrive is not repeatable.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random, SystemRandom

from tests.support.conversations import FUNCTIONS, conversation
from tests.support.serving import Served
from tests.support.talking import Client, WrongResponseError

__all__ = ["new_seed", "stress"]

# A conversation takes a second or two on a busy machine; one that hangs never ends.
_PATIENCE = 60.0

_PROGRESS = 5.0


def stress(
    seconds: float,
    connections: int,
    seed: int,
    arguments: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve a function of each kind, and hold conversations with them for a time.

    Args:
        seconds: How long to begin new ones.
        connections: How many there are at a time, at most.
        seed: Decides what is sent.
        arguments: More arguments of `start`.
        say: Takes lines that report the progress.

    Raises:
        WrongResponseError: The first wrong response, or a fault in a server's log.
    """
    with ExitStack() as stack:
        servers: dict[str, Served] = {}
        for kind, source in FUNCTIONS.items():
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (directory / "func.py").write_text(source)
            servers[kind] = stack.enter_context(Served(directory, *arguments))
        try:
            asyncio.run(_converse(servers, seconds, connections, Random(seed), say))  # noqa: S311
        finally:
            codes = {kind: served.terminate() for kind, served in servers.items()}
            for served in servers.values():
                served.close()
        for kind, served in servers.items():
            faults = [
                line
                for line in served.log
                if '"severity":"ERROR"' in line and '"logger":"pyfunc"' in line
            ]
            if codes[kind] or faults or "finished; 0 in flight" not in served.text:
                log = "".join(faults or served.log[-5:])
                raise WrongResponseError(f"{kind} ended with exit code {codes[kind]}:\n{log}")


async def _converse(
    servers: Mapping[str, Served],
    seconds: float,
    connections: int,
    random: Random,
    say: Callable[[str], None],
) -> None:
    clients = {kind: Client(served.port) for kind, served in servers.items()}
    began = reported = time.monotonic()
    while time.monotonic() - began < seconds:
        kind, count = random.choice(list(FUNCTIONS)), round(connections ** random.random())
        plans = [conversation(random, kind) for _ in range(count)]
        held = [asyncio.create_task(clients[kind].hold(plan, _PATIENCE)) for plan in plans]
        await asyncio.wait(held, return_when=asyncio.FIRST_EXCEPTION)
        for number, task in enumerate(held, 1):
            if task.done() and (error := task.exception()):
                for other in held:
                    other.cancel()
                await asyncio.wait(held)
                raise WrongResponseError(
                    f"{kind}, connection {number} of {count}, {error}"
                ) from error
        if time.monotonic() - reported > _PROGRESS:
            reported = time.monotonic()
            say(f"{reported - began:.0f} s: {_counts(clients.values())}")
    say(f"no wrong response: {_counts(clients.values())}")


def _counts(clients: Collection[Client]) -> str:
    return (
        f"{sum(client.conversations for client in clients)} conversations, "
        f"{sum(client.responses for client in clients)} responses, "
        f"{sum(client.aborted for client in clients)} clients that went away"
    )


def main() -> int:
    """Run from the command line; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress")
    parser.add_argument("--seconds", type=float, default=60, help="default: 60")
    parser.add_argument("--connections", type=int, default=400, help="at most; default: 400")
    parser.add_argument("--seed", type=int, default=new_seed(), help="default: another each time")
    parser.add_argument("--plain", action="store_true", help="use the plain path")
    options = parser.parse_args()
    _say(f"seed {options.seed}")
    arguments = ("--plain",) if options.plain else ()
    try:
        stress(options.seconds, options.connections, options.seed, arguments, _say)
    except WrongResponseError as error:
        _say(f"wrong response: {error}\nseed {options.seed}")
        return 1
    return 0


def new_seed() -> int:
    """A seed that nobody has used."""
    return SystemRandom().getrandbits(32)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
