import copy
import json
import pickle
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import FormData, web
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.errors import RequestError
from pyfunc.request.headers import parse_accept, parse_authorization, parse_cookies, parse_options
from pyfunc.request.multidicts import BadRequestKeyError, Headers, MultiDict
from pyfunc.request.view import Request
from tests.support import flask_twin
from tests.support.flask_twin import BOUNDARY, END, MULTIPART, REQUESTS, URLENCODED, part

Look = Callable[[Request], Any]


@pytest.fixture(scope="module")
def flask_port() -> Iterator[int]:
    with flask_twin.flask_server() as port:
        yield port


def app_for(look: Look) -> web.Application:
    """An app that answers with what a function sees in the request, as JSON."""

    async def handler(request: web.Request) -> web.Response:
        view = Request(request, await request.read())
        try:
            return web.json_response(look(view))
        except RequestError as error:
            return web.json_response({"detail": error.detail}, status=error.status)

    app = web.Application(client_max_size=32 * 1024**2)
    app.router.add_route("*", "/{tail:.*}", handler)
    return app


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in REQUESTS.items()])
async def test_the_view_answers_as_flasks_request_does(
    raw: bytes, aiohttp_client: AiohttpClient, flask_port: int
) -> None:
    async def handler(request: web.Request) -> web.Response:
        body = await request.read()
        return web.json_response(flask_twin.ask_all(lambda: Request(request, body)))

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    client = await aiohttp_client(app)
    assert client.port is not None

    ours = await flask_twin.answers_of(client.port, raw)
    flasks = await flask_twin.answers_of(flask_port, raw)

    assert ours == flasks


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

    client = await aiohttp_client(app_for(look))
    response = await client.get("/some/path")
    assert await response.json() == ["some/path", "/some/path", 1, True]


async def test_a_name_that_nobody_has_is_an_attribute_error(aiohttp_client: AiohttpClient) -> None:
    def look(req: Request) -> Any:
        assert not hasattr(copy.copy(req), "nothing_of_this_name")
        return repr(req)

    client = await aiohttp_client(app_for(look))
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

    app = app_for(
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


async def test_a_form_of_several_megabytes_arrives_whole(aiohttp_client: AiohttpClient) -> None:
    # Line ends and parts of the boundary are what a parser looks at twice.
    content = (b"\r\n--" + BOUNDARY[:-1].encode() + bytes(range(256))) * 18_000
    text = "€" * 1_000_000

    def look(req: Request) -> Any:
        return [
            req.files["upload"].read() == content,
            req.files["upload"].filename,
            req.form["text"] == text,
            len(req.get_data()) > len(content),
        ]

    client = await aiohttp_client(app_for(look))
    form = part('name="upload"; filename="größe.bin"', content)
    form += part('name="text"', text.encode()) + END
    response = await client.post("/", data=BytesIO(form), headers={"Content-Type": MULTIPART})

    assert len(content) > 5_000_000
    assert await response.json() == [True, "größe.bin", True, True]


async def test_a_file_can_be_saved_to_a_path_and_to_a_file(
    aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    def look(req: Request) -> Any:
        file = req.files["f"]
        file.save(tmp_path / "by path")
        file.seek(0)
        file.save(str(tmp_path / "by name"))
        file.seek(2)
        rest = BytesIO()
        file.save(rest)
        file.close()
        return [rest.getvalue().decode(), file.stream.closed, repr(file)]

    client = await aiohttp_client(app_for(look))
    form = FormData()
    form.add_field("f", b"content", filename="a.txt", content_type="text/plain")
    response = await client.post("/", data=form)

    assert await response.json() == ["ntent", True, "<UploadedFile: 'a.txt' ('text/plain')>"]
    assert (tmp_path / "by path").read_bytes() == b"content"
    assert (tmp_path / "by name").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("content_type", "body", "status", "detail"),
    [
        pytest.param(
            MULTIPART,
            part('name="a"', b"1"),
            400,
            "the multipart form is malformed: Unexpected end of multipart stream (parser closed)",
            id="cut off",
        ),
        pytest.param(
            MULTIPART,
            b"",
            400,
            "the multipart form is malformed: Unexpected end of multipart stream (parser closed)",
            id="empty",
        ),
        pytest.param(
            "multipart/form-data",
            END,
            400,
            "the multipart form's Content-Type names no boundary",
            id="no boundary",
        ),
        pytest.param(
            MULTIPART,
            f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n1\r\n".encode() + END,
            400,
            "the multipart form is malformed: Missing Content-Disposition segment header",
            id="a part without a name",
        ),
        pytest.param(
            MULTIPART,
            part('name="a"', b"1") * 1001 + END,
            413,
            "the form has more than 1000 parts, or headers of a part that are too large",
            id="too many parts",
        ),
        pytest.param(
            URLENCODED, b"a=\xff", 400, "the form is not UTF-8 text", id="urlencoded, not text"
        ),
    ],
)
async def test_a_malformed_form_is_refused(
    content_type: str, body: bytes, status: int, detail: str, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(app_for(lambda req: len(req.form)))
    response = await client.post("/", data=body, headers={"Content-Type": content_type})
    assert (response.status, await response.json()) == (status, {"detail": detail})


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
    client = await aiohttp_client(app_for(look))
    response = await client.post("/", data=b"plain")
    assert (response.status, await response.json()) == (status, {"detail": detail})


async def test_json_that_is_nested_too_deeply_is_refused(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(lambda req: req.get_json()))
    body = b"[" * 200_000
    response = await client.post("/", data=body, headers={"Content-Type": "application/json"})
    assert response.status == 400
    assert await response.json() == {"detail": "the body is not JSON: too deeply nested"}


async def test_get_data_has_the_body_also_after_the_form_was_read(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(app_for(lambda req: [req.form["a"], req.get_data(as_text=True)]))
    response = await client.post("/", data={"a": "1"})
    assert await response.json() == ["1", "a=1"]


async def test_a_body_that_aiohttp_decompressed_is_not_announced_as_compressed(
    aiohttp_client: AiohttpClient,
) -> None:
    def look(req: Request) -> Any:
        return [
            req.get_data(as_text=True),
            req.content_length,
            "Content-Encoding" in req.headers,
            req.content_encoding,
            "HTTP_CONTENT_ENCODING" in req.environ,
            req.environ["CONTENT_LENGTH"],
        ]

    client = await aiohttp_client(app_for(look))
    response = await client.post("/", data=b"text" * 100, compress="gzip")
    assert await response.json() == ["text" * 100, 400, False, None, False, "400"]


async def test_a_coding_that_aiohttp_does_not_know_stays_announced(
    aiohttp_client: AiohttpClient,
) -> None:
    client = await aiohttp_client(app_for(lambda req: req.content_encoding))
    response = await client.post("/", data=b"text", headers={"Content-Encoding": "x-own"})
    assert await response.json() == "x-own"


async def test_repeated_headers_are_joined_and_kept_apart(aiohttp_client: AiohttpClient) -> None:
    def look(req: Request) -> Any:
        return [
            req.headers["x-a"],
            req.headers.getlist("X-A"),
            sorted(req.cookies.items()),
            req.headers.getlist("X-B"),
            len(req.headers) == len(req.headers.keys()) == len(req.headers.values()),
        ]

    client = await aiohttp_client(app_for(look))
    assert client.port is not None
    raw = flask_twin.raw_request(
        headers=[("X-A", "1"), ("x-a", "2"), ("Cookie", "a=1"), ("Cookie", "b=2")]
    )
    answer = await flask_twin.answers_of(client.port, raw)
    assert answer == ["1,2", ["1", "2"], [["a", "1"], ["b", "2"]], [], True]


async def test_an_environ_takes_no_header_with_an_underscore(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(lambda req: req.environ["HTTP_X_USER"]))
    response = await client.get("/", headers=[("X-User", "real"), ("X_User", "false")])
    assert await response.json() == "real"


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("example.com", ["example.com", "80"]),
        ("[::1]:81", ["::1", "81"]),
        ("example.com:nowhere", ["localhost", "80"]),
    ],
)
async def test_an_environ_names_a_server_whatever_host_was_sent(
    host: str, server: list[str], aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(
        app_for(lambda req: [req.environ["SERVER_NAME"], req.environ["SERVER_PORT"]])
    )
    assert client.port is not None
    raw = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert await flask_twin.answers_of(client.port, raw) == server


async def test_bytes_that_are_no_text_do_no_harm(aiohttp_client: AiohttpClient) -> None:
    def look(req: Request) -> Any:
        return [req.path, req.args["q"], req.mimetype, req.cookies.get("c"), req.url]

    client = await aiohttp_client(app_for(look))
    assert client.port is not None
    raw = (
        b"GET /%FF/%C3%BC?q=%FF HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        b"Content-Type: text/\xff; x=\xfe\r\nCookie: a=\xff; c=1\r\n\r\n"
    )
    answer = await flask_twin.answers_of(client.port, raw)
    assert answer == ["/\ufffd/ü", "\ufffd", "text/?", "1", "http://h/\ufffd/ü?q=%FF"]


@pytest.fixture
def multi() -> MultiDict[int]:
    return MultiDict([("a", 1), ("a", 2), ("b", 3)], "thing")


def test_a_multi_dict_is_a_dict_of_first_values(multi: MultiDict[int]) -> None:
    assert multi == MultiDict([("a", 1), ("a", 2), ("b", 3)])
    assert multi != MultiDict([("a", 1), ("b", 3)])
    assert dict(multi) == {**multi} == multi.copy() == {"a": 1, "b": 3}
    assert dict(multi) == multi
    assert json.loads(json.dumps(multi)) == msgspec.json.decode(msgspec.json.encode(multi))
    assert list(multi.listvalues()) == [[1, 2], [3]]
    assert repr(multi) == "MultiDict([('a', 1), ('a', 2), ('b', 3)])"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda multi: multi.update(a=2), id="update"),
        pytest.param(lambda multi: multi.pop("a"), id="pop"),
        pytest.param(lambda multi: multi.setdefault("z", 1), id="setdefault"),
        pytest.param(lambda multi: multi.clear(), id="clear"),
        pytest.param(lambda multi: multi.__setitem__("a", 2), id="set"),
        pytest.param(lambda multi: multi.__delitem__("a"), id="del"),
        pytest.param(lambda multi: multi.getlist("a").append(4) or multi.popitem(), id="popitem"),
        pytest.param(lambda multi: multi.__ior__({"c": 1}), id="ior"),
    ],
)
def test_a_multi_dict_cannot_be_changed(
    change: Callable[[Any], Any], multi: MultiDict[int]
) -> None:
    with pytest.raises(TypeError, match="cannot be changed"):
        change(multi)
    assert multi.getlist("a") == [1, 2]


def test_a_multi_dict_can_be_copied_and_pickled(multi: MultiDict[int]) -> None:
    for twin in (copy.deepcopy(multi), copy.copy(multi), pickle.loads(pickle.dumps(multi))):  # noqa: S301 - our own bytes
        assert twin == multi
        with pytest.raises(BadRequestKeyError, match="the request has no thing 'c'"):
            twin["c"]


def test_a_missing_key_is_a_key_error_and_a_bad_request(multi: MultiDict[int]) -> None:
    with pytest.raises(KeyError) as caught:
        multi["c"]
    error = caught.value
    assert isinstance(error, RequestError)
    assert error.status == 400
    assert str(error) == error.detail == "the request has no thing 'c'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_headers_are_equal_by_what_they_hold() -> None:
    headers = Headers([("x-a", "1")])
    assert headers == Headers([("X-A", "1")])
    assert headers != Headers([("X-A", "2")])
    assert headers.to_wsgi_list() == [("X-A", "1")]
    assert repr(headers) == "Headers([('X-A', '1')])"
    assert str(headers) == "X-A: 1\r\n\r\n"


def test_credentials_stay_out_of_what_a_log_shows() -> None:
    for header in ("Basic dXNlcjpwYXNz", "Bearer secret"):
        assert repr(parse_authorization(header)) in (
            "Authorization(type='basic')",
            "Authorization(type='bearer')",
        )


@pytest.mark.parametrize("header", ["Basic ???", "Basic /w==", "", None])
def test_malformed_credentials_are_none(header: str | None) -> None:
    assert parse_authorization(header) is None


def test_what_is_no_cookie_is_left_out() -> None:
    assert parse_cookies('=z; "q"=1; a=1; b c=2; d="x') == [("a", "1")]


def test_digest_credentials_are_read_by_name() -> None:
    credentials = parse_authorization('Digest username="u", realm="r, s", stray')
    assert credentials is not None
    assert (credentials["realm"], credentials.get("qop", "none")) == ("r, s", "none")
    assert "realm" in credentials
    assert "nonce" not in credentials


def test_preferences_are_written_as_they_were_read() -> None:
    assert str(parse_accept("text/html, */*;q=0.5")) == "text/html,*/*;q=0.5"


def test_hostile_headers_are_read_in_no_time() -> None:
    # Each takes hours where the time is quadratic or worse in the length.
    spaces = " " * 1_000_000
    assert parse_cookies(f"a{spaces}x") == []
    assert parse_cookies(f'a={spaces}"') == []
    assert parse_cookies('a="' + "\\" * 1_000_001) == []
    assert parse_options(f"a/b;{spaces}x") == ("a/b", {"x": ""})


def test_options_are_decoded_as_rfc_2231_has_them() -> None:
    assert parse_options("form-data; NAME*=UTF-8''%E2%82%AC; x=\"a;b\"; y") == (
        "form-data",
        {"name": "€", "x": "a;b", "y": ""},
    )
