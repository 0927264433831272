"""The verdict of a Knative broker on an answer, from one table, for people and tests.

Sources: Knative's eventing data plane contract ("Event Acknowledgement and Delivery Retry",
"Derived (Reply) Events") and what its brokers do where the contract is silent: a 2xx with a body
that is no event is a failed delivery, and so is a batch (knative/eventing, the broker's filter),
408 is repeated too (pkg/kncloudevents, `SelectiveRetry`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from time import time

from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode, content_mode, decode
from pyfunc.errors import PyFuncError

__all__ = ["Action", "Verdict", "judge", "reply_events"]


class Action(StrEnum):
    """The next step for the delivered event."""

    ACKNOWLEDGE = "acknowledge"
    """The event is done; there is no reply."""
    FORWARD = "forward"
    """The event is done; the reply is delivered to its subscribers."""
    RETRY = "retry"
    """The event is delivered again."""
    DEAD_LETTER = "dead-letter"
    """The event is not delivered again; a dead letter sink, if configured, gets it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a Knative broker on one answer."""

    action: Action
    reason: str
    """The part of the answer that decided it."""
    retry_after: float | None = None
    """Seconds to wait before the event is repeated, if the answer has `Retry-After`."""
    of_batch: bool = False
    """The request was a batch, which brokers never send."""

    @property
    def ok(self) -> bool:
        """The event counts as delivered."""
        return self.action in (Action.ACKNOWLEDGE, Action.FORWARD)

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        return f"{self._sender} would {_WORDS[self.action]}{self._when()}: {self.reason}."

    @property
    def _sender(self) -> str:
        if self.of_batch:
            return "A sender of batches, which no Knative broker is,"
        return "A Knative broker"

    def _when(self) -> str:
        if self.action is not Action.RETRY:
            return ""
        if self.retry_after is None:
            return " after the back-off of its delivery spec"
        return f" after {self.retry_after:g} seconds (Retry-After, up to its retryAfterMax)"

    def __str__(self) -> str:
        return self.sentence


_WORDS: Mapping[Action, str] = {
    Action.ACKNOWLEDGE: "acknowledge the event",
    Action.FORWARD: "acknowledge the event and forward the reply",
    Action.RETRY: "repeat the event",
    Action.DEAD_LETTER: "not repeat the event but hand it to the dead letter sink",
}

# Statuses with an entry of their own, then their hundreds.
_STATUSES: Mapping[int, tuple[Action, str]] = {
    400: (Action.DEAD_LETTER, "400 says that the event is not valid"),
    404: (Action.RETRY, "404 may be a receiver that is not up yet"),
    408: (Action.RETRY, "408 is a time limit"),
    409: (Action.RETRY, "409 says that the event is being worked on"),
    413: (Action.DEAD_LETTER, "413 says that the event is too large"),
    415: (Action.DEAD_LETTER, "415 says that the event format is not spoken"),
    422: (Action.DEAD_LETTER, "422 says that the event is refused"),
    429: (Action.RETRY, "429 says that there is too much at once"),
    500: (Action.RETRY, "500 says that the function failed"),
    503: (Action.RETRY, "503 says that there is no place now"),
    504: (Action.RETRY, "504 says that the function took too long"),
}
_HUNDREDS: Mapping[int, tuple[Action, str]] = {
    1: (Action.DEAD_LETTER, "{status} is no answer to an event"),
    3: (Action.DEAD_LETTER, "{status} is no answer to an event"),
    4: (Action.DEAD_LETTER, "{status} is an error that is not repeated"),
    5: (Action.RETRY, "{status} is an error of the receiver"),
}
_NEITHER = (Action.RETRY, "{status} is unknown")
# The only statuses whose Retry-After brokers respect (DeliverySpec, "retryAfterMax").
_WITH_RETRY_AFTER = (429, 503)


def judge(status: int, headers: Mapping[str, str], body: bytes, of_batch: bool = False) -> Verdict:
    """Judge an answer as a Knative broker does.

    Args:
        status: The HTTP status of the answer.
        headers: Its headers, a case-insensitive mapping.
        body: Its whole body.
        of_batch: The request was a batch of events.
    """
    if 200 <= status < 300:
        return Verdict(*_accepted(status, headers, body, of_batch), of_batch=of_batch)
    action, reason = _STATUSES.get(status) or _HUNDREDS.get(status // 100, _NEITHER)
    wait = _retry_after(headers) if status in _WITH_RETRY_AFTER else None
    return Verdict(action, reason.format(status=status), wait, of_batch)


def _accepted(
    status: int, headers: Mapping[str, str], body: bytes, of_batch: bool
) -> tuple[Action, str]:
    try:
        mode = content_mode(headers)
        events = reply_events(headers, body)
    except PyFuncError as error:
        return Action.RETRY, f"the reply is no valid event ({error})"
    if mode is ContentMode.BATCHED and not of_batch:
        return Action.RETRY, "the reply is a batch, and a broker takes one event at most"
    if not events and body and mode is not ContentMode.BATCHED:
        return Action.RETRY, f"{status} with a body that is no event is a failed delivery"
    if not events:
        return Action.ACKNOWLEDGE, f"{status} and no event"
    if status == 202:
        return Action.ACKNOWLEDGE, "202 is no reply, so the event in the answer is dropped"
    types = ", ".join(dict.fromkeys(event.type for event in events))
    return Action.FORWARD, f"{status} with an event of type {types}"


def reply_events(headers: Mapping[str, str], body: bytes) -> Sequence[Event]:
    """Decode the events of an answer; none where its headers are not those of an event.

    Raises:
        RequestError: The event is not valid.
    """
    mode = content_mode(headers)
    if mode is None:
        return ()
    events = decode(mode, headers, body)
    for event in events:
        event.data  # noqa: B018 - data that is not what its type says is a fault too
    return events


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, from a number or a date (RFC 9110, section 10.2.3)."""
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, round(parsedate_to_datetime(text).timestamp() - time()))
    except (ValueError, OverflowError):
        return None
