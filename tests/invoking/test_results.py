"""Responses to the results of HTTP functions."""

import asyncio

import pytest

from tests.support.apps import Serve
from tests.support.results import JSON, OCTETS, TEXT, returning


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ("None", 204, None, b""),
        ("'grün'", 200, TEXT, "grün".encode()),
        ("''", 200, TEXT, b""),
        ("Text('a')", 200, TEXT, b"a"),
        ("Word.ONE", 200, TEXT, b"one"),
        (r"b'\xff'", 200, OCTETS, b"\xff"),
        ("bytearray(b'a')", 200, OCTETS, b"a"),
        ("memoryview(b'abcd')[::2]", 200, OCTETS, b"ac"),
        ("Bytes(b'a')", 200, OCTETS, b"a"),
        ("{'a': [1, None]}", 200, JSON, b'{"a":[1,null]}'),
        ("[]", 200, JSON, b"[]"),
        ("0", 200, JSON, b"0"),
        ("1.5", 200, JSON, b"1.5"),
        ("False", 200, JSON, b"false"),
        ("Size.ONE", 200, JSON, b"1"),
        ("decimal.Decimal('1.10')", 200, JSON, b'"1.10"'),
        ("datetime.date(2026, 11, 23)", 200, JSON, b'"2026-11-23"'),
        ("{1, 1}", 200, JSON, b"[1]"),
        ("Data()", 200, JSON, b'{"n":1}'),
        ("Struct()", 200, JSON, b'{"n":1}'),
        ("Model()", 200, JSON, b'{"n":1}'),
        ("Attrs()", 200, JSON, b'{"n":1}'),
        ("Named()", 200, JSON, b"[1]"),
        ("[Model(), {'m': Model()}]", 200, JSON, b'[{"n":1},{"m":{"n":1}}]'),
        ("collections.OrderedDict(a=1)", 200, JSON, b'{"a":1}'),
        ("collections.Counter('aa')", 200, JSON, b'{"a":2}'),
        ("multidict.MultiDict(a=1)", 200, JSON, b'{"a":1}'),
        ("()", 200, JSON, b"[]"),
        ("('a', 'b')", 200, JSON, b'["a","b"]'),
        ("(1, 2, 3)", 200, JSON, b"[1,2,3]"),
        ("('a', 201)", 201, TEXT, b"a"),
        ("({'a': 1}, 404)", 404, JSON, b'{"a":1}'),
        ("('a', http.HTTPStatus.CREATED)", 201, TEXT, b"a"),
        ("('a', '404 NOT FOUND')", 404, TEXT, b"a"),
        ("('a', 299)", 299, TEXT, b"a"),
        ("(None, 201)", 201, None, b""),
        ("('a', True)", 200, JSON, b'["a",true]'),
        ("('a', {'Content-Type': 'text/csv'})", 200, "text/csv", b"a"),
        ("('a', 202, {'content-type': 'text/csv'})", 202, "text/csv", b"a"),
        ("('a', 202, [('Content-Type', 'text/csv')])", 202, "text/csv", b"a"),
        ("('a', (('Content-Type', 'text/csv'),))", 200, "text/csv", b"a"),
        ("('a', 202, multidict.CIMultiDict({'Content-Type': 'x/y'}))", 202, "x/y", b"a"),
        ("('a', werkzeug.datastructures.Headers({'Content-Type': 'x/y'}))", 200, "x/y", b"a"),
        ("('a', 202, [])", 202, TEXT, b"a"),
        ("('a', 200, {'Content-Length': '99', 'Transfer-Encoding': 'x'})", 200, TEXT, b"a"),
        ("(web.Response(text='a'), 202)", 202, TEXT, b"a"),
        ("chunks()", 200, TEXT, b"ab"),
        ("async_chunks()", 200, TEXT, b"ab"),
        ("(chunks(), 202, {'Content-Type': 'text/csv'})", 202, "text/csv", b"ab"),
        ("web.Response(text='a', status=418)", 418, TEXT, b"a"),
        ("web.json_response({})", 200, "application/json; charset=utf-8", b"{}"),
        ("flask.Response('a', 418, mimetype='x/y')", 418, "x/y", b"a"),
        ("pyfunc.Event(ATTRIBUTES, {'a': 1})", 200, JSON, b'{"a":1}'),
        ("pyfunc.Event(ATTRIBUTES)", 200, None, b""),
        ("v1_http.CloudEvent(ATTRIBUTES, 'a')", 200, TEXT, b"a"),
        ("CloudEvent(ATTRIBUTES, 'a')", 200, TEXT, b"a"),
    ],
)
async def test_http_function_is_answered_by_what_it_returned(
    result: str, status: int, content_type: str | None, body: bytes, serve: Serve
) -> None:
    client = await serve(returning(result))

    answer = await client.get("/")

    assert (answer.status, answer.headers.get("Content-Type")) == (status, content_type)
    assert await answer.read() == body


async def test_function_may_raise_responses_of_aiohttp(serve: Serve) -> None:
    source = "from aiohttp import web\nasync def main():\n    raise web.HTTPFound('/there')\n"
    client = await serve(source)

    answer = await client.get("/", allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (302, "/there")


async def test_event_of_an_http_function_goes_out_in_binary_mode(serve: Serve) -> None:
    answer = await (await serve(returning("pyfunc.Event(ATTRIBUTES, {'a': 1})"))).get("/")

    assert {k: answer.headers[f"ce-{k}"] for k in ("id", "source", "type", "specversion")} == {
        "id": "9",
        "source": "/mine",
        "type": "made",
        "specversion": "1.0",
    }


@pytest.mark.parametrize(
    "headers",
    [
        "{'Set-Cookie': ['a=1', 'b=2']}",
        "[('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')]",
        "multidict.CIMultiDict([('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')])",
        "werkzeug.datastructures.Headers([('Set-Cookie', 'a=1'), ('Set-Cookie', 'b=2')])",
    ],
)
async def test_repeated_headers_are_kept(headers: str, serve: Serve) -> None:
    answer = await (await serve(returning(f"('a', 200, {headers})"))).get("/")

    assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("object()", "the value has no JSON form"),
        ("{'a': object()}", "the value has no JSON form"),
        ("{(1, 2): 3}", "the value has no JSON form"),
        ("float('nan')", "the value has no JSON form"),
        ("[float('inf')]", "the value has no JSON form"),
        ("(lambda a: a.append(a) or a)([])", "nested too deeply for JSON, or holds itself"),
        (r"'\ud800'", "the text holds surrogates"),
        ("('a', 101)", "101 is no status of an answer"),
        (r"('a', {'X': '1\r\nSet-Cookie: a=1'})", "the header X holds a line break"),
        (r"('a', {'X': '1\n'})", "the header X holds a line break"),
        (r"('a', {'X': '1\0'})", "the header X holds a line break"),
        (r"('a', {'X': '\ud800'})", "the header X holds a line break"),
        (r"('a', {'X\r\nY': '1'})", "is no name of a header"),
        ("('a', {'X Y': '1'})", "'X Y' is no name of a header"),
        ("('a', {'X:': '1'})", "'X:' is no name of a header"),
        ("('a', {'': '1'})", "'' is no name of a header"),
    ],
)
async def test_what_cannot_be_sent_is_500_and_told_in_the_log(
    result: str, reason: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(returning(result))

    answer = await client.get("/")

    assert (answer.status, answer.content_type) == (500, "application/problem+json")
    assert (await answer.json())["detail"] == "the function's answer is not valid"
    assert "Set-Cookie" not in answer.headers
    assert "func.main returned what cannot be sent: " in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize("status", [204, 205, 304])
async def test_status_without_a_body_leaves_the_connection_good(status: int, serve: Serve) -> None:
    """A body that is sent all the same would be read as the head of the next answer."""
    client = await serve(returning(f"('gone', {status})"))
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readline()).startswith(f"HTTP/1.1 {status} ".encode())
        headers = await reader.readuntil(b"\r\n\r\n")
        length = [line[16:] for line in headers.split(b"\r\n") if line[:15] == b"Content-Length:"]
        if status == 205 and length:
            await reader.readexactly(int(length[0]))
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("result", ["'text'", "{'a': 1}", "('a', 404)", "None"])
async def test_head_is_answered_like_get_without_the_body(result: str, serve: Serve) -> None:
    client = await serve(returning(result))

    get, head = await client.get("/"), await client.head("/")

    assert head.status == get.status
    assert await head.read() == b""
    for name in ("Content-Type", "Content-Length"):
        assert head.headers.get(name) == get.headers.get(name)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/a/b%2Fc", "/healthz", "/healthz/live/"])
async def test_http_function_answers_any_method_on_any_path(
    method: str, path: str, serve: Serve
) -> None:
    client = await serve("def main(method, path):\n    return f'{method} {path}'\n")

    answer = await client.request(method, path)

    assert await answer.text() == f"{method} {path.replace('%2F', '/')}"
