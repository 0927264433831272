import copy
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.request.view import Request
from tests.support import flask_twin
from tests.support.views import Look, view_app


async def test_what_flask_has_no_name_for_is_aiohttps(aiohttp_client: AiohttpClient) -> None:
    key = web.RequestKey("key", str)

    def look(req: Request) -> Any:
        req[key] = "kept"
        assert req[key] == "kept"
        assert key in req
        assert list(req) == [key]
        del req[key]
        assert not list(req)
        assert bool(req) is True  # an empty mapping is false, a request is not
        return [req.match_info["tail"], req.rel_url.path, req.version.major, req.keep_alive]

    client = await aiohttp_client(view_app(look))
    response = await client.get("/some/path")
    assert await response.json() == ["some/path", "/some/path", 1, True]


async def test_a_name_that_nobody_has_is_an_attribute_error(aiohttp_client: AiohttpClient) -> None:
    def look(req: Request) -> Any:
        assert not hasattr(copy.copy(req), "nothing_of_this_name")
        return repr(req)

    client = await aiohttp_client(view_app(look))
    response = await client.put("/a?b=c", headers={"Host": "h"})
    assert await response.json() == "<Request 'http://h/a?b=c' [PUT]>"


async def test_a_proxy_that_a_middleware_trusts_is_seen_everywhere(
    aiohttp_client: AiohttpClient,
) -> None:
    @web.middleware
    async def trust(request: web.Request, handler: Any) -> web.StreamResponse:
        forwarded = request.clone(scheme="https", host="shop.example:443", remote="203.0.113.7")
        answer: web.StreamResponse = await handler(forwarded)
        return answer

    app = view_app(
        lambda req: [
            req.url,
            req.host,
            req.url_root,
            req.is_secure,
            req.remote_addr,
            req.environ["wsgi.url_scheme"],
            req.environ["SERVER_PORT"],
        ]
    )
    app.middlewares.append(trust)
    client = await aiohttp_client(app)
    response = await client.get("/p?q=1")
    assert await response.json() == [
        "https://shop.example/p?q=1",
        "shop.example",
        "https://shop.example/",
        True,
        "203.0.113.7",
        "https",
        "443",
    ]


@pytest.mark.parametrize(
    ("look", "status", "detail"),
    [
        pytest.param(
            lambda req: req.form["user"],
            400,
            "the request has no form field 'user'",
            id="form field",
        ),
        pytest.param(lambda req: req.files["f"], 400, "the request has no file 'f'", id="file"),
        pytest.param(
            lambda req: req.args["n"],
            400,
            "the request has no query parameter 'n'",
            id="query parameter",
        ),
        pytest.param(
            lambda req: req.values["n"],
            400,
            "the request has no query parameter or form field 'n'",
            id="query or form",
        ),
        pytest.param(
            lambda req: req.cookies["c"], 400, "the request has no cookie 'c'", id="cookie"
        ),
        pytest.param(
            lambda req: req.headers["X-Key"], 400, "the request has no header 'X-Key'", id="header"
        ),
        pytest.param(
            lambda req: req.get_json(),
            415,
            "the function takes JSON: send it with `Content-Type: application/json`",
            id="not JSON by type",
        ),
        pytest.param(
            lambda req: req.get_json(force=True),
            400,
            "the body is not JSON: Expecting value: line 1 column 1 (char 0)",
            id="not JSON",
        ),
    ],
)
async def test_what_the_function_needs_and_the_request_lacks_is_the_callers_mistake(
    look: Look, status: int, detail: str, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(view_app(look))
    response = await client.post("/", data=b"plain")
    assert (response.status, await response.json()) == (status, {"detail": detail})


async def test_json_that_is_nested_too_deeply_is_refused(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(view_app(lambda req: req.get_json()))
    body = b"[" * 200_000
    response = await client.post("/", data=body, headers={"Content-Type": "application/json"})
    assert response.status == 400
    assert await response.json() == {"detail": "the body is not JSON: too deeply nested"}


async def test_get_data_has_the_body_also_after_the_form_was_read(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(view_app(lambda req: [req.form["a"], req.get_data(as_text=True)]))
    response = await client.post("/", data={"a": "1"})
    assert await response.json() == ["1", "a=1"]


async def test_repeated_headers_are_joined_and_kept_apart(aiohttp_client: AiohttpClient) -> None:
    def look(req: Request) -> Any:
        return [
            req.headers["x-a"],
            req.headers.getlist("X-A"),
            sorted(req.cookies.items()),
            req.headers.getlist("X-B"),
            len(req.headers) == len(req.headers.keys()) == len(req.headers.values()),
        ]

    client = await aiohttp_client(view_app(look))
    assert client.port is not None
    raw = flask_twin.raw_request(
        headers=[("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")]
    )
    answer = await flask_twin.answers_of(client.port, raw)
    assert answer == ["1,2", ["1", "2"], [["a", "1"], ["b", "2"]], [], True]


async def test_bytes_that_are_no_text_do_no_harm(aiohttp_client: AiohttpClient) -> None:
    def look(req: Request) -> Any:
        return [req.path, req.args["q"], req.mimetype, req.cookies.get("c"), req.url]

    client = await aiohttp_client(view_app(look))
    assert client.port is not None
    raw = (
        b"GET /%FF/%C3%BC?q=%FF HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        b"Content-Type: text/\xff; x=\xfe\r\nCookie: a=\xff; c=1\r\n\r\n"
    )
    answer = await flask_twin.answers_of(client.port, raw)
    assert answer == ["/\ufffd/ü", "\ufffd", "text/?", "1", "http://h/\ufffd/ü?q=%FF"]
