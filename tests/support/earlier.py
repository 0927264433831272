"""Functions written for the earlier, Flask-based pyfunc, what they are asked, and what they answer.

As a program, it prints what they answer where Flask cannot be imported.
"""

import asyncio
import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer

from pyfunc.app import create_app
from pyfunc.function.loader import load
from pyfunc.settings import Settings

FUNCTIONS = Path(__file__).parent.parent / "functions" / "earlier"

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
EVENT = {"ce-id": "1", "ce-source": "/", "ce-type": "hello", "ce-specversion": "1.0"}
LARGE = "x" * 900_000


class Asked(NamedTuple):
    """One request to one function, and the answer that it has to get."""

    function: str
    method: str
    path: str
    options: dict[str, Any]
    status: int
    content_type: str | None
    body: Any
    headers: list[tuple[str, str]] = []  # noqa: RUF012 - a default that nobody changes


def form(**fields: str) -> dict[str, Any]:
    return {"data": fields}


def upload() -> dict[str, Any]:
    data = FormData(quote_fields=False)
    data.add_field("f", b"\0\xff" * 3, filename="a b.bin", content_type="image/png")
    data.add_field("note", "grün")
    return {"data": data}


def large_form() -> dict[str, Any]:
    """Several megabytes."""
    fields = {f"field{n}": LARGE for n in range(5)} | {"password": "secret", "first": "1"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return {"data": BytesIO(urlencode(fields).encode()), "headers": headers}


def plain(headers: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
    return {"headers": headers or {}, **options}


def asked() -> list[Asked]:
    """The requests to functions that do not import Flask."""
    with_note = {"name": "a b.bin", "type": "image/png", "size": 6, "note": "grün"}
    digest = "47e37c66767711a2c885d2042cae4b2969ec800b46bfd45d0b422e62c77c6410"
    secret = {"password": "secret"}
    order = {"items": [{"qty": 1}, {"qty": 2}]}
    return [
        Asked("adder", "GET", "/", {}, 200, "text/html", None),
        Asked("adder", "POST", "/", form(first="1", second="2", **secret), 200, TEXT, "nobody: 3"),
        Asked("adder", "POST", "/", form(user="ü", second="x", **secret), 200, TEXT, "ü: 0"),
        Asked("adder", "POST", "/", form(password="wrong"), 401, TEXT, "wrong password"),
        Asked("adder", "POST", "/", form(first="1"), 400, "application/problem+json", None),
        Asked("adder", "POST", "/", large_form(), 200, TEXT, "nobody: 1"),
        Asked("raw", "POST", "/", plain({"Content-Type": "x/y"}, data=b"abc"), 200, "x/y", "cba"),
        Asked("text", "PUT", "/", plain(data="grün"), 200, TEXT, "GRÜN"),
        Asked("json_body", "POST", "/", {"json": order}, 200, JSON, {"total": 3, "again": True}),
        Asked("json_body", "POST", "/", {"data": b"{}"}, 415, JSON, {"error": "JSON, please"}),
        Asked(
            "json_body",
            "POST",
            "/",
            plain({"Content-Type": JSON}, data=b"{"),
            400,
            "application/problem+json",
            None,
        ),
        Asked("lenient", "POST", "/", {"data": b"[1]"}, 200, JSON, {"body": [1]}),
        Asked("lenient", "POST", "/", {"data": b"{"}, 200, JSON, {"body": None}),
        Asked("query", "GET", "/", {}, 200, JSON, [1, [], {}, None]),
        Asked(
            "query",
            "GET",
            "/?page=2&tag=a&tag=%C3%BC+b",
            {},
            200,
            JSON,
            [2, ["a", "ü b"], {"page": "2", "tag": "a"}, None],
        ),
        Asked("query", "GET", "/?page=two", {}, 200, JSON, [1, [], {"page": "two"}, None]),
        Asked(
            "cookies",
            "GET",
            "/",
            plain({"Cookie": "visits=4"}),
            200,
            TEXT,
            "visit 5",
            [("Set-Cookie", "visits=5; Path=/")],
        ),
        Asked("upload", "POST", "/", upload(), 200, JSON, {**with_note, "digest": digest}),
        Asked(
            "where",
            "GET",
            "/a/b?c=d",
            plain({"Host": "a.example", "Origin": "https://b.example", "User-Agent": "me"}),
            200,
            JSON,
            [
                *("GET", "/a/b", "http://a.example/a/b?c=d", "http://a.example/a/b", "a.example"),
                *("c=d", "127.0.0.1", "https://b.example", "me", None, "http"),
            ],
        ),
        Asked("tuples", "GET", "/str", {}, 200, TEXT, "text"),
        Asked("tuples", "GET", "/dict", {}, 200, JSON, {"a": 1}),
        Asked("tuples", "GET", "/list", {}, 200, JSON, [1, 2]),
        Asked("tuples", "GET", "/none", {}, 204, None, ""),
        Asked("tuples", "GET", "/status", {}, 201, TEXT, "created"),
        Asked("tuples", "GET", "/line", {}, 418, TEXT, "teapot"),
        Asked("tuples", "GET", "/headers", {}, 200, JSON, {"a": 1}, [("X-One", "1")]),
        Asked("tuples", "GET", "/both", {}, 301, TEXT, "moved", [("Location", "/str")]),
        Asked("tuples", "GET", "/pairs", {}, 200, TEXT, "two", [("X-Many", "1"), ("X-Many", "2")]),
        Asked("tuples", "GET", "/missing", {}, 500, "application/problem+json", None),
        Asked("counter", "POST", "/", plain({"X-Who": "me"}, data=b"hi"), 200, TEXT, "1 me hi"),
        Asked("counter", "POST", "/", {"data": b""}, 200, TEXT, "2 None "),
        Asked(
            "event",
            "POST",
            "/",
            plain({**EVENT, "Content-Type": JSON}, data=b'{"n": 1}'),
            200,
            "text/plain",
            "hello: {'n': 1}",
            [("ce-type", "com.example.reply")],
        ),
    ]


def asked_with_flask() -> list[Asked]:
    """The requests to functions that use Flask themselves."""
    cookie = plain({"Cookie": "c=1"}, json=[1])
    return [
        Asked("flask_request", "POST", "/", upload(), 200, JSON, {"file": 6, "form": "grün"}),
        Asked(
            "flask_request",
            "POST",
            "/?a=b",
            cookie,
            200,
            JSON,
            {"args": "b", "cookie": "1", "json": [1]},
        ),
        Asked("flask_names", "GET", "/a?who=b", {}, 200, JSON, {"path": "/a", "who": "b"}),
        Asked("flask_names", "GET", "/abort", {}, 403, HTML, None),
        Asked("flask_names", "GET", "/redirect", {}, 302, HTML, None, [("Location", "/")]),
        Asked(
            "flask_names",
            "GET",
            "/made",
            {},
            201,
            HTML,
            "made",
            [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; Path=/")],
        ),
        Asked("flask_response", "GET", "/", {}, 202, HTML, "<p>hi</p>", [("X-One", "1")]),
        Asked("flask_response", "GET", "/stream", {}, 200, "text/csv; charset=utf-8", "012"),
    ]


async def answers(requests: list[Asked]) -> list[str | None]:
    """For each request what is wrong with its answer, or `None`."""
    clients: dict[str, Any] = {}
    try:
        for name in dict.fromkeys(one.function for one in requests):
            loaded = load(str(FUNCTIONS), name, None)
            clients[name] = TestClient(TestServer(create_app(Settings(), loaded)))
            await clients[name].start_server()
        return [await _fault(clients[one.function], one) for one in requests]
    finally:
        for client in clients.values():
            await client.close()


async def _fault(client: Any, one: Asked) -> str | None:
    answer = await client.request(one.method, one.path, allow_redirects=False, **one.options)
    text = await answer.text()
    body = json.loads(text) if answer.content_type == JSON else text
    found = (
        answer.status,
        answer.headers.get("Content-Type"),
        body if one.body is not None else None,
    )
    names = dict.fromkeys(name for name, _ in one.headers)
    headers = [(name, value) for name in names for value in answer.headers.getall(name, [])]
    if (*found, headers) == (one.status, one.content_type, one.body, one.headers):
        return None
    return f"{one.function} {one.method} {one.path}: {found} {headers} {text[:200]}"


if __name__ == "__main__":
    for name in ("flask", "werkzeug"):
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
    print(json.dumps(asyncio.run(answers(asked()))))  # noqa: T201 - what its test reads
