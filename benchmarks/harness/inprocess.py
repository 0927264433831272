"""A server that gets its requests inside its own process, so that nothing but its work is seen.

Run by a runtime's interpreter: `-m harness.inprocess CASE REQUESTS SECONDS MODULE [ARGUMENT]...`
does what `-m MODULE` does, on a loop that feeds the requests of a case to the first server opened
on it, one after the other, and then ends the process. So many requests warm it up. Then it answers
as many again, between two reports of valgrind; or, if there are seconds, more of them for so long,
and the last line of its output tells which files the innermost frame was in how often.
"""

import asyncio
import dis
import json
import os
import runpy
import signal
import sys
import time
from collections import Counter
from types import FrameType
from typing import Any

import uvloop

from harness.cases import CASES, Case
from harness.errors import BenchmarkError, WrongAnswerError
from harness.workloads import Answer, Workload

INTERVAL = 0.001  # seconds of CPU time; kernels may take samples less often
RESUME = dis.opmap["RESUME"]


class Connection(asyncio.Transport):
    """A connection without a socket: an answer taken is a reason to send the next request.

    Answers have to be written in one piece; one that is not is no right answer.
    """

    def __init__(self, protocol: asyncio.Protocol, workload: Workload) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._request = _raw(workload)
        protocol.connection_made(self)

    async def ask(self, times: int) -> Answer:
        """The last answer to so many requests."""
        self._left = times
        self._last: asyncio.Future[bytes] = self._loop.create_future()
        self._protocol.data_received(self._request)
        return _answer(await self._last)

    def write(self, data: Any) -> None:
        self._left -= 1
        if self._left:
            self._loop.call_soon(self._protocol.data_received, self._request)
        else:
            self._last.set_result(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if not self._last.done():
            self._last.set_exception(BenchmarkError("the server closed the connection"))

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        addresses = {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8080)}
        return addresses.get(name, default)


def _raw(workload: Workload) -> bytes:
    headers = {"Host": "127.0.0.1:8080", **workload.headers}
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    lines += [f"Content-Length: {len(workload.body)}\r\n\r\n"]
    return (
        f"{workload.method} {workload.path} HTTP/1.1\r\n{''.join(lines)}".encode() + workload.body
    )


def _answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    headers = {name.lower(): value for name, _, value in pairs}
    whole = headers.get("content-length") == str(len(body))
    return Answer(int(first.split()[1]) if whole else 0, headers, body)


async def _drive(protocol: asyncio.Protocol, case: Case, requests: int, seconds: int) -> None:
    connection = Connection(protocol, case.workload)
    await connection.ask(requests)  # the first of them may come before the server is ready
    if seconds:
        print(json.dumps(await _sampled(connection, seconds)), flush=True)
    else:
        _report()
    answer = await connection.ask(requests)
    if not case.right(answer):
        raise WrongAnswerError(f"{case.name} gives a wrong answer: {answer}")


def _report() -> None:
    """Let valgrind tell what it has counted so far: it does when a process ends, and so a copy."""
    copy = os.fork()
    if copy == 0:
        os._exit(0)
    os.waitpid(copy, 0)


async def _sampled(connection: Connection, seconds: int) -> Counter[str]:
    """How often the innermost frame was in which file."""
    seen: Counter[str] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        # Python looks for signals where a call of C code ends and where a function of its own
        # begins. One that just begins took no time: that went by in who called it, or in C code.
        if frame and frame.f_back and frame.f_code.co_code[frame.f_lasti] == RESUME:
            frame = frame.f_back
        seen[frame.f_code.co_filename if frame else ""] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await connection.ask(50)
    signal.setitimer(signal.ITIMER_PROF, 0)
    return seen


def _end(driven: "asyncio.Task[None]") -> None:
    """End the process as it stands: how it stops is not what is looked at."""
    error = driven.exception()
    if error is not None:
        print(error, file=sys.stderr, flush=True)
    os._exit(1 if error else 0)


def main(name: str, requests: str, seconds: str, module: str, *arguments: str) -> None:
    """Become the server."""
    case = next(case for case in CASES if case.name == name)

    class Loop(uvloop.Loop):
        async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
            server = await super().create_server(protocol_factory, *args, **kwargs)
            driving = _drive(protocol_factory(), case, int(requests), int(seconds))
            self.driven = self.create_task(driving)
            self.driven.add_done_callback(_end)
            return server

    uvloop.Loop = Loop  # type: ignore[misc]  # what all servers here make their loop of
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
