"""The amount of work that a request makes, counted: what was settled at start is not done again."""

import asyncio
import builtins
import inspect
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.support.apps import Serve

REQUESTS = 3

FUNCTIONS = {
    "async HTTP": "async def main(body: bytes):\n    return body.decode()",
    "sync HTTP": "def main(req, headers, query):\n    return req.get_data()",
    "typed": (
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Order:\n"
        "    n: int\n"
        "async def main(data: Order, attributes: dict) -> Order:\n"
        "    return data"
    ),
    "async event": "async def main(data, attributes):\n    return attributes, data",
    "sync event": "def main(event, context):\n    return {'type': 'a'}, event.data",
    "batch": "async def main(events):\n    return [event.data for event in events]",
    "generator": "def main(data):\n    yield {'type': 'a'}, data",
}

EVENT = (
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nContent-Type: application/json\r\n"
    b"ce-id: 1\r\nce-source: /a\r\nce-type: a\r\nce-specversion: 1.0\r\n\r\n"
    b'{"n": 1}'
)


class Calls:
    """What was called in this thread, by file and name."""

    def __init__(self) -> None:
        self.made: Counter[tuple[str, str]] = Counter()
        self._frames: set[FrameType] = set()
        self.imports: list[str] = []

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame not in self._frames:  # a coroutine that goes on is no new call
            self._frames.add(frame)
            self.made[frame.f_code.co_filename, frame.f_code.co_qualname] += 1

    def forget_frames(self) -> None:
        self._frames.clear()

    def of(self, file: str | None) -> list[str]:
        return [name for (path, name) in self.made if path == file]

    def count(self, *names: str) -> int:
        return sum(n for (_, name), n in self.made.items() if name in names)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    calls = Calls()
    original = builtins.__import__

    def counting(name: str, *args: Any, **kwargs: Any) -> Any:
        calls.imports.append(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", counting)
    before = sys.getprofile()
    sys.setprofile(calls.see)
    try:
        yield calls
    finally:
        sys.setprofile(before)
        monkeypatch.undo()
        calls.forget_frames()


async def _requests(serve: Serve, function: str, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The calls that some requests make, after a first one that is not counted."""
    client = await serve(FUNCTIONS[function])
    reader, writer = await asyncio.open_connection(client.host, client.port)
    await _request(reader, writer)
    with counted(monkeypatch) as calls:
        for _ in range(REQUESTS):
            await _request(reader, writer)
    writer.close()
    await writer.wait_closed()
    assert calls.count("RequestHandler._handle_request") == REQUESTS
    return calls


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(EVENT)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    length = head.lower().partition(b"content-length:")[2].split()
    if length:
        await reader.readexactly(int(length[0]))
    else:  # a stream
        await reader.readuntil(b"0\r\n\r\n")


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_a_request_looks_into_no_signature_and_no_environment_and_imports_nothing(
    serve: Serve, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await _requests(serve, function, monkeypatch)

    assert calls.of(inspect.__file__) == []
    assert [
        name for name in calls.of(os.getenv.__code__.co_filename) if name.startswith("_Environ.")
    ] == []
    assert [path for path, _ in calls.made if "importlib" in path] == []
    assert calls.imports == []


@pytest.mark.fastpath_only("aiohttp asks once more for the end of a body")
@pytest.mark.parametrize("function", FUNCTIONS)
async def test_a_body_is_read_once(
    serve: Serve, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await _requests(serve, function, monkeypatch)

    reads = calls.count("StreamReader.readany", "StreamReader.read", "StreamReader.read_nowait")
    of_this_test = calls.count("StreamReader.readuntil")
    assert of_this_test >= REQUESTS
    assert reads == REQUESTS


@pytest.mark.parametrize(
    ("function", "hops"), [("sync HTTP", 1), ("sync event", 1), ("async HTTP", 0)]
)
async def test_a_sync_invocation_is_one_hop_to_a_thread(
    serve: Serve, function: str, hops: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = await _requests(serve, function, monkeypatch)

    assert calls.count("Threads.run") == hops * REQUESTS
    assert calls.count("Threads._done") == hops * REQUESTS
    assert calls.count("BaseEventLoop.run_in_executor") == 0


async def test_the_counting_sees_what_it_counts(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "import inspect, os\n"
        "async def main(request):\n"
        "    import json\n"
        "    inspect.signature(main), os.environ.get('A'), await request.read()\n"
        "    return await request.content.read()"
    )
    monkeypatch.setitem(FUNCTIONS, "guilty", source)
    client_calls = await _requests(serve, "guilty", pytest.MonkeyPatch())

    assert client_calls.of(inspect.__file__)
    assert [n for n in client_calls.of(os.getenv.__code__.co_filename) if n.startswith("_Environ.")]
    assert client_calls.imports == ["json"] * REQUESTS
    assert client_calls.count("StreamReader.readany", "StreamReader.read") > REQUESTS


def test_a_start_imports_nothing_that_only_some_functions_need(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(req, data): ...")
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from pyfunc.fastpath.late_imports import import_aiohttp; import_aiohttp()\n"
        "from pyfunc.app import create_app; import pyfunc.server.process; create_app()\n"
        "print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert {"aiohttp", "pyfunc", "func"} <= loaded
    assert not loaded & {"cloudevents", "dataclasses", "flask", "multipart", "pickle", "pydantic"}
