"""The private names and signatures of aiohttp that this package relies upon, and their check.

They changed within minor releases of aiohttp, so `check` compares them at start. To use another
one, add it here with its reason; to support a new release, change the code until the table fits.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from aiohttp import web
from aiohttp.http import HttpRequestParser, RawRequestMessage, StreamWriter

__all__ = ["NAMES", "SIGNATURES", "check", "names_of"]

NAMES: Mapping[type, Mapping[str, str]] = MappingProxyType(
    {
        web.RequestHandler: {
            "_buffer_paused": "resume reading when the queue of requests has room again",
            "_close": "the connection ends with the request in progress",
            "_current_request": "the request that a drain or a late body ends",
            "_drain_helper": "wait for a slow client after a direct write",
            "_force_close": "the connection is closed",
            "_handle_request": "call the handler and send its response",
            "_keepalive": "whether there may be another request",
            "_keepalive_handle": "the timer of an idle connection",
            "_keepalive_timeout": "when the connection was last used",
            "_logging_enabled": "whether the access log of aiohttp wants the time",
            "_loop": "timers and tasks",
            "_manager": "all connections; `None` once the client is gone",
            "_max_msg_queue_size": "make a parser anew after malformed bytes",
            "_messages": "requests that have arrived",
            "_msg_queue_resume_size": "resume reading when the queue of requests has room again",
            "_next_keepalive_close_time": "when the connection was last used",
            "_parser": "count the request that was taken, and one whose body is complete",
            "_paused": "whether the client reads too slowly",
            "_process_keepalive": "keep a connection whose next request has begun to arrive",
            "_read_bufsize": "make a parser anew after malformed bytes",
            "_reading_paused": "a body may be late because the function reads slowly",
            "_request_count": "whether the bytes that came hold a request",
            "_request_factory": "mark the last request of a connection",
            "_request_handler": "the application",
            "_resume_reading_if_drained": "resume reading when the queue has room again",
            "_task_handler": "the task that waits for the next request",
            "_upgraded": "a WebSocket has taken the connection over",
            "_waiter": "whether the connection waits for a request",
        },
        web.Server: {
            "_connections": "how many there are",
            "_kwargs": "the options of connections",
            "_loop": "timers",
        },
        web.BaseRequest: {
            "_message": "whether the connection ends with this request",
            "_method": "`HEAD` has no body",
            "_payload_writer": "the size of what was sent",
            "_post": "form uploads, which aiohttp closes",
            "_protocol": "the connection",
            "_read_bytes": "the body, for `request.read()`",
            "_state": "the id of the request",
            "_task": "a reference that would keep a request alive",
            "_version": "HTTP/1.0 closes connections",
        },
        web.Request: {
            "_match_info": "the result of routing, which is left out",
        },
        web.StreamResponse: {
            "_eof_sent": "the response was sent",
            "_headers": "made for those who look at them only",
            "_keep_alive": "the connection goes on",
            "_reason": "a constant",
            "_state": "the mapping of a response",
            "_status": "a constant",
        },
        web.Response: {
            "_body": "the body",
            "_body_length": "the size of what was sent",
            "_zlib_executor": "a constant",
            "_zlib_executor_size": "a constant",
        },
        StreamWriter: {
            "_writelines": "a large body, without a copy",
            "output_size": "the size of what was sent",
        },
        HttpRequestParser: {
            "message_consumed": "count the request that was taken, and one whose body is complete",
        },
        RawRequestMessage: {
            "_replace": "mark the last request of a connection",
            "chunked": "whether there may be trailer fields",
            "upgrade": "whether the parser drops what follows",
            "should_close": "mark the last request of a connection",
        },
        web.AppRunner: {
            "_make_server": "make our connections",
        },
    }
)

SIGNATURES: Mapping[Callable[..., Any], tuple[str, ...]] = MappingProxyType(
    {
        web.Application._make_request: ("self", "message", "payload", "protocol", "writer", "task"),
        web.RequestHandler.__init__: ("self", "manager"),
        web.RequestHandler._handle_request: ("self", "request", "start_time", "request_handler"),
        web.RequestHandler.data_received: ("self", "data"),
        web.RequestHandler.finish_response: ("self", "request", "resp", "start_time"),
        web.RequestHandler.handle_error: ("self", "request", "status", "exc", "message"),
        web.RequestHandler.resume_reading: ("self", "resume_parser"),
        web.Server.__init__: ("self", "handler"),
        StreamWriter.__init__: ("self", "protocol", "loop"),
    }
)


def check() -> None:
    """Compare the installed aiohttp with the table.

    Raises:
        LookupError: A name is missing, or a signature is different.
    """
    for kind, names in NAMES.items():
        if missing := names.keys() - names_of(kind):
            raise LookupError(f"{kind.__name__} has no {', '.join(sorted(missing))}")
    for function, parameters in SIGNATURES.items():
        if _parameters(function)[: len(parameters)] != parameters:
            raise LookupError(f"{function.__qualname__} has other parameters")


def names_of(kind: type) -> set[str]:
    """Names of a class: of its body, its slots, and the attributes that its methods use."""
    names = set(dir(kind))
    for base in kind.__mro__:
        for member in vars(base).values():
            names.update(getattr(member, "__code__", _NO_CODE).co_names)
    return names


_NO_CODE = check.__code__.replace(co_names=())


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    code = function.__code__
    return code.co_varnames[: code.co_argcount]
