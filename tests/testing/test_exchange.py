import pytest
from aiohttp import web
from yarl import URL

from pyfunc.errors import UnreachableError
from pyfunc.testing.exchange import Answer, PendingAnswer, ask, ask_server, target
from pyfunc.testing.samples import Outgoing, event_request, new_event


def echo() -> web.Application:
    """An application that answers with what it receives."""

    async def handle(request: web.Request) -> web.Response:
        headers = {n: v for n, v in request.headers.items() if n.lower().startswith("ce-")}
        headers["Content-Type"] = request.headers.get("Content-Type", "text/plain")
        return web.Response(body=await request.read(), headers=headers, reason="Echo")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


async def test_answer_has_status_headers_and_body() -> None:
    headers = [("Content-Type", "text/plain; charset=latin-1")]
    answer = await ask(echo(), Outgoing("POST", "/", headers=headers, body=b"\xe4"))

    assert (answer.status, answer.reason, answer.body) == (200, "Echo", b"\xe4")
    assert answer.headers["content-type"] == "text/plain; charset=latin-1"
    assert answer.text == "ä"
    assert (answer.event, answer.events) == (None, ())
    assert repr(answer) == r"<Answer 200 Echo: b'\xe4'>"


async def test_answer_with_an_event_has_it_and_its_verdict() -> None:
    event = new_event({"type": "com.example.reply"}, {"n": 1})
    answer = await ask(echo(), event_request([event]))

    assert answer.event == event
    assert answer.json() == {"n": 1}
    assert answer.outcome.action == "forward"
    assert repr(answer) == "<Answer 200 Echo: com.example.reply>"


async def test_text_of_an_unknown_charset_is_read_as_utf_8() -> None:
    headers = [("Content-Type", "text/plain; charset=nosuch")]
    answer = await ask(echo(), Outgoing("POST", "/", headers=headers, body="ä".encode()))

    assert answer.text == "ä"


async def test_pending_answer_sends_its_request_once() -> None:
    sent: list[Answer] = []

    async def send() -> Answer:
        sent.append(await ask(echo(), Outgoing("GET", "/")))
        return sent[-1]

    answer = PendingAnswer(send)
    assert not answer.is_awaited

    assert await answer is await answer is answer
    assert answer.is_awaited
    assert (answer.status, answer.headers) == (200, sent[0].headers)
    assert len(sent) == 1


async def test_pending_answer_has_no_fields() -> None:
    async def send() -> Answer:
        raise AssertionError

    answer = PendingAnswer(send)

    for name in ("status", "headers", "text", "event", "outcome"):
        with pytest.raises(RuntimeError, match=r"await invoke\(\.\.\.\)"):
            getattr(answer, name)
    assert not hasattr(answer, "nothing")


async def test_server_that_does_not_answer_is_unreachable(unused_tcp_port: int) -> None:
    with pytest.raises(UnreachableError, match="did not answer"):
        assert (
            await ask_server(f"http://127.0.0.1:{unused_tcp_port}", Outgoing("GET", "/"))
        ).status


@pytest.mark.parametrize(
    ("url", "path", "query", "whole"),
    [
        ("http://a", "/", (), "http://a"),
        ("http://a/", "/", (), "http://a"),
        ("http://a/b", "/c", (), "http://a/b/c"),
        ("http://a/b/", "c", (), "http://a/b/c"),
        ("http://a", "/c?d=1", [("e", "2")], "http://a/c?d=1&e=2"),
    ],
)
def test_target_is_below_the_server(
    url: str, path: str, query: list[tuple[str, str]], whole: str
) -> None:
    assert target(url, Outgoing("GET", path, query)) == URL(whole)
