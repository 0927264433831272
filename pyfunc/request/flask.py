"""The bridge to Flask: Flask requests for functions that use them, Flask responses for aiohttp.

Flask is imported when a bridge is built, only for functions that use it; recognizing a response of
Flask imports nothing. Sending responses is left to the packages above.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeAlias, Union
from wsgiref.util import is_hop_by_hop

import msgspec
from multidict import CIMultiDict

from pyfunc.request.forms import URLENCODED, has_too_many_fields
from pyfunc.request.wsgi import wsgi_environ

if TYPE_CHECKING:
    from types import CodeType

    from aiohttp import web
    from flask import Request
    from flask.ctx import RequestContext
    from werkzeug.exceptions import HTTPException
    from werkzeug.wrappers import Response

__all__ = [
    "AnswerBody",
    "FlaskAnswer",
    "FlaskBridge",
    "flask_answer",
    "flask_answer_types",
    "flask_bridge",
    "flask_error_types",
    "flask_is_loaded",
    "flask_request",
    "mentions_flask",
]

FlaskResult: TypeAlias = Union["Response", "HTTPException"]

# Files go out in pieces of this many bytes: Werkzeug's 8 KiB would be a thread hop for each.
_FILE_CHUNK = 256 * 1024

# Where an environ keeps aiohttp's request, so that an invocation knows its own context.
_REQUEST_KEY = "pyfunc.request"


def flask_is_loaded() -> bool:
    """Whether something in this process, such as the function's module, has imported Flask."""
    return "flask" in sys.modules


def mentions_flask(code: CodeType) -> bool:
    """Whether a function's code, or code nested in it, uses the name `flask`.

    That is how an `import flask` inside of a function shows before its first invocation.
    """
    return any(name.partition(".")[0] == "flask" for name in code.co_names) or any(
        mentions_flask(const) for const in code.co_consts if isinstance(const, type(code))
    )


def flask_answer_types() -> tuple[type[Any], ...]:
    """The classes that `flask_answer` accepts; empty while Werkzeug is not imported."""
    return _loaded("werkzeug.wrappers.response", "Response") + flask_error_types()


def flask_error_types() -> tuple[type[Exception], ...]:
    """The base class of the errors of `flask.abort`; empty while Werkzeug is not imported."""
    return _loaded("werkzeug.exceptions", "HTTPException")


def _loaded(module: str, name: str) -> tuple[type[Any], ...]:
    # Another thread may be in the middle of the import: the class is not there yet then.
    cls = getattr(sys.modules.get(module), name, None)
    return () if cls is None else (cls,)


def flask_request(request: web.Request, body: bytes) -> Request:
    """The request as a `flask.Request`: the one of this invocation's context, else a new one.

    Args:
        request: aiohttp's request.
        body: The whole body.

    Raises:
        ModuleNotFoundError: Flask is not installed.
    """
    # Imported late: only functions that name Flask's request come here.
    import flask

    if flask.has_request_context() and flask.request.environ.get(_REQUEST_KEY) is request:
        # The object itself: the proxy would find nothing in a thread of the function's own.
        return flask.request._get_current_object()  # type: ignore[attr-defined,no-any-return]
    built = flask.Request(wsgi_environ(request, body))
    _limit_form(built, body)
    return built


def _limit_form(request: Request, body: bytes) -> None:
    """Accept fields of any size, since the body is in memory, and no more than 1000 of them."""
    request.max_form_memory_size = max(len(body), 1)
    if request.mimetype == URLENCODED and has_too_many_fields(body):
        request.form_data_parser_class = _refuse_form  # type: ignore[assignment]


def _refuse_form(*args: object, **kwargs: object) -> NoReturn:
    from werkzeug.exceptions import RequestEntityTooLarge

    raise RequestEntityTooLarge("the form has too many fields")


class AnswerBody(Iterator[bytes]):
    """The chunks of a streamed answer, each made as it is asked for.

    Code of the user runs in `next()` and in `close()`, so both belong in a thread. They may be
    called from any thread, one after the other: each runs in the same `contextvars` context, a
    copy of the one in which the answer was made, so that Flask's `stream_with_context` finds its
    request. `close()` has to be called in the end, whatever happened.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._context = contextvars.copy_context()
        self._chunks = chunks
        self._iterator = self._context.run(iter, chunks)

    def __next__(self) -> bytes:
        return self._context.run(next, self._iterator)

    def read(self) -> bytes:
        """Join the chunks that are left, and close the answer."""
        try:
            return b"".join(self)
        finally:
            self.close()

    def close(self) -> None:
        """Close the function's generator or file, and run what waits for the end of the answer."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            self._context.run(close)


class FlaskAnswer(msgspec.Struct, frozen=True):
    """A Flask response as it is sent for one request.

    Attributes:
        status: The status code.
        reason: The reason phrase as the response has it.
        headers: The headers; repeated ones stay repeated. No hop-by-hop headers.
        body: The whole body, or its chunks as they come; nothing where the request was HEAD or the
            status has no body.
    """

    status: int
    reason: str
    headers: CIMultiDict[str]
    body: bytes | AnswerBody


def flask_answer(result: FlaskResult, request: web.Request) -> FlaskAnswer:
    """Turn a response of Flask or Werkzeug, or one of their HTTP exceptions, into an answer.

    A body that is a list is joined here, which ends the response; any other is left to be iterated.

    Args:
        result: What the function returned, or what `flask.abort` raised.
        request: The request that it answers.
    """
    environ = wsgi_environ(request, b"")
    response: Any = result
    if isinstance(result, flask_error_types()):
        response = result.get_response(environ)
    chunks, status, headers = response.get_wsgi_response(environ)
    code, _, reason = status.partition(" ")
    body = AnswerBody(chunks)
    whole = body.read() if response.is_sequence else body
    return FlaskAnswer(int(code), reason, _end_to_end(headers), whole)


def _end_to_end(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    """Connections are the server's business (PEP 3333, "Other HTTP Features")."""
    return CIMultiDict((name, value) for name, value in headers if not is_hop_by_hop(name))


class FlaskBridge:
    """A bare Flask app, which lends one function the contexts that Flask's own names need.

    Within a context, `flask.request`, `flask.g`, `flask.current_app`, `flask.jsonify`,
    `flask.abort` and the others work as in a view.

    Args:
        import_name: The function's module: Flask looks for `templates` beside it, and logs under
            its name.

    Raises:
        ModuleNotFoundError: Flask is not installed.
    """

    def __init__(self, import_name: str) -> None:
        # Imported late: it takes longer than the rest of pyfunc, and few functions use it.
        from flask import Flask
        from werkzeug.wsgi import FileWrapper

        self._app = Flask(import_name, static_folder=None)
        self._file_wrapper = FileWrapper

    def context(self, request: web.Request, body: bytes) -> RequestContext:
        """Build the context of one invocation; its `request` is the function's `flask.Request`.

        Enter it around the call, in the thread or task of the function or before that thread
        gets its copy of the context variables. Leave it before a streamed answer is iterated.

        Args:
            request: aiohttp's request.
            body: The whole body.
        """
        environ = wsgi_environ(request, body)
        environ[_REQUEST_KEY] = request
        environ["wsgi.file_wrapper"] = self._wrap_file
        context = self._app.request_context(environ)
        _limit_form(context.request, body)
        return context

    def _wrap_file(self, file: BinaryIO, _: int = 0) -> Iterable[bytes]:
        return self._file_wrapper(file, _FILE_CHUNK)


def flask_bridge(function: Any, module_name: str) -> FlaskBridge | None:
    """Make a bridge for a function that uses Flask; `None` for any other.

    Args:
        function: The user's callable.
        module_name: The module that it was loaded from.
    """
    code = getattr(function, "__code__", None)
    if not flask_is_loaded() and (code is None or not mentions_flask(code)):
        return None
    try:
        return FlaskBridge(module_name)
    except ModuleNotFoundError:
        return None  # the function's own `import flask` reports it
