"""Every example, served by a process of its own and asked over a socket."""

import hashlib
import hmac
import io
import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import NamedTuple

import pytest
from PIL import Image

from tests.support.serving import ROOT, Served, pyfunc

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
    octets: bytes

    @property
    def body(self) -> str:
        return self.octets.decode()


def ask(
    served: Served, path: str = "/", body: bytes | None = None, headers: Mapping[str, str] = {}
) -> Answer:
    request = urllib.request.Request(served.url + path, body, dict(headers))  # noqa: S310 - http
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - http
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


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


def test_thumbnail_comes_back_as_an_image() -> None:
    photo = io.BytesIO()
    Image.new("RGB", (640, 320), "teal").save(photo, "JPEG")
    headers = {**EVENT, "Content-Type": "image/jpeg", "ce-subject": "photo.jpg"}
    with Served(ROOT / "examples/image-thumbnail") as served:
        answer = ask(served, body=photo.getvalue(), headers=headers)
    assert answer.headers["Content-Type"] == "image/png"
    assert (answer.headers["ce-type"], answer.headers["ce-subject"]) == (
        "com.example.thumbnail",
        "photo.jpg",
    )
    assert Image.open(io.BytesIO(answer.octets)).size == (64, 32)


def test_dead_letter_logs_the_reason_and_ends_the_event() -> None:
    headers = {
        **EVENT,
        "ce-knativeerrorcode": "422",
        "ce-knativeerrordest": "http://order",
        "ce-knativeerrordata": "bm8gcGVucw==",
    }
    with Served(ROOT / "examples/dead-letter") as served:
        answer = ask(served, body=b"{}", headers=headers)
        served.wait_for("event 1 .* was not taken by http://order: status 422, no pens")
    assert (answer.status, answer.octets) == (200, b"")


def test_fan_out_answers_with_a_batch() -> None:
    order = b'{"lines": [{"article": "pen"}, {"article": "ink"}]}'
    with Served(ROOT / "examples/fan-out") as served:
        answer = ask(served, body=order, headers=EVENT)
    assert answer.headers["Content-Type"] == "application/cloudevents-batch+json"
    events = json.loads(answer.body)
    assert [event["subject"] for event in events] == ["pen", "ink"]
    assert [event["source"] for event in events] == ["/me/lines/0", "/me/lines/1"]
    assert [event["data"] for event in events] == [{"article": "pen"}, {"article": "ink"}]


def test_webhook_lets_signed_deliveries_through_only() -> None:
    body = b'{"action": "opened"}'
    signature = "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "issues",
        "X-GitHub-Delivery": "72d3162e",
        "X-Hub-Signature-256": signature,
    }
    with Served(ROOT / "examples/webhook", env={"WEBHOOK_SECRET": "secret"}) as served:
        good = ask(served, "/hook", body, headers)
        forged = ask(served, "/hook", body + b" ", headers)
    assert (good.headers["ce-type"], good.headers["ce-id"]) == ("com.github.issues", "72d3162e")
    assert good.octets == body
    assert forged.status == 401


def test_webhook_without_a_secret_lets_nothing_through() -> None:
    signature = "sha256=" + hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    with Served(ROOT / "examples/webhook", env={"WEBHOOK_SECRET": ""}) as served:
        assert ask(served, "/", b"{}", {"X-Hub-Signature-256": signature}).status == 401


def test_llm_stream_sends_server_sent_events() -> None:
    with Served(ROOT / "examples/llm-stream") as served:
        answer = ask(served, "/?prompt=hi")
    assert answer.headers["Content-Type"] == "text/event-stream"
    pieces = answer.body.split("\n\n")
    assert pieces[-2:] == ["data: [DONE]", ""]
    texts = [json.loads(piece.removeprefix("data: "))["text"] for piece in pieces[:-2]]
    assert "".join(texts) == "You said: hi "


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_a_short_readme_with_the_command(name: str) -> None:
    readme = (ROOT / "examples" / name / "README.md").read_text()
    assert f"scripts/serve examples/{name}" in readme
    assert 8 <= len(readme.splitlines()) <= 16
