"""The output of `invoke`, from a request and its answer."""

import json
import shlex
from typing import Any

import pytest
from multidict import CIMultiDict

from pyfunc.cli.invoke_output import as_document, as_json, curl_command, describe
from pyfunc.testing.exchange import Answer
from pyfunc.testing.samples import Outgoing, plain_request


def requested(body: bytes = b"", content_type: str | None = None) -> Outgoing:
    method = "POST" if body else "GET"
    return plain_request(method, "/a b", [("n", "1")], [("X-Empty", "")], body, content_type)


def answered(body: bytes, content_type: str, status: int = 200) -> Answer:
    headers = CIMultiDict({"Content-Type": content_type})
    headers.add("Vary", "a")
    headers.add("Vary", "b")
    return Answer(status, "Reason", headers, body, 0.25, of_batch=False)


def document(answer: Answer) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(as_json(as_document(requested(), answer, ["a line"])))
    return shown


def test_curl_command_has_method_headers_and_target() -> None:
    words = shlex.split(curl_command("http://localhost:8080", requested()))

    assert words[:3] == ["curl", "--include", "--globoff"]
    assert "X-Empty;" in words
    assert words[-1] == "http://localhost:8080/a%20b?n=1"


def test_curl_command_quotes_a_body() -> None:
    words = shlex.split(curl_command("http://localhost", requested(b"it's $HOME", "text/plain")))

    assert words[-2:] == ["--data-raw", "it's $HOME"]


def test_curl_command_decodes_a_body_that_is_no_text() -> None:
    command = curl_command("http://localhost", requested(b"\xff\0", "application/octet-stream"))

    assert command.startswith("echo /wA= | base64 --decode | curl ")
    assert command.endswith(" --data-binary @-")


@pytest.mark.parametrize(("status", "ok"), [(200, True), (399, True), (400, False), (500, False)])
def test_plain_request_succeeds_below_400(status: int, ok: bool) -> None:
    assert document(answered(b"", "text/plain", status))["ok"] is ok


def test_document_joins_repeated_headers() -> None:
    assert document(answered(b"", "text/plain"))["headers"]["vary"] == "a, b"


def test_document_encodes_a_body_that_is_no_text() -> None:
    shown = document(answered(b"\xff\0", "application/octet-stream"))

    assert shown["body_base64"] == "/wA="
    assert "body" not in shown


def test_document_keeps_the_lines_of_the_function() -> None:
    assert document(answered(b"", "text/plain"))["log"] == ["a line"]


@pytest.mark.parametrize(
    ("body", "content_type", "lines"),
    [
        (b"hello", "text/plain", ["hello"]),
        (b'{"n":1}', "application/json", ["{", '  "n": 1', "}"]),
        (b"{", "application/json", ["{"]),
        (b"\1\2", "application/octet-stream", ["2 bytes: 01 02"]),
    ],
)
def test_body_is_shown_by_its_type(body: bytes, content_type: str, lines: list[str]) -> None:
    answer = answered(body, content_type)
    text = list(describe(as_document(requested(), answer, []), answer))

    assert text[0] == "200 Reason"
    assert text[text.index("") + 1 :][: len(lines)] == lines
    assert "It took 250 ms." in text
