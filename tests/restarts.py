"""Restarts two instances in turn behind a TCP switch, under load, and counts what failed.

    python -m tests.restarts --times 20

The switch does what a Kubernetes service does: it asks for readiness now and then, and gives new
connections to an instance that was ready when it was last asked. Connections that it has given
away stay where they are. A request has failed if it was refused, reset, cut short or not answered
with 200.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp

from tests.support.serving import environment

__all__ = ["FUNCTIONS", "Outcome", "restart_under_load"]

FUNCTIONS = {
    "sync": "import time\ndef main(body: bytes):\n    time.sleep(0.02)\n    return body * 3\n",
    "async": "import asyncio\nasync def main(body: bytes):\n"
    "    await asyncio.sleep(0.02)\n    return body * 3\n",
    "streaming": "import asyncio\nasync def main(body: bytes):\n"
    "    for _ in range(3):\n        yield body\n        await asyncio.sleep(0.01)\n",
}

ASKED_EVERY = 0.1


@dataclass
class Outcome:
    """What became of the requests."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


class Instance:
    """One process, restarted on a new port each time."""

    def __init__(self, directory: Path, drain_delay: float) -> None:
        self.directory = directory
        self.drain_delay = drain_delay
        self.port = 0
        self.is_ready = False
        self.log: list[str] = []
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pyfunc", "start", "--port", "0", "--host", "127.0.0.1"),
            *("--drain-delay", str(self.drain_delay)),
            cwd=self.directory,
            env=environment(),
            stderr=asyncio.subprocess.PIPE,
        )
        self.port = int((await self._line("listening on")).rpartition(":")[2])
        self._rest = asyncio.create_task(self._read())

    async def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        code = await self.process.wait()
        await self._rest
        return code

    async def _line(self, wanted: str) -> str:
        assert self.process is not None
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.log.append(line)
            message = str(json.loads(line)["message"])
            if wanted in message:
                return message
        raise AssertionError("".join(self.log))

    async def _read(self) -> None:
        with suppress(AssertionError):
            await self._line("\0")


class Switch:
    """Hands connections to instances that are ready."""

    def __init__(self, instances: list[Instance]) -> None:
        self.instances = instances
        self._turn = count()
        self._pipes: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        asking = asyncio.create_task(self._ask())
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            asking.cancel()
            for pipe in self._pipes:
                pipe.cancel()
            await asyncio.gather(asking, *self._pipes, return_exceptions=True)

    async def _ask(self) -> None:
        while True:
            for instance in self.instances:
                instance.is_ready = await _is_ready(instance.port)
            await asyncio.sleep(ASKED_EVERY)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = [instance for instance in self.instances if instance.is_ready]
        instance = ready[next(self._turn) % len(ready)]
        try:
            there = await asyncio.open_connection("127.0.0.1", instance.port)
        except BaseException:
            writer.transport.abort()
            raise
        for source, target in ((reader, there[1]), (there[0], writer)):
            pipe = asyncio.create_task(_pipe(source, target))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Pass on what comes, and the end too, a reset as a reset."""
    try:
        while octets := await source.read(65536):
            target.write(octets)
            await target.drain()
        target.close()
    except (OSError, asyncio.CancelledError):
        target.transport.abort()


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET /healthz/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
    except OSError:
        return False
    return b" 200 " in answer.partition(b"\r\n")[0]


async def _client(url: str, keeps_alive: bool, outcome: Outcome, stop: asyncio.Event) -> None:
    """One request after the other; POST, since clients repeat a GET by themselves."""
    connector = aiohttp.TCPConnector(force_close=not keeps_alive)
    async with aiohttp.ClientSession(connector=connector) as session:
        for number in count():
            if stop.is_set():
                return
            body = b"%d," % number
            try:
                async with session.post(url, data=body) as response:
                    answer = await response.read()
                    if response.status != 200 or answer != body * 3:
                        outcome.failed.append(f"{response.status} {answer!r}")
            except (aiohttp.ClientError, OSError) as error:
                outcome.failed.append(repr(error))
            else:
                outcome.answered += 1


async def restart_under_load(
    source: str, times: int, drain_delay: float = 0.5, clients: int = 8
) -> Outcome:
    """Restart two instances in turn while half of the clients keep their connections.

    Args:
        source: The function's module.
        times: How many restarts.
        drain_delay: Longer than the switch takes to notice.
        clients: How many ask at a time.
    """
    outcome, stop = Outcome(), asyncio.Event()
    with tempfile.TemporaryDirectory() as directory:
        _write(Path(directory), source)
        instances = [Instance(Path(directory), drain_delay) for _ in range(2)]
        await asyncio.gather(*(instance.start() for instance in instances))
        switch = Switch(instances)
        async with switch.open() as port:
            await _until_all_are_ready(instances)
            url = f"http://127.0.0.1:{port}/"
            load = [
                asyncio.create_task(_client(url, n % 2 == 0, outcome, stop)) for n in range(clients)
            ]
            for number in range(times):
                instance = instances[number % 2]
                if (code := await instance.stop()) != 0:
                    outcome.failed.append(f"exit code {code}: {''.join(instance.log)}")
                await instance.start()
                await _until_all_are_ready(instances)
            stop.set()
            await asyncio.gather(*load)
        await asyncio.gather(*(instance.stop() for instance in instances))
    return outcome


def _write(directory: Path, source: str) -> None:
    (directory / "func.py").write_text(source)


async def _until_all_are_ready(instances: list[Instance]) -> None:
    while not all(instance.is_ready for instance in instances):  # noqa: ASYNC110 - the switch polls
        await asyncio.sleep(ASKED_EVERY / 2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="restarts of each kind of function")
    arguments = parser.parse_args()
    failed = 0
    for name, source in FUNCTIONS.items():
        outcome = asyncio.run(restart_under_load(source, arguments.times))
        failed += len(outcome.failed)
        print(  # noqa: T201 - a command
            f"{name}: {arguments.times} restarts, {outcome.answered} answered,"
            f" {len(outcome.failed)} failed {outcome.failed[:3]}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
