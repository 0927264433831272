"""Every example, served by a process of its own and asked over a socket."""

import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import NamedTuple

import pytest

from tests.serving import ROOT, Served, pyfunc

EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/func.py"))

EVENT = {
    "ce-id": "1",
    "ce-source": "/me",
    "ce-type": "com.example.hello",
    "ce-specversion": "1.0",
    "Content-Type": "application/json",
}


class Answer(NamedTuple):
    status: int
    headers: "Message[str, str]"
    body: str


def ask(
    served: Served, path: str = "/", body: bytes | None = None, headers: Mapping[str, str] = {}
) -> Answer:
    request = urllib.request.Request(served.url + path, body, dict(headers))  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - http
            return Answer(response.status, response.headers, response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read().decode())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_passes_check(name: str) -> None:
    done = pyfunc("check", cwd=ROOT / "examples" / name)
    assert (done.returncode, done.stderr) == (0, "")


def test_hello_greets() -> None:
    with Served(ROOT / "examples/hello") as served:
        assert ask(served).body == "Hello, world!\n"
        assert ask(served, "/anything?name=Ada").body == "Hello, Ada!\n"


def test_demo_runs_as_the_readme_shows() -> None:
    with Served(ROOT / "examples/demo") as served:
        answer = ask(served, body=b'{"n": 1}', headers={**EVENT, "Origin": "https://example.com"})
        served.wait_for("Got data: {'n': 1}")
        served.wait_for("From https://example.com, my 1th request!")
        ask(served, body=b"2", headers=EVENT)
        served.wait_for("From None, my 2th request!")
    assert (answer.status, answer.body) == (200, "It's a demo")
    assert answer.headers["ce-type"] == "com.example.reply"
    assert answer.headers["ce-source"] == "/me"
    assert answer.headers["ce-id"] not in ("1", None)
    assert answer.headers["Content-Type"] == "text/plain"


def test_demo_takes_structured_events_too() -> None:
    event = {"id": "1", "source": "/me", "type": "t", "specversion": "1.0", "data": {"n": 1}}
    with Served(ROOT / "examples/demo") as served:
        answer = ask(
            served,
            body=json.dumps(event).encode(),
            headers={"Content-Type": "application/cloudevents+json; charset=utf-8"},
        )
        served.wait_for("Got data: {'n': 1}")
    assert answer.headers["ce-type"] == "com.example.reply"
    assert answer.body == "It's a demo"


def test_adder_adds_for_those_who_know_the_password() -> None:
    form = {"user": "ada", "password": "lovelace", "first": "2", "second": "40"}
    with Served(ROOT / "examples/adder") as served:
        good = ask(served, body=urllib.parse.urlencode(form).encode())
        wrong = ask(served, body=urllib.parse.urlencode({**form, "password": "x"}).encode())
        empty = ask(served, body=b"")
    assert (good.status, json.loads(good.body)) == (200, {"sum": 42})
    assert (wrong.status, wrong.body) == (401, "Wrong user or password\n")
    assert empty.status == 401


def test_order_replies_with_the_total() -> None:
    order = {"customer": "Ada", "items": [{"name": "pen", "price": 1.5, "quantity": 3}]}
    with Served(ROOT / "examples/order") as served:
        answer = ask(served, body=json.dumps(order).encode(), headers=EVENT)
        misfit = ask(
            served,
            body=b'{"customer": "Ada", "items": [{"name": "pen", "price": "cheap"}]}',
            headers=EVENT,
        )
    assert json.loads(answer.body) == {"customer": "Ada", "total": 4.5}
    assert answer.headers["ce-type"] == "com.example.order.priced"
    assert misfit.status == 422
    assert "$.items[0].price: expected float, got str" in json.loads(misfit.body)["detail"]


def test_stream_sends_each_line_before_the_next_is_known() -> None:
    with (
        Served(ROOT / "examples/stream") as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=10) as client,
    ):
        # Were the answer held back until its end, no byte of it would come within an hour.
        client.sendall(b"GET /?from=3&every=3600 HTTP/1.1\r\nHost: test\r\n\r\n")
        received = b""
        while b"3\n" not in received:
            received += client.recv(1024)
        assert b"2\n" not in received.partition(b"\r\n\r\n")[2]
        assert ask(served, "/?from=2&every=0").body == "2\n1\nLift-off!\n"


@pytest.mark.parametrize("data", [b'{"a": [1, "x", null]}', b'"text"', b"12.5"])
def test_echo_gives_the_event_back(data: bytes) -> None:
    with Served(ROOT / "examples/echo") as served:
        answer = ask(served, body=data, headers={**EVENT, "ce-tenant": "a"})
    sent = {name: answer.headers[name] for name in (*EVENT, "ce-tenant")}
    assert sent == {**EVENT, "ce-tenant": "a"}
    assert json.loads(answer.body) == json.loads(data)
