"""Requests that arrive together, on connections whose wire is a list, and over real sockets."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from pyfunc.app import create_app
from pyfunc.fastpath import sending
from pyfunc.fastpath.connection import Connection
from pyfunc.fastpath.runner import WIRE, Connections, FastRunner
from pyfunc.function.loader import loaded_from
from pyfunc.settings import Settings

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]
with contextlib.suppress(ImportError):
    import uvloop

    LOOPS.append(uvloop.new_event_loop)

Test = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"][: len(LOOPS)])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    """Runs a test on a loop of each kind."""

    def running(test: Test) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(test(), 20))

    return running


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no answer is sent before the others."""
    monkeypatch.setattr(sending, "_SOON", 60.0)


class Wire(asyncio.Transport):
    """Notes what is written, and that it was closed."""

    def __init__(self, noted: list[str]) -> None:
        super().__init__()
        self._noted = noted
        self._is_closed = False

    def write(self, data: Any) -> None:
        assert not self._is_closed
        self._noted += [f"sent {line}" for line in _last_lines(bytes(data))]

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        if not self._is_closed:
            self._noted.append("closed")
        self._is_closed = True

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def _last_lines(answers: bytes) -> list[str]:
    return [part.split("\r\n\r\n")[-1] for part in answers.decode().split("HTTP/1.1 ")[1:]]


def _request(text: str) -> bytes:
    return f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@asynccontextmanager
async def _running(app: web.Application) -> AsyncIterator[FastRunner]:
    runner = FastRunner(
        app,
        access_log=None,
        handler_cancellation=False,
        keepalive_timeout=60,
        max_head=8190,
        max_headers=128,
        read_timeout=5,
        shutdown_timeout=0.1,
    )
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


@dataclass
class Client:
    """A connection over a real socket, and the server at its other end."""

    server: Connections
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send_in_pieces(self, request: bytes) -> None:
        """Send the last octet only when the server waits for it."""
        self.writer.write(request[:-1])
        while not any(connection._awaited for connection in self.server._each()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self.writer.write(request[-1:])

    async def answer(self) -> str:
        """The body of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split()
        if length:
            return (await self.reader.readexactly(int(length[0]))).decode()
        return (await self.reader.readuntil(b"0\r\n\r\n")).decode().split("\r\n")[1]


@asynccontextmanager
async def _client(app: web.Application, others: int = 0) -> AsyncIterator[Client]:
    """A connection to an app, over a real socket, and some more that do nothing."""
    async with _running(app) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        clients = [await asyncio.open_connection(host, port) for _ in range(1 + others)]
        try:
            assert isinstance(runner.server, Connections)
            yield Client(runner.server, *clients[0])
        finally:
            for _, writer in clients:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()


def _app(function: Callable[..., Any]) -> web.Application:
    return create_app(Settings(), loaded_from(function), wire=WIRE)


class Served:
    """A function, and connections to it without sockets."""

    def __init__(self, runner: FastRunner) -> None:
        self.noted: list[str] = []
        self._server = runner.server
        self.connections: list[Connection] = []

    async def connect(self, count: int) -> None:
        assert isinstance(self._server, Connections)
        for _ in range(count):
            connection = self._server()
            connection.connection_made(Wire(self.noted))
            self.connections.append(connection)
        await _settled()

    async def answer(self) -> None:
        """Have one request on each connection answered that needs no more than the loop."""
        await _in_callback(self.send)
        await _settled()

    def send(self) -> None:
        """One request on each connection, whose body is its number."""
        for index, connection in enumerate(self.connections):
            connection.data_received(_request(str(index)))


@asynccontextmanager
async def _served(function: Callable[[Served, str], Any], count: int) -> AsyncIterator[Served]:
    served: Served

    async def main(body: bytes) -> Any:
        served.noted.append(f"called {body.decode()}")
        result = function(served, body.decode())
        return await result if isinstance(result, Awaitable) else result

    async with _running(_app(main)) as runner:
        served = Served(runner)
        await served.connect(count)
        yield served


def _same(_: Served, body: str) -> str:
    return body


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def _in_callback(call: Callable[[], None]) -> None:
    """Call as the loop calls a protocol: from no task."""
    done = asyncio.Event()

    def called() -> None:
        call()
        done.set()

    asyncio.get_running_loop().call_soon(called)
    await done.wait()


def test_requests_that_arrive_together_are_answered_together(run: Callable[[Test], None]) -> None:
    async def test() -> None:
        async with _served(_same, 3) as served:
            await served.answer()
            assert served.noted == [
                *("called 0", "called 1", "called 2"),
                *("sent 0", "sent 1", "sent 2"),
            ]

    run(test)


def test_answers_are_sent_at_once_where_there_are_few_connections(
    run: Callable[[Test], None],
) -> None:
    async def test() -> None:
        async with _served(_same, 2) as served:
            await served.answer()
            assert served.noted == ["called 0", "sent 0", "called 1", "sent 1"]

    run(test)


def test_a_function_that_holds_the_loop_holds_one_answer_and_not_all(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_SOON", 0.005)

    def hold(_: Served, body: str) -> str:
        time.sleep(0.02)
        return body

    async def test() -> None:
        async with _served(hold, 4) as served:
            await served.answer()
            assert served.noted == [
                *("called 0", "called 1", "sent 0", "sent 1"),
                *("called 2", "called 3", "sent 2", "sent 3"),
            ]

    run(test)


def test_answers_that_are_ready_together_are_sent_together(run: Callable[[Test], None]) -> None:
    go: asyncio.Event

    async def waiting(_: Served, body: str) -> str:
        await go.wait()
        _.noted.append(f"ready {body}")
        return body

    async def test() -> None:
        nonlocal go
        go = asyncio.Event()
        async with _served(waiting, 3) as served:
            await served.answer()
            served.noted.clear()
            go.set()
            await _settled()
            assert served.noted == [
                *("ready 0", "ready 1", "ready 2"),
                *("sent 0", "sent 1", "sent 2"),
            ]

    run(test)


def test_an_answer_goes_out_before_its_connection_is_closed(run: Callable[[Test], None]) -> None:
    async def close(served: Served, body: str) -> str:
        """Close the connection before this one, whose answer is not sent yet, and this one."""
        if body == "1":
            served.connections[0].force_close()
            served.connections[1].close()
        return body

    async def test() -> None:
        async with _served(close, 4) as served:
            await served.answer()
            assert served.noted == [
                *("called 0", "called 1", "sent 0", "closed", "sent 1", "closed"),
                *("called 2", "called 3", "sent 2", "sent 3"),
            ]

    run(test)


def test_the_request_of_a_client_that_went_away_is_not_answered(
    run: Callable[[Test], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with _served(_same, 3) as served:
            task = served.connections[0]._task_handler

            def send_and_go() -> None:
                served.send()
                served.connections[0].connection_lost(None)

            await _in_callback(send_and_go)
            await _settled()
            assert task.exception() is None
            assert "called 0" not in served.noted
            assert served.noted[-2:] == ["sent 1", "sent 2"]

    caplog.set_level(logging.WARNING)
    run(test)
    assert caplog.records == []


def test_an_answer_is_not_sent_to_a_client_that_went_away_since(
    run: Callable[[Test], None], caplog: pytest.LogCaptureFixture
) -> None:
    def go(served: Served, body: str) -> str:
        if body == "1":
            served.connections[0].transport.close()
        return body

    async def test() -> None:
        async with _served(go, 3) as served:
            await served.answer()
            assert served.noted == [
                *("called 0", "called 1", "closed", "called 2"),
                *("sent 1", "sent 2"),
            ]

    caplog.set_level(logging.WARNING)
    run(test)
    assert caplog.records == []


def test_a_connection_that_is_closed_between_two_requests_has_no_task_left(
    run: Callable[[Test], None],
) -> None:
    async def test() -> None:
        async with _served(_same, 2) as served:
            parked = [connection._task_handler for connection in served.connections]
            served.connections[0].force_close()
            await _in_callback(lambda: served.connections[1].data_received(_request("1")))
            following = served.connections[1]._task_handler
            served.connections[1].close()  # before that task has run for the first time
            await _settled()
            assert following is not parked[1]
            assert [task.done() for task in (*parked, following)] == [True, True, True]
            assert served.noted[-1] == "closed"

    run(test)


def test_each_request_has_its_own_task_and_context(run: Callable[[Test], None]) -> None:
    outer, own = ContextVar("outer", default=""), ContextVar("own", default="")
    tasks: list[asyncio.Task[Any] | None] = []

    async def main(body: bytes) -> str:
        seen = outer.get() + own.get()
        own.set("left behind")
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())
        return seen

    async def test() -> None:
        outer.set("outer")
        tasks.clear()
        async with _client(_app(main)) as client:
            # One that is here whole, one that is not, and two more at once.
            client.writer.write(_request("a"))
            answers = [await client.answer()]
            await client.send_in_pieces(_request("b"))
            client.writer.write(_request("c") * 2)
            answers += [await client.answer() for _ in range(3)]
        assert answers == ["outer"] * 4
        assert len({id(task) for task in tasks}) == 4

    run(test)


@pytest.mark.parametrize("is_broken_up", [False, True])
def test_answers_come_in_the_order_of_their_requests(
    run: Callable[[Test], None], is_broken_up: bool
) -> None:
    async def main(request: web.Request, body: bytes) -> Any:
        """At once or later, as it is or as a stream: one after the other."""
        text = body.decode()
        for _ in range(int(text) // 7 % 3):
            await asyncio.sleep(0)
        if int(text) % 2:
            return text
        return _stream(text)

    async def _stream(text: str) -> AsyncIterator[str]:
        yield text

    async def test() -> None:
        async with _client(_app(main), others=3) as client:
            if is_broken_up:  # then aiohttp's own way is taken from here on
                await client.send_in_pieces(_request("0"))
                assert await client.answer() == "0"
            for first in range(0, 60, 6):
                client.writer.write(b"".join(_request(str(first + n)) for n in range(4)))
                await asyncio.sleep(0)
                client.writer.write(b"".join(_request(str(first + n)) for n in (4, 5)))
            answers = [await client.answer() for _ in range(60)]
        assert answers == [str(n) for n in range(60)]

    run(test)


@pytest.mark.parametrize("is_broken_up", [False, True])
def test_what_a_function_keeps_of_a_request_is_of_no_use_after_the_answer(
    run: Callable[[Test], None], is_broken_up: bool
) -> None:
    kept: list[web.Request] = []

    async def main(request: web.Request) -> str:
        kept.append(request)
        return await request.text()

    async def test() -> None:
        async with _client(_app(main)) as client:
            if is_broken_up:
                await client.send_in_pieces(_request("body"))
            else:
                client.writer.write(_request("body"))
            client.writer.write(_request("next"))
            assert [await client.answer() for _ in range(2)] == ["body", "next"]
            with pytest.raises(web.PayloadAccessError):
                await kept[0].content.read()
            assert kept[0]._task is None

    run(test)


def test_a_request_that_cancels_its_own_task_fails_alone(
    run: Callable[[Test], None],
) -> None:
    async def cancel(_: Served, body: str) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return body

    async def test() -> None:
        async with _served(cancel, 1) as served:
            await served.answer()
            assert served.noted[0] == "called 0"
            assert "closed" not in served.noted

    run(test)


def test_an_answer_that_cannot_be_sent_ends_its_connection(
    run: Callable[[Test], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: web.Request, __: web.StreamResponse) -> None:
        raise ValueError("a signal's fault")

    async def test() -> None:
        app = _app(lambda: "text")
        app.on_response_prepare.append(fail)
        async with _client(app) as client:
            client.writer.write(_request("body"))
            assert await client.reader.read() == b""

    run(test)
    [record] = caplog.records
    assert (record.levelname, record.name) == ("ERROR", "aiohttp.server")
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a signal's fault"
