"""Responses for whatever goes wrong in the middlewares and the handler below."""

import asyncio
import logging
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp.http import WSCloseCode
from aiohttp.typedefs import Handler, Middleware

from pyfunc.errors import (
    DisconnectedError,
    FailedError,
    MalformedBodyError,
    ReplyError,
    RequestError,
    UnavailableError,
)
from pyfunc.function.trace_context import REQUEST_ID_KEY, request_id
from pyfunc.invoking.observers import FAILURE, note_error
from pyfunc.invoking.results import PREPARED, check_fields, flask_response
from pyfunc.invoking.streams import break_off
from pyfunc.invoking.user_code import contained, text_of
from pyfunc.middlewares.problems import problem
from pyfunc.request.flask import flask_error_types

__all__ = ["failure", "failures"]

logger = logging.getLogger("pyfunc")

_HANDSHAKE = 0.5  # seconds for the peer of a WebSocket to answer its end


def failures(name: str, debug: bool) -> Middleware:
    """Make the middleware that turns exceptions into responses; it gives each request its id, too.

    Args:
        name: The function's name in the log.
        debug: Include the exception of a failed function in the response.
    """

    @web.middleware
    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[REQUEST_ID_KEY] = request_id(request.headers)
        try:
            response = await handler(request)
            if hdrs.CONTENT_ENCODING not in request.headers or request.content.is_eof():
                return response
            return await _last(request, response)
        # No local variable holds an exception here: with its traceback, and so this frame, it would
        # keep the request until the garbage collector runs.
        except web.HTTPException as raised:
            if PREPARED not in request and _of_response(raised) is raised:
                raise  # the function's own response
            return await fail(request, _of_response(raised))
        except Exception as raised:  # the border with user code
            return await fail(request, _of_request(request, raised))
        except BaseException as raised:
            if contained(raised) is raised:
                raise
            return await fail(request, contained(raised))

    async def fail(request: web.Request, error: BaseException) -> web.StreamResponse:
        note_error(request, error)
        if PREPARED in request:
            return await _broken_off(request, error)
        return await _last(request, _response(request, error))

    def _response(request: web.Request, error: BaseException) -> web.StreamResponse:
        if isinstance(error, RequestError):
            logger.debug("rejected with %d: %.500s", error.status, error.detail)
            return problem(error)
        if isinstance(error, flask_error_types()):
            return flask_response(error, request)
        request[FAILURE] = error
        return problem(failure(error, name, debug))

    async def _broken_off(request: web.Request, error: BaseException) -> web.StreamResponse:
        """End the response that the function has begun, and send no other."""
        prepared = request[PREPARED]
        if not isinstance(error, DisconnectedError):
            request[FAILURE] = error
            logger.error(
                "%s failed in mid-response; the connection is closed", name, exc_info=error
            )
            if isinstance(prepared, web.WebSocketResponse):
                await _close_socket(prepared, error)
        break_off(request)
        return prepared

    return respond


async def _close_socket(socket: web.WebSocketResponse, error: BaseException) -> None:
    """Close a WebSocket with the reason (RFC 6455, section 7.4.1), and wait a little for its peer.

    A client connects again after `GOING_AWAY`, and knows of a fault after `INTERNAL_ERROR`.
    """
    is_stopping = isinstance(error, UnavailableError)
    code = WSCloseCode.GOING_AWAY if is_stopping else WSCloseCode.INTERNAL_ERROR
    with suppress(TimeoutError):
        async with asyncio.timeout(_HANDSHAKE):
            await socket.close(code=code)


async def _last(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection after the response to a compressed body that is still arriving.

    The server would read on, and inflate all of it to throw it away.
    """
    if hdrs.CONTENT_ENCODING in request.headers and not request.content.is_eof():
        with suppress(ConnectionError):
            await response.prepare(request)
            await response.write_eof()
        request.protocol.force_close()
    return response


def _of_response(response: web.HTTPException) -> Exception:
    """The error in the place of a response that is none of the function's, or cannot be sent."""
    if isinstance(response, web.HTTPRequestEntityTooLarge):
        return RequestError("the body is larger than is taken here", status=413)
    try:
        check_fields(response)
    except ReplyError as error:
        return error
    return response


def _of_request(request: web.Request, error: Exception) -> Exception:
    """The error in the place of one that a broken body, or the end of its connection, raised."""
    is_of_body = (
        isinstance(error, web.RequestPayloadError)
        or error is request.content.exception()
        or (isinstance(error, RuntimeError) and error.args == ("Connection closed.",))
    )
    if isinstance(error, RequestError) or not (is_of_body or isinstance(error, ConnectionError)):
        return error
    if request.transport is None or request.transport.is_closing():
        return DisconnectedError("the client disconnected")
    if is_of_body:
        return MalformedBodyError("the body is broken: it does not arrive as announced")
    return error


def failure(error: BaseException, name: str, debug: bool) -> RequestError:
    """Log a failed function, and make the error for its caller.

    Args:
        error: The exception of the function, or a `ReplyError` for its result.
        name: The function's name in the log.
        debug: Include the exception in the error.
    """
    if isinstance(error, ReplyError):
        logger.error("%s returned what cannot be sent: %s", name, error)
        detail = str(error) if debug else "the function's answer is not valid"
    else:
        logger.error("%s failed", name, exc_info=error)
        detail = text_of(error) if debug else "the function failed"
    return FailedError(detail)
