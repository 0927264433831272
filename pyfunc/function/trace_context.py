"""Names that tie an invocation to what called it and to what it calls.

The id of a request (`X-Request-Id`) and its place in a trace (W3C Trace Context, level 1). New ids
do not come from `random`: a function may seed that, and would then make the same ones again.
"""

import re
from collections.abc import Mapping
from os import urandom
from typing import Any

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy, istr

__all__ = [
    "REQUEST_ID",
    "REQUEST_ID_KEY",
    "TRACEPARENT",
    "TRACESTATE",
    "TraceContext",
    "request_id",
    "trace_context",
]

REQUEST_ID = istr("X-Request-Id")
REQUEST_ID_KEY: web.RequestKey[str] = web.RequestKey("pyfunc_request_id", str)
TRACEPARENT = istr("traceparent")
TRACESTATE = istr("tracestate")

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

# What is taken over goes into logs and headers: no spaces, no quotes, no end of it far away.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII).fullmatch
# Section 3.2.2: lower case, neither id all zeros; from version 01 on there may be more after it.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?",
    re.ASCII,
).fullmatch
_TRACESTATE = re.compile(r"[\t -~]{1,512}", re.ASCII).fullmatch  # section 3.3.1.1, "Limits"
_MADE = re.compile(r"(?!.{16}0{16})[0-9a-f]{32}", re.ASCII).fullmatch


class TraceContext:
    """A place in a trace.

    Args:
        trace_id: The trace, 32 hexadecimal digits.
        span_id: The operation in it that causes what comes next, 16 hexadecimal digits.
        flags: Two hexadecimal digits; `01` means that the trace is recorded.
        state: The `tracestate` of vendors, empty for none.
    """

    __slots__ = ("flags", "span_id", "state", "trace_id", "traceparent")

    def __init__(self, trace_id: str, span_id: str, flags: str, state: str = "") -> None:
        self.trace_id: str = trace_id
        self.span_id: str = span_id
        self.flags: str = flags
        self.state: str = state
        self.traceparent: str = f"00-{trace_id}-{span_id}-{flags}"
        """The value of the header `traceparent`."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry it on; a new dict each time."""
        headers = {"traceparent": self.traceparent}
        if self.state:
            headers["tracestate"] = self.state
        return headers

    @property
    def lines(self) -> str:
        """Those headers as the lines of an HTTP message."""
        line = f"traceparent: {self.traceparent}\r\n"
        return f"{line}tracestate: {self.state}\r\n" if self.state else line

    def extend(self, attributes: dict[str, Any]) -> None:
        """Give the attributes of a new event the Distributed Tracing extension.

        An event that has it keeps it: it says where the event's trace started.
        """
        if "traceparent" not in attributes:
            attributes["traceparent"] = self.traceparent
            if self.state:
                attributes["tracestate"] = self.state


def request_id(headers: Headers) -> str:
    """The id of a request: the caller's, where it can be taken over, else a new one."""
    given = headers.get(REQUEST_ID)
    if given is not None and _REQUEST_ID(given):
        return given
    return urandom(16).hex()


def trace_context(
    headers: Headers, attributes: Mapping[str, Any] | None, request_id: str
) -> TraceContext:
    """Where in a trace an invocation is: as the headers say, else the event, else a new trace.

    The header is the last hop, the event's extension the start of the trace (CloudEvents,
    "Distributed Tracing extension"). What came is handed on as it is: an id of our own would name
    an operation that nobody recorded. A trace that starts here is not recorded (flags 00), and
    has the request's id for its name where that was made here.
    """
    if TRACEPARENT in headers:
        parents = headers.getall(TRACEPARENT)
        found = _parsed(parents[0], ",".join(headers.getall(TRACESTATE, ())))
        if found is not None and len(parents) == 1:
            return found
    if attributes is not None and "traceparent" in attributes:
        found = _parsed(attributes["traceparent"], attributes.get("tracestate", ""))
        if found is not None:
            return found
    trace_id = request_id if _MADE(request_id) else urandom(16).hex()
    # Half of a random name is one, too, in the one trace where it has to differ from others.
    return TraceContext(trace_id, trace_id[16:], "00")


def _parsed(parent: Any, state: Any) -> TraceContext | None:
    """What is not as the specification has it counts as not there (section 4.3)."""
    match = _TRACEPARENT(parent) if type(parent) is str else None
    if match is None or (match[4] and parent.startswith("00")):
        return None
    usable = type(state) is str and _TRACESTATE(state)
    flags = f"{int(match[3], 16) & 3:02x}"  # sampled and random; no others are defined
    return TraceContext(match[1], match[2], flags, state if usable else "")
