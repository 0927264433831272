"""One response, whole or visibly broken off, whatever a function raises; the next one is served."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from pyfunc import Event
from pyfunc.lifecycle import LIFECYCLE
from tests.support.apps import Client, Serve

ENDINGS = ["SystemExit(3)", "KeyboardInterrupt()", "GeneratorExit()", "asyncio.CancelledError()"]

SYNC = """
    import asyncio

    def main(path):
        if path == "/raise":
            raise {error}
        return "fine"
"""
ASYNC = SYNC.replace("def main", "async def main")
CANCELS = """
    import asyncio

    async def main(path):
        if path == "/raise":
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
        return "fine"
"""
VALIDATOR = """
    import asyncio
    from dataclasses import dataclass

    @dataclass
    class Order:
        n: int

        def __post_init__(self):
            if self.n:
                raise {error}

    {kind} main(body: Order):
        return "fine"
"""
DUMP = """
    import asyncio
    import pydantic

    class Order(pydantic.BaseModel):
        n: int

        @pydantic.model_serializer
        def dump(self):
            if self.n:
                raise {error}
            return "fine"

    {kind} main(path):
        return Order(n=path == "/raise")
"""


async def is_served(client: Client) -> bool:
    async with client.get("/") as response:
        return response.status == 200 and await response.text() == "fine"


@pytest.mark.parametrize("error", ENDINGS)
@pytest.mark.parametrize("source", [SYNC, ASYNC], ids=["def", "async def"])
async def test_any_exception_is_a_500_and_the_next_request_is_served(
    serve: Serve, source: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(source.format(error=error), threads=1)

    for _ in range(2):
        response = await client.get("/raise")
        assert response.status == 500
        assert response.headers["Content-Type"] == "application/problem+json"
        assert await is_served(client)
    assert error.partition("(")[0].rpartition(".")[2] in caplog.text


async def test_a_function_that_cancels_its_own_task_fails_alone(serve: Serve) -> None:
    client = await serve(CANCELS)

    assert (await client.get("/raise")).status == 500
    assert await is_served(client)


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("error", ENDINGS)
async def test_any_exception_of_a_conversion_is_a_500(serve: Serve, error: str, kind: str) -> None:
    client = await serve(VALIDATOR.format(error=error, kind=kind))

    for n, status in ((1, 500), (0, 200)):
        assert (await client.post("/", json={"n": n})).status == status


@pytest.mark.parametrize("error", ENDINGS)
async def test_any_exception_while_a_result_is_encoded_is_a_500(serve: Serve, error: str) -> None:
    client = await serve(DUMP.format(error=error, kind="def"))

    assert (await client.get("/raise")).status == 500
    assert (await client.get("/")).status == 200


BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.mark.parametrize("error", [*ENDINGS, "cancel"])
async def test_an_event_of_a_batch_fails_alone(serve: Serve, error: str) -> None:
    calls: list[str] = []

    async def main(event: Event) -> None:
        calls.append(event.id)
        if event.id == "2":
            if error == "cancel":
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            raise eval(error)  # noqa: S307 - a name of the table above

    one = {"source": "/s", "type": "t", "specversion": "1.0"}
    client = await serve(main)
    response = await client.post(
        "/", data=json.dumps([{**one, "id": id} for id in "123"]), headers=BATCH
    )

    problem = await response.json(content_type=None)
    assert response.status == 500
    assert [each["status"] for each in problem["outcomes"]] == [200, 500, 200]
    assert sorted(calls) == ["1", "2", "3"]


# --- streams --------------------------------------------------------------------------------------

FAULTS = [
    "ConnectionResetError('a peer')",
    "BrokenPipeError('a child')",
    "ConnectionAbortedError()",
    "OSError(5, 'disk')",
    "TimeoutError()",
    "StopIteration()",
    "StopAsyncIteration()",
    "GeneratorExit()",
    "SystemExit()",
    "KeyboardInterrupt()",
    "asyncio.CancelledError()",
    "ValueError('own')",
]
GENERATORS = {
    "def": """
        import asyncio
        def main():
            yield "first"
            raise {error}
    """,
    "async def": """
        import asyncio
        async def main():
            yield "first"
            raise {error}
    """,
    "iterator": """
        import asyncio
        class Rows:
            count = 0
            def __iter__(self):
                return self
            def __next__(self):
                self.count += 1
                if self.count == 1:
                    return "first"
                raise {error}
        def main():
            return Rows()
    """,
}


async def raw(client: Client, *requests: bytes, version: bytes = b"1.1") -> bytes:
    """All that the server sends for these requests until it closes the connection."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"".join(b"GET %b HTTP/%b\r\nHost: a\r\n\r\n" % (p, version) for p in requests))
    octets = b""
    try:
        async with asyncio.timeout(10):
            while chunk := await reader.read(1 << 16):
                octets += chunk
    except ConnectionResetError:
        octets += b"<reset>"
    finally:
        writer.close()
    return octets


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (kind, error)
        for kind in GENERATORS
        for error in FAULTS
        if (kind, error) != ("iterator", "StopIteration()")  # by the language the end of it
    ],
)
async def test_a_stream_that_fails_is_broken_off_and_logged(
    serve: Serve, kind: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(GENERATORS[kind].format(error=error))

    octets = await raw(client, b"/", b"/")

    assert octets.count(b"HTTP/1.1 ") == 1
    assert b"first" in octets
    assert not octets.endswith(b"0\r\n\r\n")
    assert [r.levelno for r in caplog.records if "mid-stream" in r.message] == [logging.ERROR]


async def test_a_stream_that_fails_is_reset_where_its_end_is_that_of_the_connection(
    serve: Serve,
) -> None:
    client = await serve(GENERATORS["async def"].format(error="ValueError()"))

    assert (await raw(client, b"/", version=b"1.0")).endswith(b"<reset>")


async def chunk() -> AsyncIterator[str]:
    yield "generated"


RESULTS: dict[str, Callable[[], Any]] = {
    "text": lambda: "second",
    "response": lambda: web.Response(text="second"),
    "stream": chunk,
    "tuple": lambda: ("second", 201),
}


class Own:
    """A function that prepares a response of its own, writes a part of it, and then ..."""

    def __init__(self, ending: Callable[[], Any]) -> None:
        self.ending = ending

    async def main(self, req: web.Request) -> Any:
        response = web.StreamResponse()
        await response.prepare(req)
        await response.write(b"part")
        return self.ending()


@pytest.mark.parametrize("kind", RESULTS)
async def test_no_other_response_follows_one_that_the_function_has_prepared(
    serve: Serve, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    octets = await raw(await serve(Own(RESULTS[kind]).main), b"/", b"/")

    assert octets.count(b"HTTP/1.1 ") == 1
    assert b"second" not in octets
    assert not octets.endswith(b"0\r\n\r\n")
    assert "another response than the one that it prepared" in caplog.text


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    "error", [ValueError("own"), web.HTTPNotFound(), SystemExit(), ConnectionResetError("a peer")]
)
async def test_no_response_to_an_error_follows_one_that_the_function_has_prepared(
    serve: Serve, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    octets = await raw(await serve(Own(lambda: fail(error)).main), b"/", b"/")

    assert octets.count(b"HTTP/1.1 ") == 1
    assert not octets.endswith(b"0\r\n\r\n")
    assert "failed in mid-response" in caplog.text


async def test_a_response_that_the_function_has_prepared_is_ended_for_it(serve: Serve) -> None:
    client = await serve(Own(lambda: None).main)

    async with client.get("/") as response:
        assert await response.text() == "part"


async def failing_web_socket(req: web.Request) -> None:
    socket = web.WebSocketResponse()
    await socket.prepare(req)
    raise ValueError("after the handshake")


async def test_a_web_socket_whose_function_fails_is_closed_with_1011(serve: Serve) -> None:
    """As in pgjones/hypercorn#112; nothing else follows."""
    client = await serve(failing_web_socket)
    async with client.ws_connect("/") as socket:
        message = await socket.receive(timeout=10)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1011)
        assert (await socket.receive(timeout=10)).type is WSMsgType.CLOSED


async def test_a_client_that_does_not_close_its_web_socket_is_not_waited_for(serve: Serve) -> None:
    client = await serve(failing_web_socket)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bKdPyn3u98cTfZJSh4TNeQ==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert await reader.read() == b"\x88\x02" + (1011).to_bytes(2, "big")
    writer.close()


async def test_a_web_socket_that_is_cut_off_is_closed_with_1001(serve: Serve) -> None:
    """As in Kludex/uvicorn#1344: its client may connect again, elsewhere."""

    async def main(req: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(req)
        await socket.send_str("here")
        async for _ in socket:
            pass
        return socket

    client = await serve(main)
    async with client.ws_connect("/") as socket:
        assert (await socket.receive(timeout=10)).data == "here"
        client.app[LIFECYCLE].cut_off()
        message = await socket.receive(timeout=10)

    assert (message.type, message.data) == (WSMsgType.CLOSE, 1001)


# --- heads ----------------------------------------------------------------------------------------

HEADS: dict[str, Callable[[], Any]] = {
    "header": lambda: web.Response(headers={"X-Echo": "a\nb"}),
    "name": lambda: web.Response(headers={"X Echo": "a"}),
    "NUL": lambda: web.Response(headers={"X-Echo": "a\0b"}),
    "surrogate": lambda: web.Response(headers={"X-Echo": "\udc80"}),
    "JSON": lambda: web.json_response({}, headers={"X-Echo": "a\rb"}),
    "location": lambda: fail(web.HTTPFound("/", headers={"X-Echo": "a\nb"})),
    "error": lambda: fail(web.HTTPBadRequest(headers={"X-Echo": "a\nb"})),
    "tuple": lambda: ("b", 200, {"X-Echo": "a\nb"}),
    "stream": lambda: (chunk(), 200, {"X-Echo": "a\nb"}),
}


@pytest.mark.parametrize("kind", HEADS)
async def test_a_header_that_cannot_be_sent_is_a_logged_500(
    serve: Serve, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> Any:
        return HEADS[kind]()

    client = await serve(main)

    assert (await client.get("/")).status == 500
    assert "returned what cannot be sent" in caplog.text


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(("ok", 200, {"Connection": "close"}), id="tuple"),
        pytest.param(("ok", {"connection": "Close"}), id="other case"),
        pytest.param((["ok"], 201, {"Connection": "close"}), id="status"),
    ],
)
async def test_a_connection_that_the_function_closes_is_closed(serve: Serve, result: Any) -> None:
    octets = await raw(await serve(lambda: result), b"/", b"/")

    assert octets.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in octets.lower()


async def test_a_stream_whose_function_closes_the_connection_is_its_last(serve: Serve) -> None:
    async def main() -> Any:
        return chunk(), 200, {"Connection": "close"}

    octets = await raw(await serve(main), b"/", b"/")

    assert octets.count(b"HTTP/1.1 ") == 1
    assert octets.endswith(b"0\r\n\r\n")


# --- requests that are none -----------------------------------------------------------------------


async def send(client: Client, octets: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(octets)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_tunnel_is_refused_and_its_connection_closed(serve: Serve) -> None:
    calls: list[str] = []
    client = await serve(lambda path: calls.append(path))

    answer = await send(
        client,
        b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\nGET /in HTTP/1.1\r\nHost: a\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 501 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert calls == []


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"deflate, chunked", b"x, chunked"])
async def test_a_transfer_coding_that_nobody_undoes_is_refused(serve: Serve, coding: bytes) -> None:
    client = await serve(lambda body: body)

    answer = await send(
        client,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: %b\r\n\r\n2\r\nab\r\n0\r\n\r\n" % coding,
    )

    assert answer.startswith((b"HTTP/1.1 501 ", b"HTTP/1.1 400 "))


async def test_chunked_in_capitals_is_taken(serve: Serve) -> None:
    client = await serve(lambda body: body)

    answer = await send(
        client,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
        b"2\r\nab\r\n0\r\n\r\n",
    )

    assert answer.startswith(b"HTTP/1.1 200 ")


# --- contexts and logs ----------------------------------------------------------------------------

CONTEXTS = {
    "generator": """
        from contextvars import ContextVar
        user = ContextVar("user", default="nobody")
        def rows():
            yield user.get()
        def main():
            user.set("ann")
            return rows()
    """,
    "with a status": """
        from contextvars import ContextVar
        user = ContextVar("user", default="nobody")
        def rows():
            yield user.get()
        def main():
            user.set("ann")
            return rows(), 200
    """,
    "async generator of a def": """
        from contextvars import ContextVar
        user = ContextVar("user", default="nobody")
        async def rows():
            yield user.get()
        def main():
            user.set("ann")
            return rows()
    """,
    "generator of an async def": """
        from contextvars import ContextVar
        user = ContextVar("user", default="nobody")
        def rows():
            yield user.get()
        async def main():
            user.set("ann")
            return rows()
    """,
    "coroutine of a def": """
        from contextvars import ContextVar
        user = ContextVar("user", default="nobody")
        async def later():
            return user.get()
        def main():
            user.set("ann")
            return later()
    """,
}


@pytest.mark.parametrize("kind", CONTEXTS)
async def test_one_invocation_has_one_context(serve: Serve, kind: str) -> None:
    client = await serve(CONTEXTS[kind])

    assert await (await client.get("/")).text() == "ann"


REFUSED = {
    "no event": ({}, b"x", "this function takes CloudEvents"),
    "no id": ({"ce-source": "/", "ce-type": "t", "ce-specversion": "1.0"}, b"", "id"),
    "coding": ({"Content-Encoding": "foo", "ce-id": "1"}, b"x", "Content-Encoding"),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_refused_request_leaves_its_reason_in_the_log(
    serve: Serve, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers, body, reason = REFUSED[kind]
    client = await serve("def main(data): ...")
    caplog.set_level(logging.DEBUG, "pyfunc")

    response = await client.post("/", data=body, headers=headers)

    assert response.status in (400, 415)
    [line] = [r.getMessage() for r in caplog.records if "rejected with" in r.getMessage()]
    assert line.startswith(f"rejected with {response.status}: ")
    assert reason in line


@pytest.mark.parametrize("head", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_a_client_that_leaves_in_its_body_is_cancelled(
    serve: Serve, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = await serve("def main(data): ...", access_log=True)

    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"POST / HTTP/1.1\r\nHost: a\r\nce-id: 1\r\nce-source: /\r\nce-type: t\r\n"
        b"ce-specversion: 1.0\r\n%b\r\n\r\n3\r\nabc\r\n" % head
    )
    await writer.drain()
    writer.close()
    async with asyncio.timeout(10):
        while not (lines := _access_lines(caplog)):  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.01)

    assert [line.getMessage().split()[-1] for line in lines] == ["cancelled"]


def _access_lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "pyfunc.access"]


# --- what follows a request on its connection -----------------------------------------------------


def statuses(octets: bytes) -> list[int]:
    return [int(part[:3]) for part in octets.split(b"HTTP/1.1 ")[1:]]


async def exchange(client: Client, *parts: bytes) -> bytes:
    """All that comes back for these parts, each sent a moment after the other."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    octets = b""
    for part in (*parts, b""):
        writer.write(part)
        try:
            async with asyncio.timeout(0.5):
                while chunk := await reader.read(1 << 16):
                    octets += chunk
        except (TimeoutError, ConnectionResetError):
            pass
    is_open = not reader.at_eof()
    writer.close()
    return octets + (b"<open>" if is_open else b"<closed>")


NEXT = b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
TRAILERS = {
    "one": b"3\r\nabc\r\n0\r\nX-Request-Id: forged\r\n\r\n",
    "like a last chunk": b"3\r\nabc\r\n0\r\nX-Forged: forged\r\nX-0: 0\r\n\r\n",
    "of an event": b"0\r\nce-type: forged\r\n\r\n",
}


@pytest.mark.parametrize("cut", [None, 0, 3, 9, -4, -1])
@pytest.mark.parametrize("kind", TRAILERS)
async def test_a_trailer_never_becomes_a_header_of_the_next_request(
    serve: Serve, kind: str, cut: int | None
) -> None:
    async def main(headers: dict[str, str], body: bytes) -> dict[str, str]:
        return headers

    client = await serve(main)
    whole = CHUNKED + TRAILERS[kind]
    middle = None if cut is None else len(CHUNKED) + cut if cut >= 0 else len(whole) + cut
    parts = [whole, NEXT] if middle is None else [whole[:middle], whole[middle:] + NEXT]

    octets = await exchange(client, *parts)

    assert statuses(octets)[0] == 200
    second = octets.split(b"HTTP/1.1 ")[2:]
    assert not any(b"forged" in part for part in second)
    assert second or octets.endswith(b"<closed>")


@pytest.mark.parametrize("upgrade", [b"h2c", b"TLS/1.0", b"other"])
@pytest.mark.parametrize("body", [b"", b"abc"])
async def test_no_request_behind_an_upgrade_waits_for_ever(
    serve: Serve, upgrade: bytes, body: bytes
) -> None:
    client = await serve(lambda path: path)
    method = b"POST" if body else b"GET"
    first = (
        b"%b /1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: %b\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (method, upgrade, len(body), body)
    )

    octets = await exchange(client, first + NEXT)

    assert statuses(octets)[:1] == [200]
    assert len(statuses(octets)) == 2 or octets.endswith(b"<closed>")
