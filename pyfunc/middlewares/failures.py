"""The aiohttp middlewares: errors to responses, requests to events."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.hdrs import CONTENT_ENCODING
from aiohttp.typedefs import Middleware

from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode, content_mode, decode
from pyfunc.errors import (
    EventRequiredError,
    FailedError,
    MalformedBodyError,
    MethodError,
    ReplyError,
    RequestError,
    UnsupportedFormatError,
)
from pyfunc.fastpath.body import body_at_hand, expect_parsed, read_body
from pyfunc.function.trace_context import REQUEST_ID_KEY, request_id
from pyfunc.invoking.replies import flask_error
from pyfunc.middlewares.problems import problem
from pyfunc.middlewares.webhook import ALLOWED
from pyfunc.request.flask import flask_error_types
from pyfunc.server.collector import LARGE, expecting

__all__ = [
    "FAILURE",
    "errors_middleware",
    "events_handler",
    "failure",
]

logger = logging.getLogger("pyfunc")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Deliver = Callable[[web.Request, list[Event], bytes, bool], Awaitable[web.StreamResponse]]


FAILURE: web.RequestKey[BaseException] = web.RequestKey("pyfunc_failure", BaseException)

_BATCHED = ContentMode.BATCHED
_SEND_ONE = (
    "this function takes CloudEvents: send a POST with the headers ce-id, ce-source, ce-type"
    " and ce-specversion: 1.0, or with Content-Type: application/cloudevents+json"
)


def errors_middleware(name: str, debug: bool) -> Middleware:
    """Whatever goes wrong below becomes a response that tells the caller what to do.

    Args:
        name: How the function is called in the log.
        debug: Tell the caller the exception of a failed function too.
    """

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        request._state[REQUEST_ID_KEY] = request_id(request._headers)
        try:
            return await handler(request)
        except RequestError as error:
            return problem(error)
        except web.HTTPRequestEntityTooLarge:
            return problem(RequestError("the body is larger than is taken here", status=413))
        except web.HTTPException:
            raise  # the function's own choice
        except web.RequestPayloadError:
            return problem(
                MalformedBodyError("the body is broken: it does not arrive as announced")
            )
        except Exception as error:  # the border with user code
            if error is request.content.exception():
                logger.debug("the client went away while it sent its request")
                return problem(MalformedBodyError("the body did not arrive"))
            if isinstance(error, flask_error_types()):
                return flask_error(error, request)
            request[FAILURE] = error
            return problem(failure(error, name, debug))

    return errors


def failure(error: Exception, name: str, debug: bool) -> RequestError:
    """What the caller is told of a function that failed; the log is told all of it.

    Args:
        error: What the function raised, or a `ReplyError` for what it returned.
        name: How the function is called in the log.
        debug: Tell the caller the exception, too.
    """
    if isinstance(error, ReplyError):
        logger.error("%s returned what cannot be sent: %s", name, error)
        detail = str(error) if debug else "the function's answer is not valid"
    else:
        logger.error("%s failed", name, exc_info=error)
        detail = repr(error) if debug else "the function failed"
    return FailedError(detail)


def events_handler(deliver: Deliver) -> Handler:
    """Decode the events of a request, for event functions.

    Args:
        deliver: Takes the request, its events, its body, and whether they came in batched mode.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        if request._method != "POST":
            return _other_method(request.method)
        headers = request._headers
        if CONTENT_ENCODING in headers:
            _refuse_encoding(headers[CONTENT_ENCODING])
        mode = content_mode(headers)
        if mode is None:
            raise EventRequiredError(_SEND_ONE)
        body = body_at_hand(request)
        if body is None:
            body = await read_body(request)
        if mode is _BATCHED:
            with expecting(body):  # the replies are not larger, or not much
                return await deliver(request, decode(mode, headers, body), body, True)
        if len(body) >= LARGE:
            expect_parsed(request, body)
        return await deliver(request, decode(mode, headers, body), body, False)

    return answer


def _other_method(method: str) -> web.Response:
    if method == "OPTIONS":  # Knative's senders may probe with it (data plane)
        return web.Response(status=204, headers={"Allow": ALLOWED})
    raise MethodError(_SEND_ONE, headers={"Allow": "POST"})


_ENCODINGS = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})  # aiohttp undoes these


def _refuse_encoding(encoding: str) -> None:
    """What nobody has decoded is no data (RFC 9110, section 15.5.16)."""
    if encoding.strip().lower() not in _ENCODINGS:
        raise UnsupportedFormatError(
            "the Content-Encoding is not known here: expected gzip or deflate",
            headers={"Accept-Encoding": "gzip, deflate"},
        )
