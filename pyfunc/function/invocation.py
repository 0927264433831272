"""One call of the function: `Invocation` for the server, `Context` for the function.

The ids of a request and its place in a trace are for `trace_context`.
"""

import contextvars
import logging
import time
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

import msgspec
from aiohttp import web

from pyfunc.cloudevents.event import Event
from pyfunc.function.trace_context import REQUEST_ID_KEY, TraceContext, request_id, trace_context

__all__ = ["CURRENT", "DELIVERY", "Context", "Delivery", "Invocation", "share_trace"]


class Delivery(msgspec.Struct, eq=False):
    """The events of one request, and its body."""

    events: list[Event]
    body: bytes
    is_batch: bool
    """The request was in batched mode."""


DELIVERY: web.RequestKey[Delivery] = web.RequestKey("pyfunc_delivery", Delivery)


class Invocation(msgspec.Struct, eq=False):  # made in half the time of other classes
    """One call of the function, with all that its parameters may receive."""

    request: web.Request
    body: bytes
    """The whole body; empty if no parameter needs it."""
    events: Sequence[Event] = ()
    """The events of the request; none for an HTTP function."""
    deadline: float | None = None
    """The end of the time limit, on the clock of `time.monotonic`; `None` for no limit."""
    failure: BaseException | None = None
    """The error of its reply, in a batch."""
    """What went wrong with its answer, in a batch."""
    variables: contextvars.Context | None = None
    """The context variables of the call, where it runs in a thread."""
    _context: "Context | None" = None
    _fields: dict[str, Any] | None = None
    _trace: TraceContext | None = None

    @property
    def event(self) -> Event:
        """The event of this invocation; the first one of a batch."""
        return self.events[0]

    @property
    def id(self) -> str:
        """The id for logs: the `X-Request-Id` of the request."""
        try:
            return self.request[REQUEST_ID_KEY]
        except KeyError:  # outside of an app
            self.request[REQUEST_ID_KEY] = new_id = request_id(self.request.headers)
            return new_id

    @property
    def trace(self) -> TraceContext:
        """The place in a trace."""
        if self._trace is None:
            attributes = self.events[0].original if self.events else None
            self._trace = trace_context(self.request.headers, attributes, self.id)
        return self._trace

    @trace.setter
    def trace(self, trace: TraceContext) -> None:
        self._trace = trace
        self._fields = None

    @property
    def fields(self) -> dict[str, Any]:
        """The ids that all records logged during this invocation carry."""
        if self._fields is None:
            fields: dict[str, Any] = {"invocation_id": self.id}
            if self.events:
                received = self.events[0].original
                fields |= {field: received.get(name) for field, name in _EVENT_FIELDS.items()}
            fields |= {"trace_id": self.trace.trace_id, "span_id": self.trace.span_id}
            self._fields = fields
        return self._fields

    @property
    def context(self) -> "Context":
        """The `Context` for the function."""
        if self._context is None:
            self._context = Context(self)
        return self._context


def share_trace(invocations: Iterable[Invocation]) -> None:
    """Give the events of a batch that have no `traceparent` one trace context in common."""
    trace = None
    for invocation in invocations:
        if "traceparent" not in invocation.events[0].original:
            invocation._trace = trace = invocation.trace if trace is None else trace


_EVENT_FIELDS = {"event_id": "id", "event_type": "type", "event_source": "source"}

CURRENT: ContextVar[Invocation | None] = ContextVar("pyfunc_invocation", default=None)


class Context:
    """The invocation, for the function: ids, the time left, a logger."""

    __slots__ = ("_invocation",)

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @property
    def id(self) -> str:
        """The id of this invocation, as it appears in the log."""
        return self._invocation.id

    @property
    def deadline(self) -> float | None:
        """The end of the time limit, on the clock of `time.monotonic`; `None` for no limit."""
        return self._invocation.deadline

    def remaining(self) -> float | None:
        """Return the seconds until the time limit, at least 0.0; `None` for no limit."""
        deadline = self._invocation.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    @property
    def traceparent(self) -> str:
        """The `traceparent` for outgoing calls (W3C Trace Context)."""
        return self._invocation.trace.traceparent

    def headers(self) -> dict[str, str]:
        """Return the headers for outgoing calls.

        `traceparent`, `tracestate` where there is one, and `X-Request-Id`; a new dict each time.
        """
        return {**self._invocation.trace.headers, "X-Request-Id": self._invocation.id}

    @property
    def logger(self) -> logging.Logger:
        """A logger whose lines carry the ids of this invocation."""
        return logging.getLogger("function")

    def __repr__(self) -> str:
        return f"Context(id={self.id!r})"

    def __getattr__(self, name: str) -> Any:
        names = ", ".join(n for n in dir(Context) if not n.startswith("_"))
        raise AttributeError(f"the context has no {name}; it has {names}")
