"""The aiohttp handler: arguments read, function called (awaited, or in a thread), result answered.

A sync function runs in a thread of our own pool with the request's context variables; an async
function runs on the loop.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from functools import partial
from types import CoroutineType
from typing import Any

from aiohttp import web
from multidict import istr

from pyfunc.cloudevents.event import Event
from pyfunc.errors import DataError, MalformedBodyError, ReplyError, RequestError
from pyfunc.function.invocation import CURRENT, DELIVERY, Invocation, share_trace
from pyfunc.function.signature import Plan
from pyfunc.function.trace_context import TRACEPARENT
from pyfunc.invoking.batches import Batches
from pyfunc.invoking.deadlines import Deadlines, Limit
from pyfunc.invoking.observers import Observer, observed_work
from pyfunc.invoking.replies import EventReplies, Replies
from pyfunc.invoking.results import PREPARED, HttpResults, Stream
from pyfunc.invoking.streams import collected, send
from pyfunc.invoking.threads import Threads
from pyfunc.invoking.user_code import awaited, run_in
from pyfunc.invoking.wire import Wire
from pyfunc.request.flask import FlaskBridge

__all__ = ["Invoker"]

_TIMEOUT = istr("X-Timeout")
_MOST_FAULTS = 100  # of a batch; each costs far more to hold than its bytes to send
_NO_KEYWORDS: dict[str, Any] = {}


class Invoker:
    """Invokes one function for each request.

    Args:
        function: The user's callable.
        plan: How to call it.
        wire: Reads bodies and makes responses.
        replies: What becomes of the results of an event function.
        threads: Where sync functions run.
        timeout: The time limit of an invocation in seconds; 0 for none.
        batches: How an event function that takes one event is invoked for several.
        flask: Lends the function Flask's contexts, where it knows Flask.
        observers: Who looks on.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        plan: Plan,
        wire: Wire,
        replies: EventReplies,
        threads: Threads,
        timeout: float,
        batches: Batches,
        flask: FlaskBridge | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.function = function
        self.plan = plan
        self._wire = wire
        self._results = HttpResults(wire.response)
        self.replies = replies
        self.threads = threads
        self.timeout = timeout
        self.reads_body = plan.needs_body or (flask is not None and not plan.may_stream)
        self._invoke = self._invoke_here if plan.is_async else self._invoke_in_thread
        self._batches = batches
        self._data_reads = [b.read for b in plan.bindings if b.source and b.source.name == "data"]
        # Malformed data is found before the call anyway where one event's data is an argument.
        is_argument = bool(self._data_reads) and not plan.takes_batch
        self._takes_data = plan.takes_data
        self._looks_at_data = plan.takes_data and not (plan.checks_data or is_argument)
        self._may_prepare = plan.is_async and any(
            binding.source is not None and binding.source.name == "request"
            for binding in plan.bindings
        )
        self._deadlines = Deadlines()
        self.invoke = self._invoke if flask is None else partial(self._invoke_in_flask, flask)
        self._answer = observed_work(observers, self._answer_in_time)
        self._replies = observed_work(observers, self._replies_in_time)

    async def handle_http(self, request: web.Request) -> web.StreamResponse:
        """Answer a request with the function's result."""
        body = await self._wire.read_body(request) if self.reads_body else b""
        return await self._answer(Invocation(request, body, (), self._deadline(request)))

    async def _answer_in_time(self, invocation: Invocation) -> web.StreamResponse:
        """The answer; the sending of a stream is part of the work, and of its time."""
        request = invocation.request
        with Limit(self._deadlines, invocation.deadline):
            result = await self.invoke(invocation)
            context, invocation.variables = invocation.variables, None  # which has the invocation
            if self._may_prepare and PREPARED in request:
                return _own_response(request, result)
            answer = self._results.response(result, request)
            if isinstance(answer, Stream):
                return await send(answer, request, self.threads, context)
            return answer

    async def handle_events(self, request: web.Request) -> web.StreamResponse:
        """Answer the events of a request with the function's replies."""
        delivery = request[DELIVERY]
        events, body, is_batch = delivery.events, delivery.body, delivery.is_batch
        if is_batch and not self.plan.takes_batch:
            return await self._spread(request, body, events)
        if not events:
            return self._wire.response("", b"")
        invocation = Invocation(request, body, events, self._deadline(request))
        made = await self._replies(invocation)
        if not isinstance(made, Replies):
            return made
        response = self.replies.response(made.events, request, is_batch or made.is_list)
        if made.events:
            response.add_lines(invocation.trace.lines)
        return response

    async def _spread(
        self, request: web.Request, body: bytes, events: Sequence[Event]
    ) -> web.StreamResponse:
        """One call for each event of a batch; nothing is called where one is malformed."""
        deadline = self._deadline(request)  # one for all, since the sender waits for all
        invocations = [Invocation(request, body, (event,), deadline) for event in events]
        share_trace(invocations)
        self._refuse_malformed(invocations)
        response = await self._batches.response(invocations, self._replies, request)
        if response.body:
            response.add_lines(invocations[0].trace.lines)
        return response

    def _refuse_malformed(self, invocations: Sequence[Invocation]) -> None:
        faults: list[str] = []
        for index, invocation in enumerate(invocations):
            try:
                self._read_data(invocation)
            except MalformedBodyError as error:
                faults.append(f"[{index}].data: {error.detail}")
            except DataError:
                pass  # well-formed: an outcome of this event alone
            if len(faults) == _MOST_FAULTS:
                faults.append("and more")
                break
        if faults:
            raise MalformedBodyError("the batch is malformed: " + "; ".join(faults), errors=faults)

    def _read_data(self, invocation: Invocation) -> None:
        """Find malformed data before the call, where the function may look at it."""
        if not self._takes_data:
            return
        if not self.plan.checks_data:
            for event in invocation.events:
                event.data  # noqa: B018 - read for the first time, and kept
            return
        for read in self._data_reads:
            read(invocation)

    async def _replies_in_time(self, invocation: Invocation) -> Replies | web.StreamResponse:
        received, request = invocation.events, invocation.request
        with Limit(self._deadlines, invocation.deadline):
            result = await self.invoke(invocation)
            context, invocation.variables = invocation.variables, None  # which has the invocation
            if self._may_prepare and PREPARED in request:
                return _own_response(request, result)
            if self.plan.is_generator:
                results = await collected(result, self.threads, context)
                made = self.replies.made_of_each(results, received, request)
            else:
                made = self.replies.made(result, received, request)
        if isinstance(made, Replies):
            self._extend_trace(made.events, invocation)
        return made

    def _extend_trace(self, replies: list[Event], invocation: Invocation) -> None:
        """Carry the trace on; an event that is passed on as it came, without one, stays so."""
        for reply in replies:
            attributes = reply.attributes
            is_new = _is_none_of(invocation.events, attributes["id"])
            if is_new or TRACEPARENT in invocation.request.headers:
                invocation.trace.extend(attributes)

    def _arguments(self, invocation: Invocation) -> tuple[list[Any], dict[str, Any]]:
        """What the function is called with; from now on, this is the invocation that is logged."""
        plan = self.plan
        if self._looks_at_data:
            self._read_data(invocation)
        CURRENT.set(invocation)
        arguments = [read(invocation) for read in plan.positional]
        if not plan.keywords:
            return arguments, _NO_KEYWORDS
        return arguments, {name: read(invocation) for name, read in plan.keywords}

    async def _invoke_in_flask(self, flask: FlaskBridge, invocation: Invocation) -> Any:
        with flask.context(invocation.request, invocation.body):
            return await self._invoke(invocation)

    async def _invoke_here(self, invocation: Invocation) -> Any:
        """Call the function once and give what it returned."""
        arguments, keywords = self._arguments(invocation)
        result = self.function(*arguments, **keywords)
        is_awaitable = type(result) is CoroutineType or isinstance(result, Awaitable)
        return await result if is_awaitable else result

    async def _invoke_in_thread(self, invocation: Invocation) -> Any:
        """As `_invoke_here`; a coroutine that comes back (a decorated `async def`) is awaited."""
        arguments, keywords = self._arguments(invocation)
        context = copy_context()
        call = partial(context.run, self.function, *arguments, **keywords)
        result = await self.threads.run(call)
        invocation.variables = context
        return await run_in(context, awaited(result)) if isinstance(result, Awaitable) else result

    def _deadline(self, request: web.Request) -> float | None:
        """When the time limit ends: ours, or a shorter one that the caller asks for."""
        limit = self.timeout
        if (asked := request.headers.get(_TIMEOUT)) is not None:
            limit = min(_seconds(asked), limit or float("inf"))
        return time.monotonic() + limit if limit else None


def _own_response(request: web.Request, result: Any) -> web.StreamResponse:
    """Return the response that the function has prepared by itself; no other can follow it."""
    prepared = request[PREPARED]
    if result is not None and result is not prepared:
        raise ReplyError("the function returned another response than the one that it prepared")
    if not isinstance(prepared, web.Response) and (missing := request.writer.length):
        if not prepared.body_length:
            raise ReplyError(f"the body is {missing} bytes shorter than its Content-Length")
        prepared.force_close()  # it has ended, and what it wrote at its end was not counted
    return prepared


def _is_none_of(events: Sequence[Event], id: str) -> bool:
    for event in events:  # noqa: SIM110 - to make a generator for `all` takes longer than this
        if event.original["id"] == id:
            return False
    return True


def _seconds(asked: str) -> float:
    try:
        seconds = float(asked.strip().removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise RequestError("X-Timeout is not usable: expected seconds above 0, such as 10 or 2.5s")
    return seconds
