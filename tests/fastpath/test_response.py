"""Both ways of a response to the socket, compared byte for byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiohttp import web

from pyfunc.app import create_app
from pyfunc.fastpath.response import DirectResponse
from pyfunc.fastpath.runner import WIRE, FastRunner
from pyfunc.function.loader import loaded_from
from pyfunc.settings import Settings
from tests.support.apps import Function, Load

Answer = tuple[bytes, list[bytes], bytes]

EVENT = (
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    "X-Request-Id: mine\r\ntraceparent: 00-{}-{}-01\r\ntracestate: a=1\r\n"
    "ce-id: 1\r\nce-source: /a\r\nce-type: a\r\nce-specversion: 1.0\r\n\r\n{{}}"
).format("1" * 32, "2" * 16)
PLAIN = "POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nContent-Length: 0\r\n\r\n"
LAST = PLAIN.replace("Host", "Connection: close\r\nHost")

REPLY = "{'type': 'b', 'id': '2', 'time': '2026-01-02T03:04:05Z'}"


def _http(returned: str) -> str:
    return f"async def main(body):\n    return {returned}"


def _event(returned: str) -> str:
    return f"async def main(data):\n    return {returned}"


CASES = [
    pytest.param(_http("'text'"), PLAIN, id="text"),
    pytest.param(_http("'\\u20ac'"), PLAIN, id="text beyond ASCII"),
    pytest.param(_http("''"), PLAIN, id="empty text"),
    pytest.param(_http("b'\\xff'"), PLAIN, id="octets"),
    pytest.param(_http("{'a': [1]}"), PLAIN, id="JSON"),
    pytest.param(_http("None"), PLAIN, id="nothing"),
    pytest.param(_http("'x' * 100_000"), PLAIN, id="a large body"),
    pytest.param(_http("('text', 201, {'X-Own': '1'})"), PLAIN, id="status and headers"),
    pytest.param(_http("'text'"), PLAIN.replace("POST", "HEAD"), id="HEAD"),
    pytest.param(_http("'text'"), PLAIN.replace("HTTP/1.1", "HTTP/1.0"), id="HTTP/1.0"),
    pytest.param(_http("'text'"), LAST, id="the last one"),
    pytest.param(_http("1 / 0"), PLAIN, id="a failure"),
    pytest.param(_event(f"({REPLY}, {{'n': 1}})"), EVENT, id="event"),
    pytest.param(_event(f"({REPLY}, 'text')"), EVENT, id="event with text"),
    pytest.param(_event(f"({REPLY}, None)"), EVENT, id="event without data"),
    pytest.param(_event(f"({REPLY} | {{'subject': 'a b'}}, 1)"), EVENT, id="structured event"),
    pytest.param(_event(f"({REPLY} | {{'n': 5, 'f': True}}, 1)"), EVENT, id="other values"),
    pytest.param(_event(f"[({REPLY}, 1)]"), EVENT, id="batch"),
    pytest.param(_event("None"), EVENT, id="no reply"),
    pytest.param(_event(f"({REPLY}, 1)"), EVENT.replace("{}", "{ "), id="malformed data"),
]


@asynccontextmanager
async def _listening(
    app: web.Application, factory: type[web.AppRunner]
) -> AsyncIterator[web.AppRunner]:
    ours: dict[str, Any] = (
        {"read_timeout": 5, "max_head": 8190, "max_headers": 128} if factory is FastRunner else {}
    )
    runner = factory(app, access_log=None, keepalive_timeout=5, **ours)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def _answered(app: web.Application, factory: type[web.AppRunner], sent: str) -> Answer:
    """The answer to some bytes, and what follows it on the connection."""
    async with _listening(app, factory) as runner:
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        is_last = "HTTP/1.0" in sent or "close" in sent
        writer.write((sent if is_last else sent + LAST).encode())
        octets = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, rest = octets.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, sorted(line for line in lines if not line.startswith(b"Date: ")), rest


@contextmanager
def _watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The heads of the responses that go to the socket as they are."""
    heads: list[bytes] = []
    original = DirectResponse._head

    def seen(response: DirectResponse, request: web.Request) -> bytes:
        heads.append(original(response, request))
        return heads[-1]

    with monkeypatch.context() as patch:
        patch.setattr(DirectResponse, "_head", seen)
        yield heads


def _without_dates(rest: bytes) -> list[bytes]:
    return sorted(line for line in rest.split(b"\r\n") if not line.startswith(b"Date: "))


@pytest.mark.parametrize(("source", "sent"), CASES)
async def test_both_ways_put_the_same_on_the_wire(
    source: str, sent: str, load_source: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(reply_source="/own")
    first, lines, rest = await _answered(
        create_app(settings, load_source(source), wire=WIRE), FastRunner, sent
    )

    with _watched(monkeypatch) as heads:
        usual = await _answered(create_app(settings, load_source(source)), web.AppRunner, sent)

    assert heads == []
    assert (first, lines) == usual[:2]
    assert _without_dates(rest) == _without_dates(usual[2])
    assert b"X-Request-Id: mine" in lines


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        pytest.param(_http("'text'"), PLAIN, id="text"),
        pytest.param(_http("{'a': 1}"), PLAIN, id="JSON"),
        pytest.param(_event(f"({REPLY}, 1)"), EVENT, id="event"),
        pytest.param(_event(f"[({REPLY}, 1)]"), EVENT, id="batch"),
        pytest.param(_event("None"), EVENT, id="no reply"),
    ],
)
@pytest.mark.parametrize("is_logged", [False, True])
async def test_usual_answers_go_to_the_socket_as_they_are(
    source: str, sent: str, is_logged: bool, load_source: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(Settings(access_log=is_logged), load_source(source), wire=WIRE)
    with _watched(monkeypatch) as heads:
        await _answered(app, FastRunner, sent)

    assert len(heads) == 1  # that of the last request of the connection does not


def _app(function: Function = lambda: "text") -> web.Application:
    assert callable(function)
    return create_app(Settings(), loaded_from(function), wire=WIRE)


async def test_a_signal_of_the_users_sees_and_changes_the_answer() -> None:
    async def sign(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Signed"] = response.headers["Content-Type"]

    app = _app()
    app.on_response_prepare.append(sign)

    _, lines, _ = await _answered(app, FastRunner, PLAIN)

    assert b"X-Signed: text/plain; charset=utf-8" in lines


Change = Callable[[web.Response], None]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        pytest.param(lambda r: r.set_status(202), b"HTTP/1.1 202 Accepted", id="status"),
        pytest.param(lambda r: r.set_cookie("a", "1"), b"Set-Cookie: a=1; Path=/", id="cookie"),
        pytest.param(lambda r: r.headers.add("X-Own", "1"), b"X-Own: 1", id="header"),
        pytest.param(
            lambda r: r.enable_compression(web.ContentCoding.gzip),
            b"Content-Encoding: gzip",
            id="compression",
        ),
        pytest.param(lambda r: setattr(r, "text", "other"), b"Content-Length: 5", id="text"),
        pytest.param(lambda r: r.force_close(), b"Connection: close", id="close"),
    ],
)
async def test_a_middleware_of_the_users_changes_the_answer(change: Change, seen: bytes) -> None:
    @web.middleware
    async def own(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        response = await handler(request)
        assert isinstance(response, web.Response)
        change(response)
        return response

    app = _app()
    app.middlewares.append(own)

    first, lines, _ = await _answered(app, FastRunner, PLAIN)

    assert seen in (first, *lines)


async def test_below_another_app_its_signals_count() -> None:
    async def sign(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["X-Outer"] = "1"

    outer = web.Application()
    outer.on_response_prepare.append(sign)
    outer.add_subapp("/below", _app())

    _, lines, _ = await _answered(outer, FastRunner, PLAIN.replace("POST /", "POST /below"))

    assert b"X-Outer: 1" in lines


def test_headers_can_be_read_and_keep_what_was_added() -> None:
    response = DirectResponse("Content-Type: text/plain\r\n", b"abc")
    response.add_lines("traceparent: 00-a: b\r\n")

    assert dict(response.headers) == {"Content-Type": "text/plain", "traceparent": "00-a: b"}
    assert (response.status, response.reason, response.content_length) == (200, "OK", 3)
    assert (response.content_type, response.body, response.text) == ("text/plain", b"abc", "abc")
    assert not response.prepared
    assert list(response) == []


async def test_an_answer_to_a_client_that_has_gone_is_no_failure(
    load_source: Load, caplog: pytest.LogCaptureFixture
) -> None:
    source = (
        "import asyncio\nasked, go = asyncio.Event(), asyncio.Event()\n"
        "async def main():\n    asked.set()\n    await go.wait()\n    return 'text'"
    )
    loaded = load_source(source)
    module: Any = loaded.function.__globals__
    async with _listening(create_app(Settings(), loaded, wire=WIRE), FastRunner) as runner:
        assert runner.server is not None
        _, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(PLAIN.encode())
        await module["asked"].wait()
        writer.transport.abort()
        [connection] = runner.server.connections
        while connection.transport is not None:  # noqa: ASYNC110 - nothing is there to wait on
            await asyncio.sleep(0.001)
        module["go"].set()

    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
