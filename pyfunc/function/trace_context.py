"""The id of a request (`X-Request-Id`) and its place in a trace (W3C Trace Context, level 1).

New ids do not come from `random`: a function may seed that, and would then repeat them. Spans are
for `telemetry.tracing`.
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

# Accepted ids go into logs and headers: no spaces, no quotes, at most 128 characters.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}", re.ASCII).fullmatch
# Section 3.2.2: lower case, neither id all zeros; from version 01 on there may be more after it.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?",
    re.ASCII,
).fullmatch
_TRACESTATE = re.compile(r"[\t -~]{1,512}", re.ASCII).fullmatch  # section 3.3.1.1, "Limits"
_GENERATED = re.compile(r"(?!.{16}0{16})[0-9a-f]{32}", re.ASCII).fullmatch


class TraceContext:
    """A place in a trace.

    Args:
        trace_id: The trace, 32 hexadecimal digits.
        span_id: The current operation in it, 16 hexadecimal digits.
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
        """The headers for outgoing calls; a new dict each time."""
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
        """Add the Distributed Tracing extension to the attributes of a new event.

        An event that has it keeps it, since it names the start of the event's trace.
        """
        if "traceparent" not in attributes:
            attributes["traceparent"] = self.traceparent
            if self.state:
                attributes["tracestate"] = self.state


def request_id(headers: Headers) -> str:
    """Return the caller's id of a request if it is acceptable, else a new one."""
    id = headers.get(REQUEST_ID)
    if id is not None and _REQUEST_ID(id):
        return id
    return urandom(16).hex()


def trace_context(
    headers: Headers, attributes: Mapping[str, Any] | None, request_id: str
) -> TraceContext:
    """Find the place of an invocation in a trace: of the headers, else the event, else a new trace.

    The header is the last hop, the event's extension the start of the trace (CloudEvents,
    "Distributed Tracing extension"). A received context is passed on unchanged: a span id of our
    own would name an operation that was never recorded. A new trace is not recorded (flags 00),
    and takes the request's id as trace id if that was generated.
    """
    if TRACEPARENT in headers:
        parents = headers.getall(TRACEPARENT)
        context = _parse(parents[0], ",".join(headers.getall(TRACESTATE, ())))
        if context is not None and len(parents) == 1:
            return context
    if attributes is not None and "traceparent" in attributes:
        context = _parse(attributes["traceparent"], attributes.get("tracestate", ""))
        if context is not None:
            return context
    trace_id = request_id if _GENERATED(request_id) else urandom(16).hex()
    # A span id must be unique in its trace only, and this trace has no other.
    return TraceContext(trace_id, trace_id[16:], "00")


def _parse(parent: Any, state: Any) -> TraceContext | None:
    """Parse a trace context; an invalid one counts as absent (section 4.3)."""
    match = _TRACEPARENT(parent) if type(parent) is str else None
    if match is None or (match[4] and parent.startswith("00")):
        return None
    usable = type(state) is str and _TRACESTATE(state)
    flags = f"{int(match[3], 16) & 3:02x}"  # sampled and random; no others are defined
    return TraceContext(match[1], match[2], flags, state if usable else "")
