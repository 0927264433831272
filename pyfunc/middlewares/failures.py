"""Responses for whatever goes wrong in the middlewares and the handler below."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from pyfunc.errors import FailedError, MalformedBodyError, ReplyError, RequestError
from pyfunc.function.trace_context import REQUEST_ID_KEY, request_id
from pyfunc.invoking.observers import FAILURE, note_error
from pyfunc.invoking.results import flask_response
from pyfunc.middlewares.problems import problem
from pyfunc.request.flask import flask_error_types

__all__ = ["failure", "failures"]

logger = logging.getLogger("pyfunc")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
            return await handler(request)
        except web.HTTPRequestEntityTooLarge:
            error: Exception = RequestError("the body is larger than is taken here", status=413)
        except web.HTTPException:
            raise  # the function's own response
        except Exception as raised:  # the border with user code
            error = raised
        note_error(request, error)
        return _response(request, error)

    def _response(request: web.Request, error: Exception) -> web.StreamResponse:
        if isinstance(error, RequestError):
            return problem(error)
        if isinstance(error, web.RequestPayloadError):
            return problem(
                MalformedBodyError("the body is broken: it does not arrive as announced")
            )
        if error is request.content.exception():
            logger.debug("the client went away while it sent its request")
            return problem(MalformedBodyError("the body did not arrive"))
        if isinstance(error, flask_error_types()):
            return flask_response(error, request)
        request[FAILURE] = error
        return problem(failure(error, name, debug))

    return respond


def failure(error: Exception, name: str, debug: bool) -> RequestError:
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
        detail = repr(error) if debug else "the function failed"
    return FailedError(detail)
