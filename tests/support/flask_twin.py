"""The same bytes to two servers: one whose requests are made by pyfunc, and one of Werkzeug's.

`QUESTIONS` are asked of both requests, and the answers compared: what Flask's own request answers
is what a function written for Flask has to find.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wsgi import get_input_stream

from pyfunc.errors import RequestError

Question = Callable[[Any], Any]

BOUNDARY = "----pyfunc-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"


def raw_request(
    method: str = "GET",
    target: str = "/",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bytes:
    """An HTTP request as it goes over the wire, after which the connection ends."""
    lines = [f"{method} {target} HTTP/1.1", "Host: example.com:8080", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()

FIELDS_AND_FILES = (
    part('name="user"', "Jürgen".encode())
    + part('name="n"', b"1")
    + part('name="n"', b"x")
    + part('name="n"', b"3")
    + part('name="latin"', b"caf\xe9", "Content-Type: text/plain; charset=iso-8859-1")
    + part('name="empty"', b"")
    + part('name="f"; filename="a.txt"', b"one\r\n--two", "Content-Type: Text/Plain; charset=utf-8")
    + part('name="f"; filename="b.bin"', bytes(range(256)), "Content-Length: 256")
    + part('name="g"; filename="quo%22te.txt"', b"q")
    + part("name=\"h\"; filename*=UTF-8''%E2%82%AC.txt", b"euro", "X-Part: yes")
    + part('name="none"; filename=""', b"", "Content-Type: application/octet-stream")
    + END
)


def post(content_type: str, body: bytes, target: str = "/") -> bytes:
    return raw_request("POST", target, [("Content-Type", content_type)], body)


REQUESTS: dict[str, bytes] = {
    "bare GET": raw_request(),
    "query": raw_request(
        target="/a%2Fb/%C3%BC%20x/;p=1?first=1&first=2&second=a+b%20c&empty=&flag&u=%C3%BC&%E2%82%AC=2"
    ),
    "path with a double slash": raw_request(target="//a//b/?"),
    "urlencoded form": post(
        URLENCODED, b"first=7&first=8&n=&second=%C3%BC+x&third=\xc3\xbc", "/add?first=1&q=2"
    ),
    "urlencoded form, other case": post("Application/X-WWW-Form-URLencoded; x=1", b"first=7"),
    "form in a GET": raw_request(
        "GET", "/?q=1", [("Content-Type", URLENCODED)], b"first=7&second=8"
    ),
    "multipart form": post(MULTIPART, FIELDS_AND_FILES),
    "multipart form, quoted boundary": post(
        f'multipart/form-data; charset=utf-8; boundary="{BOUNDARY}"', FIELDS_AND_FILES
    ),
    "JSON": post("application/json; charset=utf-8", '{"first": [1, 2.5, null], "ü": "€"}'.encode()),
    "JSON suffix": post("Application/Problem+JSON", b'{"a": 1}'),
    "malformed JSON": post("application/json", b'{"a": '),
    "JSON that is not UTF-8": post("application/json", b'"\xff"'),
    "JSON without its type": post("text/plain", b"[1]"),
    "no body in a POST": raw_request("POST", "/"),
    "empty JSON": post("application/json", b""),
    "bytes": post("application/octet-stream", bytes(range(256))),
    "chunked body": raw_request(
        "PUT", "/", [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked")]
    )
    + b"4\r\nwiki\r\n5\r\npedia\r\n0\r\n\r\n",
    "headers": raw_request(
        "DELETE",
        "/x",
        [
            ("origin", "https://shop.example"),
            ("REFERER", "https://shop.example/cart"),
            ("User-Agent", "probe/1.0 (test)"),
            ("X-Number", "42"),
            ("X-Word", "word"),
            ("X-Many", "a"),
            ("X-Many", "b"),
            ("Accept", "text/html, application/json;q=0.9, text/*;q=0.3, */*;q=0.1"),
            ("Date", "Tue, 15 Nov 1994 08:12:31 GMT"),
            ("X-Forwarded-For", "10.1.1.1, 10.2.2.2"),
            ("X-Forwarded-Proto", "https"),
            ("Content-Type", 'Text/HTML; Charset=UTF-8; x="a;b"; y=\''),
        ],
    ),
    "cookies": raw_request(
        headers=[
            ("Cookie", 'a=1; b="two words"; a=2; c=x=y; d; e=; f="\\303\\274\\"" ; g'),
        ]
    ),
    "basic credentials": raw_request(headers=[("Authorization", "Basic dXNlcjpwYXNzOndvcmQ=")]),
    "bearer token": raw_request(headers=[("Authorization", "bearer abc.def==")]),
    "digest credentials": raw_request(
        headers=[("Authorization", 'Digest username="u, v", realm="r", qop=auth')]
    ),
    "accept: nothing that is JSON": raw_request(headers=[("Accept", "image/*, text/plain;q=0.5")]),
    "accept: JSON refused": raw_request(headers=[("Accept", "application/json;q=0, */*;q=0.5")]),
    "accept: an impossible quality": raw_request(
        headers=[("Accept", "text/html;q=7, application/json;q=0.2")]
    ),
}

# What differs in value and not in use is left out on purpose: how `headers` tells repeated headers
# apart, `get_data()` after `form` (Flask's is empty then), and the tuple of `Accept`'s parameters.
QUESTIONS: dict[str, Question] = {
    "get_data()": lambda req: req.get_data().hex(),
    "get_data(as_text=True)": lambda req: req.get_data(as_text=True),
    "get_data(parse_form_data=True)": lambda req: req.get_data(parse_form_data=True).hex(),
    "data": lambda req: req.data.hex(),
    "stream": lambda req: req.stream.read().hex(),
    "is_json": lambda req: req.is_json,
    "get_json()": lambda req: req.get_json(),
    "get_json(force)": lambda req: req.get_json(force=True),
    "get_json(silent)": lambda req: req.get_json(silent=True),
    "get_json(force, silent)": lambda req: req.get_json(force=True, silent=True),
    "get_json(cache=False)": lambda req: req.get_json(cache=False),
    "get_json() keeps the object": lambda req: req.get_json() is req.get_json(),
    "json": lambda req: req.json,
    "form": lambda req: sorted(req.form.items()),
    "form, all": lambda req: sorted(req.form.items(multi=True)),
    "form.to_dict()": lambda req: req.form.to_dict(),
    "form.to_dict(flat=False)": lambda req: req.form.to_dict(flat=False),
    "form.get()": lambda req: req.form.get("first"),
    "form.get(default=0)": lambda req: req.form.get("first", default=0),
    "form.get(type=int)": lambda req: req.form.get("n", default=-1, type=int),
    "form.getlist()": lambda req: req.form.getlist("n"),
    "form.getlist(type=int)": lambda req: req.form.getlist("n", type=int),
    "form[...]": lambda req: req.form["first"],
    "'first' in form": lambda req: "first" in req.form,
    "files": lambda req: sorted(
        (name, file.name, file.filename, bool(file), file.read().hex())
        for name, file in req.files.items(multi=True)
    ),
    "files, types": lambda req: [
        (file.content_type, file.mimetype, file.mimetype_params, file.content_length)
        for file in req.files.values()
    ],
    "files, headers": lambda req: [sorted(file.headers) for file in req.files.values()],
    "files, lines": lambda req: [[line.hex() for line in file] for file in req.files.values()],
    "files[...]": lambda req: req.files["f"].stream.read().hex(),
    "files.get()": lambda req: req.files.get("nothing"),
    "args": lambda req: sorted(req.args.items()),
    "args, lists": lambda req: sorted(req.args.lists()),
    "args.get(type=int)": lambda req: req.args.get("second", 5, type=int),
    "args[...]": lambda req: req.args["first"],
    "len(args)": lambda req: len(req.args),
    "args as JSON": lambda req: json.dumps(req.args),
    "dict(args)": lambda req: dict(req.args),
    "values": lambda req: sorted(req.values.to_dict().items()),
    "values.getlist()": lambda req: req.values.getlist("first"),
    "values.get()": lambda req: req.values.get("q"),
    "headers": lambda req: sorted(req.headers),
    "dict(headers)": lambda req: dict(req.headers),
    "headers.get()": lambda req: req.headers.get("x-many"),
    "headers.get(default)": lambda req: req.headers.get("X-Nothing", "default"),
    "headers.get(type=int)": lambda req: req.headers.get("X-Number", type=int),
    "headers.get(type=int), misfit": lambda req: req.headers.get("X-Word", 3, type=int),
    "headers[...]": lambda req: req.headers["x-number"],
    "'X-Many' in headers": lambda req: "X-MANY" in req.headers,
    "origin": lambda req: req.origin,
    "cookies": lambda req: sorted(req.cookies.items()),
    "cookies.get()": lambda req: req.cookies.get("a", type=int),
    "cookies[...]": lambda req: req.cookies["a"],
    "method": lambda req: req.method,
    "path": lambda req: req.path,
    "full_path": lambda req: req.full_path,
    "url": lambda req: req.url,
    "base_url": lambda req: req.base_url,
    "host": lambda req: req.host,
    "host_url": lambda req: req.host_url,
    "url_root": lambda req: req.url_root,
    "root_url": lambda req: req.root_url,
    "root_path": lambda req: (req.root_path, req.script_root),
    "query_string": lambda req: req.query_string.decode(),
    "scheme": lambda req: (req.scheme, req.is_secure),
    "remote_addr": lambda req: req.remote_addr,
    "access_route": lambda req: list(req.access_route),
    "content_type": lambda req: req.content_type,
    "content_length": lambda req: req.content_length,
    "mimetype": lambda req: req.mimetype,
    "mimetype_params": lambda req: req.mimetype_params,
    "user_agent": lambda req: (str(req.user_agent), req.user_agent.string),
    "referrer": lambda req: req.referrer,
    "date": lambda req: req.date and req.date.isoformat(),
    "authorization": lambda req: (
        req.authorization
        and (
            req.authorization.type,
            req.authorization.username,
            req.authorization.password,
            req.authorization.token,
            req.authorization.get("realm"),
        )
    ),
    "accept_mimetypes": lambda req: (
        req.accept_mimetypes.accept_json,
        req.accept_mimetypes.accept_html,
        req.accept_mimetypes.best,
        req.accept_mimetypes.quality("text/html"),
        "application/json" in req.accept_mimetypes,
        list(req.accept_mimetypes.values()),
        bool(req.accept_mimetypes),
    ),
    "accept_mimetypes.best_match()": lambda req: req.accept_mimetypes.best_match(
        ["application/json", "text/html", "text/plain"]
    ),
    "best_match(default)": lambda req: req.accept_mimetypes.best_match(["audio/ogg"], "none"),
    "environ": lambda req: (req.environ["REQUEST_METHOD"], req.environ.get("HTTP_X_NUMBER")),
}


def ask(question: Question, request: Any) -> Any:
    """What a request answers, or the status it refuses with."""
    try:
        return question(request)
    except RequestError as error:
        return {"status": error.status}
    except HTTPException as error:
        return {"status": error.code}
    except KeyError:  # Werkzeug's for a header that is missing, where pyfunc answers 400
        return {"status": 400}
    finally:
        if isinstance(request, Request):
            request.close()  # the temporary files of its form


def ask_all(new_request: Callable[[], Any]) -> dict[str, Any]:
    """The answers to all questions, each asked of a new request, as JSON would carry them."""
    answers = {text: ask(question, new_request()) for text, question in QUESTIONS.items()}
    plain: dict[str, Any] = json.loads(json.dumps(answers))
    return plain


class _QuietHandler(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        """Say nothing: the tests read what comes over the wire."""


def _answer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = get_input_stream(environ).read()
    if environ.pop("HTTP_TRANSFER_ENCODING", None):  # as servers do that are made for production
        environ["CONTENT_LENGTH"] = str(len(body))
    answers = ask_all(lambda: Request({**environ, "wsgi.input": BytesIO(body)}))
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answers).encode()]


@contextmanager
def flask_server() -> Iterator[int]:
    """Werkzeug's own server, on a port of its own, asking Flask's own requests."""
    server = make_server("127.0.0.1", 0, _answer, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def send(port: int, data: bytes) -> bytes:
    """Send bytes, and read what comes back until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def answers_of(port: int, data: bytes) -> Any:
    """What a server answers to a request in JSON, such as the answers to the questions."""
    head, _, body = (await send(port, data)).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0], head
    return json.loads(body)
