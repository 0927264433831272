"""Event replies: turn what an event function returned into reply events, and those into a response.

An event function answers with a valid event or with nothing, by construction: a Knative broker
counts a 2xx with any other body as a failed delivery, and repeats it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict, istr

from pyfunc.cloudevents.canonical import new_id, now
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import (
    ContentMode,
    batch,
    content_mode,
    decode,
    encode_lines,
)
from pyfunc.cloudevents.json_format import Draft, draft
from pyfunc.cloudevents.sdk import http_message, is_http_message
from pyfunc.errors import MalformedBodyError, ReplyError, RequestError
from pyfunc.invoking.results import check_own, flask_response, sdk_event
from pyfunc.invoking.wire import WholeResponse, header_lines
from pyfunc.request.flask import flask_answer_types

__all__ = ["EventReplies", "Replies"]

logger = logging.getLogger("pyfunc")


class Replies(msgspec.Struct):  # which is made in half the time of other classes
    """The events that answer an invocation."""

    events: list[Event]
    is_list: bool
    """Whether the function made a list of them."""


_NONE = Replies([], False)


class EventReplies:
    """What an event function returned, as reply events and as a response.

    Args:
        mode: `auto`, `binary` or `structured`.
        type: The type of replies that name none; `None` for the received one with `.reply`.
        source: The source of replies that name none.
        whole: The class of whole responses.
    """

    def __init__(
        self, mode: str, type: str | None, source: str, whole: type[WholeResponse]
    ) -> None:
        self._whole = whole
        self.mode = None if mode == "auto" else ContentMode(mode)
        self.type = type
        self.source = source
        self._warned: set[str] = set()
        self._told_unread = False

    def made(
        self, result: Any, received: Sequence[Event], request: web.Request
    ) -> Replies | web.StreamResponse:
        """The events that answer `received`; or a response, where the function made one.

        Raises:
            ReplyError: It is nothing that an event can carry.
        """
        if result is None:
            return _NONE
        if type(result) is tuple:  # as most results are
            replies = Replies(_pair(result) or [Event.unchecked({}, result)], False)
        elif isinstance(result, web.StreamResponse):
            check_own(result, request)
            return result
        elif isinstance(result, flask_answer_types()):
            return flask_response(result, request)
        else:
            replies = _made(result)
        for event in replies.events:
            self._complete(event, received)
        return replies

    def made_of_each(
        self, results: Iterable[Any], received: Sequence[Event], request: web.Request
    ) -> Replies | web.StreamResponse:
        """The events that a generator produced; one alone goes out as it would if returned.

        Raises:
            ReplyError: It is nothing that an event can carry.
        """
        events: list[Event] = []
        for result in results:
            made = self.made(result, received, request)
            if isinstance(made, web.StreamResponse):
                return made
            events += made.events
        return Replies(events, len(events) > 1)

    def _complete(self, event: Event, received: Sequence[Event]) -> None:
        """Fill in what a reply must have (CloudEvents 1.0, "Required Attributes")."""
        attributes = event.attributes
        given = attributes.get
        id, source = given("id"), given("source") or self.source
        asked, is_same = received[0], False
        for one in received:
            original = one.original
            if original["id"] == id and original["source"] == source:
                asked, is_same = one, attributes == original and _has_same_data(event, one)
                if not is_same:
                    id = None  # with the source it says which event this is: another one (M42)
                break
        if not event.has_data and asked.has_data and asked.data is None:
            event.has_data = True  # an explicit null stays one
        attributes["source"] = source
        attributes["id"] = new_id() if id is None else id
        asked_type = asked.original["type"]
        if given("type") is None:
            attributes["type"] = self.type or f"{asked_type}.reply"
        if given("specversion") is None:
            attributes["specversion"] = "1.0"
        if given("time") is None and not is_same:
            attributes["time"] = now()
        if attributes["type"] == asked_type:
            self._warn_of_loop(asked_type)

    def _warn_of_loop(self, type: str) -> None:
        is_told = type in self._warned or len(self._warned) >= _WARNINGS
        if not is_told and len(type) <= _USUAL_TYPE:
            self._warned.add(type)
            logger.warning(
                "the reply has the type %r that was received: behind a broker whose trigger takes"
                " that type it comes back for ever; give replies a type of their own",
                type,
            )

    def response(self, events: list[Event], request: web.Request, is_batch: bool) -> WholeResponse:
        """The response that carries these events; empty where there are none.

        Args:
            events: The replies.
            request: The request that they answer.
            is_batch: Whether they go out in batched mode, one alone too.

        Raises:
            ReplyError: One of them is not valid.
        """
        if is_batch:
            return self.batch(list(map(draft, events)), request)
        if not events:
            return self._whole("", b"")
        lines, body = encode_lines(events[0], self.mode)
        return self._whole(lines, body) if self._is_wanted(request) else self._whole("", b"")

    def batch(self, drafts: list[Draft], request: web.Request) -> WholeResponse:
        """The response that carries the events of drafts; empty where there are none.

        Raises:
            ReplyError: One of them is not valid.
        """
        if not drafts:
            return self._whole("", b"")
        message = batch(drafts)
        if not self._is_wanted(request):
            return self._whole("", b"")
        return self._whole(header_lines(message.headers), message.body)

    def _is_wanted(self, request: web.Request) -> bool:
        """Whether the sender takes a reply, as far as it says so (RFC 7240).

        Knative's senders that read replies say `Prefer: reply`; others need not read one, and count
        the event as accepted all the same (eventing data plane, "Derived (Reply) Events").
        """
        said = request.headers.get(_PREFER)
        if said is not None and "reply" in (preferences := _preferences(said)):
            return True
        if not self._told_unread:
            self._told_unread = True
            logger.debug(
                "a reply for a sender that does not say `Prefer: reply`: it may not read it"
                " (told once)"
            )
        return said is None or "return=minimal" not in preferences


# Types are the senders' to choose: how many are kept, and how long they may be.
_WARNINGS = 100
_USUAL_TYPE = 256
_PREFER = istr("Prefer")


@lru_cache(maxsize=64)
def _preferences(said: str) -> frozenset[str]:
    """The preferences of a `Prefer` header, without their parameters (RFC 7240, section 2)."""
    single = (part.partition(";")[0] for part in said.lower().split(","))
    return frozenset(text.replace(" ", "").replace('"', "") for text in single)


def _made(result: Any) -> Replies:
    """The events that a function made, or one that carries what it made."""
    if type(result) is list:
        several = [_single(item) for item in result]
        if None not in several:
            return Replies([event for events in several for event in events or ()], True)
    return Replies(_single(result) or [Event.unchecked({}, result)], False)


def _single(result: Any) -> list[Event] | None:
    """A result that is an event, or a message that carries some; `None` for anything else."""
    if type(result) is tuple:
        return _pair(result)
    if isinstance(result, Event):
        return [result]
    if (message := http_message(result)) is not None:
        return _decoded(*message)
    event = sdk_event(result)
    return None if event is None else [event]


def _pair(result: tuple[Any, ...]) -> list[Event] | None:
    """`(attributes, data)`, or `(headers, body)` of a message."""
    if len(result) != 2:
        return None
    attributes, data = result
    if type(attributes) is not dict and not isinstance(attributes, Mapping):
        return None
    is_message = "type" not in attributes and is_http_message(attributes)  # no header is called so
    if is_message and (message := http_message(result)) is not None:
        return _decoded(*message)
    return [Event.unchecked(dict(attributes), data)]


def _decoded(headers: dict[str, str], body: bytes) -> list[Event]:
    """Events that the function has encoded by the SDK's means, looked at like any other."""
    try:
        named = CIMultiDict(headers)
        return decode(content_mode(named) or ContentMode.BINARY, named, body)
    except RequestError as error:
        raise ReplyError(f"the encoded event that was returned: {error}") from None


def _has_same_data(event: Event, received: Event) -> bool:
    """Whether it has the data that was received, also where the function changed that in place."""
    payload, data = received.payload, event.data
    if payload is None:
        return data is None
    try:
        if isinstance(data, bytes) and data == payload.data_octets():
            return True
        return bool(data == payload.value())
    except MalformedBodyError:  # the function took the octets as they were, and no others
        return False
