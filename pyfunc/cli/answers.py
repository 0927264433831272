"""What an answer will be, told before there is one: the rules of `replies` in words.

`EVENT_ANSWERS` and `HTTP_ANSWERS` are in the order in which a value is looked at; a return
annotation picks its rows.
"""

from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pyfunc.cloudevents import sdk
from pyfunc.function.annotations import type_name
from pyfunc.function.signature import Plan
from pyfunc.settings import Settings

__all__ = ["EVENT_ANSWERS", "HTTP_ANSWERS", "Answer", "answers"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: what is returned, and what is answered then."""

    returned: str
    answered: str
    fits: Callable[[Any], bool]
    """Whether a type, without its parameters, is of this row."""


def _named(*names: str) -> Callable[[Any], bool]:
    """By dotted name, along the bases, so that nothing is imported for this."""

    def fits(kind: Any) -> bool:
        bases = getattr(kind, "__mro__", ())
        return any(f"{base.__module__}.{base.__qualname__}" in names for base in bases)

    return fits


def _one_of(*types: type) -> Callable[[Any], bool]:
    return lambda kind: isinstance(kind, type) and issubclass(kind, types)


def _is_event(kind: Any) -> bool:
    return _named("pyfunc.cloudevents.event.Event")(kind) or sdk.event_type(kind) is not None


_is_response = _named(
    "aiohttp.web_response.StreamResponse", "flask.wrappers.Response", "werkzeug.wrappers.Response"
)


EVENT_ANSWERS = (
    Answer("None", "200, empty", _one_of(NoneType)),
    Answer("an event", "200, that event", _is_event),
    Answer("(attributes, data)", "200, the event of these", _one_of(tuple)),
    Answer("a list of events", "200, a batch; of one, that event", lambda kind: False),
    Answer("a response", "as it is", _is_response),
    Answer("any other value", "200, an event with it as data: {reply}", lambda kind: True),
)
HTTP_ANSWERS = (
    Answer("None", "204", _one_of(NoneType)),
    Answer("str", "text/plain; charset=utf-8", _one_of(str)),
    Answer("bytes", "application/octet-stream", _one_of(bytes, bytearray, memoryview)),
    Answer("(body, status, headers)", "as in Flask", _one_of(tuple)),
    Answer("a generator", "streamed as it comes", _one_of(AsyncIterable, Iterator)),
    Answer("an event", "200, that event", _is_event),
    Answer("a response", "as it is", _is_response),
    Answer("any other value", "200, as JSON", lambda kind: True),
)
_BATCH = EVENT_ANSWERS[3]


def answers(plan: Plan, settings: Settings, source: str) -> list[tuple[str, str]]:
    """What is returned, and what is answered: for the return annotation, or for everything.

    Args:
        plan: The function's plan.
        settings: The options, for the type and source of replies.
        source: The source of replies where no option says it.
    """
    table = EVENT_ANSWERS if plan.takes_events else HTTP_ANSWERS
    reply = (
        f"type {settings.reply_type or 'TYPE-RECEIVED.reply'},"
        f" source {settings.reply_source or source}"
    )
    rows = _rows(plan, table)
    return [(returned, answered.format(reply=reply)) for returned, answered in rows]


def _rows(plan: Plan, table: tuple[Answer, ...]) -> list[tuple[str, str]]:
    if plan.is_generator:
        return [_streamed(plan)]
    if plan.returns in (..., Any, object):
        return [(row.returned, row.answered) for row in table]
    return [(type_name(kind), _row(kind, table).answered) for kind in _members(plan.returns)]


def _streamed(plan: Plan) -> tuple[str, str]:
    if plan.takes_events:
        return "what is yielded", "200, each an event; more than one as a batch"
    return "what is yielded", "200, streamed as it comes"


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [member for kind in get_args(annotation) for member in _members(kind)]
    return [NoneType if annotation is None else annotation]


def _row(kind: Any, table: tuple[Answer, ...]) -> Answer:
    origin = get_origin(kind) or kind
    if table is EVENT_ANSWERS and origin is list and any(map(_is_event, get_args(kind))):
        return _BATCH
    if origin is tuple and not _is_pair(kind, table):
        return table[-1]
    return next(row for row in table if row.fits(origin))


def _is_pair(kind: Any, table: tuple[Answer, ...]) -> bool:
    """Whether a tuple is one that has a meaning; any other one is a value."""
    members = get_args(kind)
    if table is not EVENT_ANSWERS or not members:
        return True
    first = get_origin(members[0]) or members[0]
    return len(members) == 2 and isinstance(first, type) and issubclass(first, Mapping)
