"""Fuzz targets of the parsers in `pyfunc.request`: for any octets a value, or a 4xx.

The examples are inputs that once ended in another error, or took quadratic time.
"""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pyfunc.errors import RequestError
from pyfunc.request.forms import parse_form, parse_query
from pyfunc.request.headers import (
    parse_accept,
    parse_authorization,
    parse_cookies,
    parse_date,
    parse_options,
)
from pyfunc.request.view import Request

TOKENS = (
    *(";", ",", "=", '"', "\\", "'", "*", "/", ":", " ", "\t", "\0", "%", "%ff", "%5c", "&", "+"),
    *("a", "b*", "b*0", "b*0*", "filename", "filename*", "name*", "charset", "boundary", "q"),
    *("utf-8''", "idna''", "punycode''", "hex''", "undefined''", "unicode_escape''", "x\0y''z"),
    *("text/html", "*/*", "multipart/form-data", "Basic ", "Bearer ", "Digest ", "/w==", "0.5"),
    *(
        "Tue, ",
        "15 Nov 1994 ",
        "08:12:31",
        " GMT",
        " -9999",
        "99999999999",
        "\udcff",
        "\udce9",
        "€",
    ),
)
texts = st.lists(st.one_of(st.sampled_from(TOKENS), st.characters(max_codepoint=255))).map("".join)

BOUNDARY = "b"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
PIECES = (
    *(
        b"--b\r\n",
        b"--b--",
        b"--b",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b":",
        b";",
        b"=",
        b'"',
        b"\\",
        b"\xff",
    ),
    *(
        b"Content-Disposition: form-data; name=a",
        b"Content-Disposition: form-data; ",
        b"; filename=x",
    ),
    *(b"filename*=idna''%ff", b"filename*=x\0y''z", b"name*=utf-8''%ff", b'name="a', b"X-A: b\r\n"),
    *(
        b"Content-Type: text/plain; charset=",
        b"idna",
        b"utf-8",
        b"Content-Length: ",
        b"1",
        b"a=1",
        b"&",
    ),
)
octets = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=4))).map(b"".join)


def check_refusal(error: RequestError) -> None:
    assert 400 <= error.status < 500


@given(texts)
@example("application/json; a*=idna''%ff")
@example("a/b; a*=undefined''x")
@example("a/b; a*=punycode''%ff%ff")
@example("a/b; a*0=x; a*=y")
@example("a/b; a*=unicode_escape''%5cx")
@example("a/b; a*=hex''zz")
@example("form-data; filename*=x\0y''z")
def test_options(header: str) -> None:
    value, options = parse_options(header)
    assert "".join([value, *options, *options.values()]).encode() is not None


@given(texts)
@example("text/html; a*=idna''%ff")
def test_accept(header: str) -> None:
    accept = parse_accept(header)
    assert str(parse_accept(str(accept))) is not None
    assert all(0 <= quality <= 1 for _, quality in accept)
    accept.best_match(["text/html", "application/json"])


@given(texts)
@example("Digest a=")
@example('Digest username=, realm="x"')
@example("X a=,b=c")
def test_authorization(header: str) -> None:
    credentials = parse_authorization(header)
    assert credentials is None or credentials.type


@given(texts)
def test_cookies(header: str) -> None:
    assert all(name for name, _ in parse_cookies(header))


@given(texts)
@example("Tue, 15 Nov 99999999999999999999 08:12:31 GMT")
@example("Tue, 15 Nov 1994 08:12:31 -999999999999999999999")
def test_date(header: str) -> None:
    parse_date(header)


@given(texts)
def test_query(query: str) -> None:
    parse_query(query)


@pytest.mark.parametrize("content_type", [MULTIPART, "application/x-www-form-urlencoded"])
@given(octets)
def test_form(content_type: str, body: bytes) -> None:
    try:
        form = parse_form(body, content_type)
    except RequestError as error:
        check_refusal(error)
        return
    for file in form.files.values():
        file.mimetype_params, file.content_length, str(file.headers)


@given(octets, texts)
def test_form_of_any_type(body: bytes, content_type: str) -> None:
    try:
        parse_form(body, f"multipart/form-data; boundary={content_type}")
    except RequestError as error:
        check_refusal(error)


PARTS: tuple[Callable[[Request], Any], ...] = (
    *(lambda req: req.get_json(), lambda req: req.get_json(force=True), lambda req: req.data),
    *(lambda req: req.get_json(silent=True), lambda req: req.form, lambda req: req.files),
    *(lambda req: req.values, lambda req: req.cookies, lambda req: req.authorization),
    *(lambda req: req.accept_mimetypes, lambda req: req.mimetype_params, lambda req: req.date),
    *(
        lambda req: req.access_route,
        lambda req: req.host,
        lambda req: req.url,
        lambda req: req.origin,
    ),
    *(lambda req: req.environ, lambda req: str(req.headers), lambda req: req.user_agent.string),
    *(lambda req: req.content_length, lambda req: req.is_json, lambda req: repr(req)),
)
NAMES = (
    *("Content-Type", "Accept", "Authorization", "Cookie", "Date", "Host", "Origin", "Referer"),
    *("X-Forwarded-For", "Content-Length", "Content-Encoding", "User-Agent", "Range", "If-Range"),
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), texts)), octets)
def test_view(headers: list[tuple[str, str]], body: bytes) -> None:
    sent = [(name, text.encode("utf-8", "replace").decode()) for name, text in headers]
    request: web.Request = make_mocked_request("POST", "/a?b=c", headers=CIMultiDict(sent))
    for part in PARTS:
        view = Request(request, body)
        try:
            part(view)
        except RequestError as error:
            check_refusal(error)
