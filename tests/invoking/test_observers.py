"""Observations: how requests and invocations went, for the access log, metrics and traces."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from pyfunc.errors import DeadlineError, InvalidEventError, Reject, Retry
from pyfunc.function.invocation import Invocation
from pyfunc.invoking.observers import OBSERVATION, Call, Observation, observed_work


class Recorder:
    """An observer that keeps the order of what it saw."""

    def __init__(self, name: str, seen: list[tuple[str, str, str]]) -> None:
        self.name = name
        self.seen = seen

    def began(self, observation: Observation, call: Call) -> None:
        self.seen.append((self.name, "began", call.outcome))

    def ended(self, observation: Observation, call: Call) -> None:
        self.seen.append((self.name, "ended", call.outcome))

    def answered(self, observation: Observation) -> None:
        self.seen.append((self.name, "answered", observation.outcome))


def observation() -> Observation:
    request = make_mocked_request("POST", "/", headers={"Content-Length": "5"})
    request[OBSERVATION] = Observation(request)
    return request[OBSERVATION]


def call(observation: Observation) -> Call:
    observation.calls.append(Call(Invocation(observation.request, b"body")))
    return observation.calls[-1]


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        pytest.param(None, 200, "success", id="success"),
        pytest.param(None, 302, "success", id="redirect"),
        pytest.param(None, 404, "rejected", id="status 4xx"),
        pytest.param(None, 500, "failed", id="status 5xx"),
        pytest.param(None, None, "cancelled", id="no response"),
        pytest.param(ValueError(), 500, "failed", id="exception"),
        pytest.param(web.HTTPNotFound(), 404, "rejected", id="HTTP exception"),
        pytest.param(asyncio.CancelledError(), None, "cancelled", id="cancellation"),
        pytest.param(InvalidEventError("no id"), 400, "invalid", id="invalid event"),
        pytest.param(DeadlineError("late"), 504, "timeout", id="time limit"),
        pytest.param(Reject("no"), 422, "rejected", id="Reject"),
        pytest.param(Retry(), 503, "retry", id="Retry"),
    ],
)
def test_the_outcome_is_that_of_the_error_or_of_the_status(
    error: BaseException | None, status: int | None, outcome: str
) -> None:
    observed = observation()
    observed.error = error
    observed.finish(None if status is None else web.Response(status=status))
    assert (observed.outcome, observed.status) == (outcome, status)


def test_a_single_call_has_the_outcome_of_its_request() -> None:
    observed = observation()
    single = call(observed)
    observed.error = error = DeadlineError("late")
    observed.finish(web.Response(status=504))
    assert (single.outcome, single.error) == ("timeout", error)


def test_the_calls_of_a_batch_have_their_own_outcomes() -> None:
    observed = observation()
    good, bad = call(observed), call(observed)
    bad.invocation.failure = failure = ValueError()
    observed.finish(web.Response(status=500))
    assert (good.outcome, good.error) == ("success", None)
    assert (bad.outcome, bad.error) == ("failed", failure)


def test_the_sizes_of_both_bodies_are_known() -> None:
    observed = observation()
    observed.finish(web.Response(body=b"abc"))
    assert (observed.request_bytes, observed.response_bytes) == (5, 3)


def test_a_moment_is_converted_to_the_time_since_the_epoch() -> None:
    observed = observation()
    assert observed.epoch(observed.started) == observed.started_ns
    assert observed.epoch(observed.started + 0.5) - observed.started_ns == pytest.approx(5e8)


def test_without_observers_the_work_is_left_alone() -> None:
    async def work(invocation: Invocation) -> None: ...

    assert observed_work((), work) is work


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        pytest.param(web.Response(), "success", id="response"),
        pytest.param(web.Response(status=404), "rejected", id="response 404"),
        pytest.param(None, "success", id="no response"),
        pytest.param(ValueError(), "failed", id="exception"),
        pytest.param(Reject("no"), "rejected", id="Reject"),
    ],
)
async def test_each_observer_sees_a_call_begin_and_end(result: Any, outcome: str) -> None:
    async def work(invocation: Invocation) -> Any:
        seen.append(("", "work", ""))
        if isinstance(result, Exception):
            raise result
        return result

    seen: list[tuple[str, str, str]] = []
    observed = observation()
    work_ = observed_work([Recorder("a", seen), Recorder("b", seen)], work)
    invocation = Invocation(observed.request, b"")
    if isinstance(result, Exception):
        with pytest.raises(type(result)):
            await work_(invocation)
    else:
        assert await work_(invocation) is result

    began = [("a", "began", "success"), ("b", "began", "success")]
    assert seen == [*began, ("", "work", ""), ("a", "ended", outcome), ("b", "ended", outcome)]
    [single] = observed.calls
    assert single.invocation is invocation
    assert single.seconds >= 0
