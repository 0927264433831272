"""Request observers: the access log, metrics and traces.

Observers are chosen at start; without any, the middleware is left out of the application. A request
is one observation; the invocations that it led to are its calls.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from time import perf_counter, time_ns
from typing import Protocol, TypeVar, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pyfunc.errors import RequestError
from pyfunc.function.invocation import Invocation
from pyfunc.invoking.streams import SENT
from pyfunc.invoking.wire import WholeResponse

__all__ = [
    "FAILURE",
    "OBSERVATION",
    "Call",
    "Observation",
    "Observer",
    "note_admission",
    "note_error",
    "observed_work",
    "observing",
]


class Call:
    """One invocation, as it went.

    Attributes:
        invocation: What the function was given.
        event_types: The types of the events that it was given, as they were received.
        started: When, on the clock of `time.perf_counter`.
        ended: When it was over, on the same clock.
        error: What it raised.
        outcome: How it ended, in one word.
        status: The HTTP status that it led to, by itself; that of the request where it is the only
            one.
    """

    __slots__ = ("ended", "error", "event_types", "invocation", "outcome", "started", "status")

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        self.event_types = [str(event.original.get("type")) for event in invocation.events]
        self.error: BaseException | None = None
        self.outcome = "success"
        self.status: int | None = HTTPStatus.OK
        self.started = self.ended = perf_counter()

    def fail(self, error: BaseException) -> None:
        """Note that the call failed."""
        self.error = error
        self.status = getattr(error, "status", HTTPStatus.INTERNAL_SERVER_ERROR)
        self.outcome = _outcome(error, self.status)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started


class Observation:
    """One request to the function, and what became of it.

    Attributes:
        request: The request.
        started: When it arrived, on the clock of `time.perf_counter`.
        started_ns: The same, in nanoseconds since the epoch.
        admitted: When it had its place, on the clock of `started`; `None` where it got none.
        ended: When it was answered, on the clock of `started`.
        calls: The invocations.
        error: What was raised on the way.
        status: The HTTP status; `None` where the caller went away.
        response_bytes: The size of the response's body; `None` where it is not known.
        outcome: How it ended, in one word.
    """

    __slots__ = (
        "admitted",
        "calls",
        "ended",
        "error",
        "outcome",
        "request",
        "response_bytes",
        "started",
        "started_ns",
        "status",
    )

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.started = self.ended = perf_counter()
        self.started_ns = time_ns()
        self.admitted: float | None = None
        self.calls: list[Call] = []
        self.error: BaseException | None = None
        self.status: int | None = None
        self.response_bytes: int | None = None
        self.outcome = "success"

    @property
    def seconds(self) -> float:
        """How long it took to be answered, without the sending of what is no stream."""
        return self.ended - self.started

    def epoch(self, moment: float) -> int:
        """A moment on the clock of `started`, in nanoseconds since the epoch."""
        return self.started_ns + int((moment - self.started) * 1e9)

    @property
    def request_bytes(self) -> int:
        """The size of the request's body, as far as it is known."""
        length = self.request.content_length
        if length is None and self.calls:
            return len(self.calls[0].invocation.body)
        return length or 0

    def finish(self, response: web.StreamResponse | None) -> None:
        """The request has been answered; `None` where nobody waits for that any more."""
        self.ended = perf_counter()
        if response is not None:
            self.status = response.status
            self._take_size(response)
        self.outcome = _outcome(self.error, self.status)
        for call in self.calls:
            if call.error is None and (failure := call.invocation.failure) is not None:
                call.fail(failure)
        # The calls of a batch have outcomes of their own.
        if len(self.calls) == 1:
            call = self.calls[0]
            call.status = self.status
            is_cancelled = isinstance(call.error, asyncio.CancelledError)
            if self.outcome != "success" and (call.error is None or is_cancelled):
                call.outcome, call.error = self.outcome, self.error

    def _take_size(self, response: web.StreamResponse) -> None:
        """A stream has been sent by now; anything else says how large it is going to be."""
        if isinstance(response, WholeResponse):
            # Its headers stay unread: with them the fast path would have to make them.
            self.response_bytes = len(cast(bytes, response.body))
            return
        if SENT not in response:
            self.response_bytes = response.content_length
            return
        self.response_bytes = response[SENT].bytes
        self.error = self.error or response[SENT].error


FAILURE: web.RequestKey[BaseException] = web.RequestKey("pyfunc_failure", BaseException)
"""The exception of a failed function, for the test kit."""

OBSERVATION: web.RequestKey[Observation] = web.RequestKey("pyfunc_observation", Observation)


class Observer(Protocol):
    """Someone who looks on; all three are called on the event loop, and must not block it."""

    def began(self, observation: Observation, call: Call) -> None:
        """The function is about to be invoked, in the context that it will see."""

    def ended(self, observation: Observation, call: Call) -> None:
        """It has been answered, or has raised."""

    def answered(self, observation: Observation) -> None:
        """The request has been answered."""


Made = TypeVar("Made")
Work = Callable[[Invocation], Awaitable[Made]]


def observed_work(observers: Sequence[Observer], work: Work[Made]) -> Work[Made]:
    """What does the work of an invocation, its answer and its time limit included, seen by all."""
    if not observers:
        return work

    async def watched(invocation: Invocation) -> Made:
        observation = invocation.request[OBSERVATION]
        call = Call(invocation)
        observation.calls.append(call)
        for observer in observers:
            observer.began(observation, call)
        try:
            done = await work(invocation)
        except BaseException as error:
            call.fail(error)
            raise
        else:
            call.status = getattr(done, "status", HTTPStatus.OK)
            call.outcome = _outcome(None, call.status)
            return done
        finally:
            call.ended = perf_counter()
            for observer in observers:
                observer.ended(observation, call)

    return watched


def observing(observers: Sequence[Observer]) -> Middleware:
    """Make the middleware that shows each request to the observers once it is answered.

    It stands outside of those that make responses of errors and that admit requests; both leave
    what they know on the observation of the request.
    """

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[OBSERVATION] = observation = Observation(request)
        response: web.StreamResponse | None = None
        try:
            response = await handler(request)
        except web.HTTPException as error:
            observation.error = response = error
            raise
        except BaseException as error:
            observation.error = error
            raise
        finally:
            observation.finish(response)
            for observer in observers:
                observer.answered(observation)
        return response

    return observe


def note_error(request: web.Request, error: BaseException) -> None:
    """Leave an error, which becomes a response, on the observation of its request."""
    if OBSERVATION in request:
        request[OBSERVATION].error = error


def note_admission(request: web.Request) -> None:
    """Leave the moment of its admission on the observation of a request."""
    if OBSERVATION in request:
        request[OBSERVATION].admitted = perf_counter()


def _outcome(error: BaseException | None, status: int | None) -> str:
    """One word: what the error says of itself, else what the status says."""
    if isinstance(error, RequestError):
        return error.outcome
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    if error is not None and not isinstance(error, web.HTTPException):
        return "failed"
    if status is None:
        return "cancelled"
    if status < HTTPStatus.BAD_REQUEST:
        return "success"
    return "rejected" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"
