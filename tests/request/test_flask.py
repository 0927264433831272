import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import pytest
import werkzeug
from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient
from werkzeug.exceptions import HTTPException

from pyfunc.request.flask import (
    AnswerBody,
    FlaskAnswer,
    FlaskBridge,
    flask_answer,
    flask_answer_types,
    flask_error_types,
    flask_is_loaded,
    flask_request,
    mentions_flask,
)
from tests.support.flask_twin import END, MULTIPART, part
from tests.support.views import catch_all

Function = Callable[[flask.Request], Any]


async def in_thread(call: Callable[[], Any]) -> Any:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(None, context.run, call)


async def send_answer(answer: FlaskAnswer, request: web.Request) -> web.StreamResponse:
    """The least that a server has to do with an answer."""
    if isinstance(answer.body, bytes):
        return web.Response(
            status=answer.status, reason=answer.reason, headers=answer.headers, body=answer.body
        )
    body = answer.body
    response = web.StreamResponse(
        status=answer.status, reason=answer.reason, headers=answer.headers
    )
    try:
        await response.prepare(request)
        while (chunk := await asyncio.to_thread(next, body, None)) is not None:
            await response.write(chunk)
        await response.write_eof()
    finally:
        # Handed over at once: a task that is cancelled before its first step would be lost.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, body.close))
    return response


def app_for(
    function: Function, invoke: Callable[..., Awaitable[Any]] = in_thread
) -> web.Application:
    """An app that invokes a function within Flask's context, and sends what it returns."""
    bridge = FlaskBridge(__name__)

    async def handler(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            with bridge.context(request, body):
                parameter = flask_request(request, body)
                result: Any = await invoke(lambda: function(parameter))
        except HTTPException as error:
            result = error
        if isinstance(result, flask_answer_types()):
            return await send_answer(flask_answer(result, request), request)
        return web.json_response(result)

    return catch_all(handler)


def use_flasks_names(req: flask.Request) -> flask.Response:
    flask.g.user = req.args["user"]
    flask.current_app.config["SEEN"] = True
    assert flask.request.get_json() == {"a": 1}
    assert flask.request == req
    return flask.make_response(flask.jsonify(user=flask.g.user, path=flask.request.path), 201)


async def test_flasks_names_work_in_a_thread(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(use_flasks_names))
    response = await client.post("/p?user=ü", json={"a": 1})
    assert response.status == 201
    assert await response.json() == {"user": "ü", "path": "/p"}


async def test_flasks_names_work_in_an_async_function(aiohttp_client: AiohttpClient) -> None:
    async def invoke(call: Callable[[], Any]) -> Any:
        await asyncio.sleep(0)
        return call()

    client = await aiohttp_client(app_for(use_flasks_names, invoke))
    response = await client.post("/p?user=ü", json={"a": 1})
    assert response.status == 201
    assert await response.json() == {"user": "ü", "path": "/p"}


async def test_invocations_at_the_same_time_have_contexts_of_their_own(
    aiohttp_client: AiohttpClient,
) -> None:
    together = threading.Barrier(3)

    def main(req: flask.Request) -> Any:
        flask.g.mine = req.args["n"]
        together.wait(10)
        return [flask.g.mine, flask.request.args["n"]]

    client = await aiohttp_client(app_for(main))

    async def call(n: str) -> Any:
        response = await client.get("/", params={"n": n})
        return await response.json()

    answers = await asyncio.gather(*map(call, "123"))
    assert answers == [["1", "1"], ["2", "2"], ["3", "3"]]


async def test_nothing_of_flask_is_left_after_an_invocation(aiohttp_client: AiohttpClient) -> None:
    left = []

    def fail(_: flask.Request) -> Any:
        raise LookupError

    bridge = FlaskBridge(__name__)

    async def handler(request: web.Request) -> web.Response:
        with pytest.raises(LookupError), bridge.context(request, b"") as context:
            fail(context.request)
        left.append(flask.has_request_context() or flask.has_app_context())
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    client = await aiohttp_client(app)
    assert (await client.get("/")).status == 200
    assert left == [False]


async def test_the_parameter_is_the_request_of_the_context(aiohttp_client: AiohttpClient) -> None:
    def main(req: flask.Request) -> Any:
        return [isinstance(req, flask.Request), req is flask.request._get_current_object()]  # type: ignore[attr-defined]

    client = await aiohttp_client(app_for(main))
    assert await (await client.get("/")).json() == [True, True]


@pytest.mark.parametrize("context", [True, False])
async def test_a_form_of_several_megabytes_arrives_whole(
    context: bool, aiohttp_client: AiohttpClient
) -> None:
    content, text = bytes(range(256)) * 20_000, "€" * 1_000_000

    def look(req: flask.Request) -> Any:
        return [req.files["upload"].read() == content, req.form["text"] == text]

    async def handler(request: web.Request) -> web.Response:
        req = flask_request(request, await request.read())
        try:
            return web.json_response(look(req))
        finally:
            req.close()

    app = app_for(look)
    if not context:
        app = web.Application(client_max_size=32 * 1024**2)
        app.router.add_post("/", handler)
    client = await aiohttp_client(app)
    form = (
        part('name="upload"; filename="a.bin"', content) + part('name="text"', text.encode()) + END
    )
    response = await client.post("/", data=BytesIO(form), headers={"Content-Type": MULTIPART})
    assert await response.json() == [True, True]


async def test_https_that_a_middleware_trusts_reaches_flask(aiohttp_client: AiohttpClient) -> None:
    @web.middleware
    async def trust(request: web.Request, handler: Any) -> web.StreamResponse:
        forwarded = request.clone(scheme="https", host="shop.example", remote="203.0.113.7")
        answer: web.StreamResponse = await handler(forwarded)
        return answer

    app = app_for(lambda req: [req.url, req.is_secure, req.remote_addr])
    app.middlewares.append(trust)
    client = await aiohttp_client(app)
    response = await client.get("/p?q=1")
    assert await response.json() == ["https://shop.example/p?q=1", True, "203.0.113.7"]


async def test_a_response_is_sent_as_it_is(aiohttp_client: AiohttpClient) -> None:
    def main(_: flask.Request) -> Any:
        response = flask.Response("täxt", status="299 Quite Fine", mimetype="text/x-own")
        response.set_cookie("a", "1", httponly=True)
        response.set_cookie("b", "ü")
        response.headers.add("X-Many", "1")
        response.headers.add("X-Many", "2")
        response.headers["Keep-Alive"] = "timeout=5"
        return response

    client = await aiohttp_client(app_for(main))
    response = await client.get("/")

    assert (response.status, response.reason) == (299, "Quite Fine")
    assert await response.text() == "täxt"
    assert response.headers["Content-Type"] == "text/x-own; charset=utf-8"
    assert response.headers["Content-Length"] == "5"
    assert response.headers.getall("X-Many") == ["1", "2"]
    assert response.headers.getall("Set-Cookie") == [
        "a=1; HttpOnly; Path=/",
        'b="\\303\\274"; Path=/',
    ]
    assert "Keep-Alive" not in response.headers


async def test_a_response_of_werkzeug_is_taken_too(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(lambda _: werkzeug.Response("plain", 202)))
    response = await client.get("/")
    assert (response.status, await response.text()) == (202, "plain")


async def test_a_redirect_and_an_empty_answer_stay_what_they_are(
    aiohttp_client: AiohttpClient,
) -> None:
    answers = {"/": flask.redirect("/neü?q=1", 303), "/204": flask.Response(status=204)}
    client = await aiohttp_client(app_for(lambda req: answers[req.path]))
    response = await client.get("/", allow_redirects=False)
    assert response.status == 303
    assert response.headers["Location"] == "/ne%C3%BC?q=1"
    response = await client.get("/204")
    assert response.status == 204
    assert "Content-Length" not in response.headers
    assert await response.read() == b""


async def test_the_first_chunk_goes_out_before_the_end_is_known(
    aiohttp_client: AiohttpClient,
) -> None:
    first_seen, closed = threading.Event(), threading.Event()

    def main(_: flask.Request) -> Any:
        def chunks() -> Iterator[str]:
            yield "first"
            assert first_seen.wait(10)
            yield "läst"

        response = flask.Response(chunks())
        response.call_on_close(closed.set)
        return response

    client = await aiohttp_client(app_for(main))
    response = await client.get("/")
    assert await response.content.readexactly(5) == b"first"
    assert not closed.is_set()
    first_seen.set()
    assert (await response.content.read()).decode() == "läst"
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert await asyncio.to_thread(closed.wait, 10)


async def test_a_stream_keeps_the_request_that_it_asks_for(aiohttp_client: AiohttpClient) -> None:
    # Every chunk is asked for in another context: a thread's own.
    def main(_: flask.Request) -> Any:
        def chunks() -> Iterator[str]:
            for name in flask.request.args.getlist("n"):
                yield f"{name} of {flask.request.path}\n"

        return flask.Response(flask.stream_with_context(chunks()))

    client = await aiohttp_client(app_for(main))
    response = await client.get("/p?n=1&n=2&n=3")
    assert await response.text() == "1 of /p\n2 of /p\n3 of /p\n"


async def test_head_has_the_headers_and_ends_the_response(aiohttp_client: AiohttpClient) -> None:
    started, closed = threading.Event(), threading.Semaphore(0)

    def main(req: flask.Request) -> Any:
        def chunks() -> Iterator[str]:
            started.set()
            yield "chunk"

        streamed = req.path == "/streamed"
        response = flask.Response(chunks() if streamed else "text", headers={"X-A": "1"})
        response.call_on_close(closed.release)
        return response

    client = await aiohttp_client(app_for(main))
    response = await client.head("/")
    assert (response.headers["X-A"], response.headers["Content-Length"]) == ("1", "4")
    assert await asyncio.to_thread(closed.acquire, timeout=10)

    response = await client.head("/streamed")
    assert response.headers["X-A"] == "1"
    assert await asyncio.to_thread(closed.acquire, timeout=10)
    assert not started.is_set()


async def test_a_file_goes_out_in_large_pieces_and_in_part(
    aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(256)) * 4096)

    def main(_: flask.Request) -> Any:
        return flask.send_file(path, conditional=True)

    client = await aiohttp_client(app_for(main))
    response = await client.get("/")
    assert await response.read() == path.read_bytes()
    assert response.headers["Content-Length"] == str(1024**2)

    response = await client.get("/", headers={"Range": "bytes=1-3"})
    assert (response.status, await response.read()) == (206, b"\x01\x02\x03")
    assert response.headers["Content-Range"] == "bytes 1-3/1048576"

    response = await client.get("/", headers={"If-None-Match": response.headers["ETag"]})
    assert (response.status, await response.read()) == (304, b"")


async def test_a_file_is_read_in_few_pieces(aiohttp_client: AiohttpClient) -> None:
    bridge = FlaskBridge(__name__)
    sizes: list[int] = []

    async def handler(request: web.Request) -> web.Response:
        with bridge.context(request, b""):
            response = flask.send_file(BytesIO(bytes(1024**2)), mimetype="x/y")
        body = flask_answer(response, request).body
        assert isinstance(body, AnswerBody)
        sizes.extend(map(len, body))
        body.close()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    client = await aiohttp_client(app)
    assert (await client.get("/")).status == 200
    assert sizes == [256 * 1024] * 4


async def test_a_failing_stream_is_closed(aiohttp_client: AiohttpClient) -> None:
    events: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        def chunks() -> Iterator[bytes]:
            yield b"1"
            raise LookupError

        response = werkzeug.Response(chunks())
        response.call_on_close(lambda: events.append("closed"))
        body = flask_answer(response, request).body
        assert isinstance(body, AnswerBody)
        assert next(body) == b"1"
        with pytest.raises(LookupError):
            next(body)
        body.close()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", handler)
    client = await aiohttp_client(app)
    assert (await client.get("/")).status == 200
    assert events == ["closed"]


def unauthorized(_: flask.Request) -> Any:
    flask.abort(401, "Who are you?")


def own_response(_: flask.Request) -> Any:
    flask.abort(flask.make_response(flask.jsonify(error="own"), 418))


def not_allowed(_: flask.Request) -> Any:
    raise werkzeug.exceptions.MethodNotAllowed(["GET", "PUT"])


def returned(_: flask.Request) -> Any:
    return werkzeug.exceptions.Gone("was here")


@pytest.mark.parametrize(
    ("function", "status", "text", "header"),
    [
        pytest.param(unauthorized, 401, "<p>Who are you?</p>", "Content-Type", id="abort"),
        pytest.param(own_response, 418, '"error":"own"', "Content-Type", id="own response"),
        pytest.param(not_allowed, 405, "Method Not Allowed", "Allow", id="with a header"),
        pytest.param(returned, 410, "was here", "Content-Type", id="returned"),
        pytest.param(lambda req: req.form["user"], 400, "Bad Request", "Content-Type", id="form"),
        pytest.param(lambda req: req.get_json(), 415, "Unsupported", "Content-Type", id="json"),
    ],
)
async def test_what_flask_aborts_with_is_answered(
    function: Function, status: int, text: str, header: str, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(app_for(function))
    response = await client.post("/")
    assert response.status == status
    assert text in await response.text()
    assert header in response.headers


def test_classes_are_known_once_werkzeug_is_imported() -> None:
    assert flask_is_loaded()
    assert flask_error_types() == (HTTPException,)
    assert flask_answer_types() == (werkzeug.Response, HTTPException)
    assert isinstance(flask.Response(), flask_answer_types())
    assert not isinstance("text", flask_answer_types())


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_nothing_of_flask_is_imported_before_it_is_used() -> None:
    code = """
import sys
from pyfunc.request import flask as flaskbridge
from pyfunc.request import view as request
print(flaskbridge.flask_is_loaded(), flaskbridge.flask_answer_types())
print([name for name in ("flask", "werkzeug", "multipart") if name in sys.modules])
"""
    assert run_python(code) == "False ()\n[]\n"


def test_a_bridge_without_flask_says_what_is_missing() -> None:
    code = """
import sys
from pyfunc.request.flask import FlaskBridge
sys.modules["flask"] = None
try:
    FlaskBridge("func")
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run_python(code) == "flask\n"


def imports_inside(_: object) -> Any:
    from flask import jsonify

    return jsonify(1)


def imports_deeper(_: object) -> Any:
    def inner() -> Any:
        import flask.json

        return flask.json

    return [inner() for _ in "x"]


def uses_module(_: object) -> Any:
    return flask.request


def does_without(_: object) -> Any:
    return "flask"


@pytest.mark.parametrize(
    ("function", "mentions"),
    [
        pytest.param(imports_inside, True, id="imports inside"),
        pytest.param(imports_deeper, True, id="imports in a nested function"),
        pytest.param(uses_module, True, id="uses its module's import"),
        pytest.param(does_without, False, id="does without"),
    ],
)
def test_an_import_inside_of_the_function_is_seen(function: Any, mentions: bool) -> None:
    assert mentions_flask(function.__code__) is mentions


async def test_a_form_of_too_many_fields_is_refused(aiohttp_client: AiohttpClient) -> None:
    client = await aiohttp_client(app_for(lambda req: len(req.form)))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await client.post("/", data=b"a&" * 1001, headers=headers)
    assert response.status == 413
    large = b"a=" + b"x" * 1_000_000
    response = await client.post("/", data=large, headers=headers)
    assert await response.json() == 1
