"""Batches to functions that take one event at a time: the calls, and one answer for all of them.

A batch is one delivery, which its sender repeats as a whole or not at all. So it has one outcome,
the gravest of its events', with repeating graver than dropping.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import copy_context
from typing import Any

import msgspec
from aiohttp import web

from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.json_format import Draft, documents, draft
from pyfunc.errors import REPEATED, BatchError, DeadlineError, ReplyError, RequestError
from pyfunc.function.invocation import CURRENT, Invocation
from pyfunc.invoking.admission import Admission
from pyfunc.invoking.observers import FAILURE
from pyfunc.invoking.replies import EventReplies, Replies
from pyfunc.invoking.results import flask_response
from pyfunc.invoking.user_code import contained, run_in, uncancelled
from pyfunc.invoking.wire import WholeResponse
from pyfunc.request.flask import flask_error_types

__all__ = ["Batches"]

Invoke = Callable[[Invocation], Awaitable[Replies | web.StreamResponse]]


class _Result(msgspec.Struct):  # which is made in half the time of other classes
    """What became of one event: its replies, or an error."""

    drafts: list[Draft]
    error: RequestError | None = None


class Batches:
    """Invokes for each event of a batch, several at a time.

    The delivery has one place already; more calls at a time need a free place each, and wait for
    none, so that two batches never wait for each other.

    Args:
        replies: What becomes of the results.
        limit: How many calls for one batch there may be at a time.
        admission: Where the places are.
        failure: What the caller is told of an exception of the function.
    """

    def __init__(
        self,
        replies: EventReplies,
        limit: int,
        admission: Admission,
        failure: Callable[[Exception], RequestError],
    ) -> None:
        self._replies = replies
        self._limit = limit
        self._admission = admission
        self._failure = failure

    async def response(
        self, invocations: Sequence[Invocation], invoke: Invoke, request: web.Request
    ) -> WholeResponse:
        """Invoke for each, and put the replies into one batch, in the events' order.

        Args:
            invocations: One for each event.
            invoke: Invokes the function, and returns its replies.
            request: The delivery.

        Raises:
            BatchError: Some events failed.
        """
        outcomes = await self._results(invocations, invoke)
        if not any(outcome.error for outcome in outcomes):
            drafts = [made for outcome in outcomes for made in outcome.drafts]
            try:
                return self._replies.batch(drafts, request)
            except ReplyError:
                pass  # of which events, is told with what became of the others
        raise _error(invocations, list(map(self._checked, invocations, outcomes)))

    def _checked(self, invocation: Invocation, outcome: _Result) -> _Result:
        """What became of an event, now that some have failed: its replies may be invalid, too."""
        try:
            documents(outcome.drafts)
        except ReplyError as error:
            return self._failed(invocation, error)
        return outcome

    async def _results(self, invocations: Sequence[Invocation], invoke: Invoke) -> list[_Result]:
        outcomes = [_Result([])] * len(invocations)
        pending = iter(enumerate(invocations))
        delivery: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]

        async def work() -> None:
            for index, invocation in pending:
                call = self._result(invocation, invoke, delivery)
                outcomes[index] = await run_in(copy_context(), call)

        async with asyncio.TaskGroup() as group:
            group.create_task(work())
            for _ in range(min(len(invocations), self._limit) - 1):
                if not self._admission.try_enter():
                    break
                group.create_task(work()).add_done_callback(lambda _: self._admission.leave())
        return outcomes

    async def _result(
        self, invocation: Invocation, invoke: Invoke, delivery: "asyncio.Task[Any]"
    ) -> _Result:
        try:
            deadline = invocation.deadline
            if deadline is not None and deadline <= time.monotonic():
                raise DeadlineError("the time limit was spent on other events of the batch")
            made = await invoke(invocation)
            if isinstance(made, Replies):
                return _Result([draft(reply) for reply in made.events])
            return _of_response(made)
        except Exception as error:
            return self._of_error(invocation, error)
        except asyncio.CancelledError as error:
            if delivery.cancelling():
                raise
            return self._failed(invocation, uncancelled(error))
        except BaseException as error:
            failure = contained(error)
            if not isinstance(failure, Exception):
                raise
            return self._failed(invocation, failure)

    def _of_error(self, invocation: Invocation, error: Exception) -> _Result:
        if isinstance(error, RequestError):
            return _Result([], error)
        if isinstance(error, web.HTTPException):
            return _of_response(error)
        if isinstance(error, flask_error_types()):
            return _of_response(flask_response(error, invocation.request))
        return self._failed(invocation, error)

    def _failed(self, invocation: Invocation, error: Exception) -> _Result:
        CURRENT.set(invocation)  # whose ids are logged
        invocation.request[FAILURE] = invocation.failure = error
        return _Result([], self._failure(error))


def _of_response(response: web.StreamResponse) -> _Result:
    """A batch has no room for a response of the function's own, only for what it means."""
    if response.status < 400:
        return _Result([])
    return _Result(
        [], RequestError(response.reason or "the function failed", status=response.status)
    )


def _error(invocations: Sequence[Invocation], outcomes: Sequence[_Result]) -> BatchError:
    """The error that a delivery is answered with."""
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    gravest = max(errors, key=_gravity)
    advice = "send the batch again" if _is_repeated(gravest) else "do not send it again"
    events = [invocation.event for invocation in invocations]
    return BatchError(
        f"{len(errors)} of {len(events)} events failed: {advice}",
        gravest=gravest,
        outcomes=[
            _told(index, event, outcome.error)
            for index, (event, outcome) in enumerate(zip(events, outcomes, strict=True))
        ],
        headers=_retry_after(gravest, errors),
    )


def _is_repeated(error: RequestError) -> bool:
    return error.status >= 500 or error.status in REPEATED


_PATIENT = frozenset({429, 503})


def _gravity(error: RequestError) -> tuple[bool, bool, int]:
    """Repeat beats drop; among the repeated, those whose `Retry-After` is heeded."""
    return _is_repeated(error), error.status in _PATIENT, error.status


def _retry_after(gravest: RequestError, errors: Sequence[RequestError]) -> dict[str, str]:
    """The longest wait that one of them asks for (knative/eventing heeds it on 429 and 503)."""
    waits = [error.headers["Retry-After"] for error in errors if "Retry-After" in error.headers]
    if gravest.status not in _PATIENT or not waits:
        return {}
    return {"Retry-After": max(waits, key=int)}


def _told(index: int, event: Event, error: RequestError | None) -> dict[str, Any]:
    told = {"index": index, "id": event.original["id"]}
    if error is None:
        return {**told, "outcome": "done", "status": 200}
    outcome = "repeat" if _is_repeated(error) else "drop"
    detail = error.detail.encode(errors="replace").decode()
    return {**told, "outcome": outcome, "status": error.status, "detail": detail}
