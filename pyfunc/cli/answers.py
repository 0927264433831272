"""Describe the response for each return type without calling the function.

The tables have the rules of `pyfunc.invoking.replies` in words, and in the same order. A return
annotation selects its rows.
"""

from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pyfunc.cloudevents import sdk
from pyfunc.function.annotations import type_name
from pyfunc.function.signature import Plan
from pyfunc.settings import Settings

__all__ = ["EVENT_ANSWERS", "HTTP_ANSWERS", "Rule", "answers"]


@dataclass(frozen=True, slots=True)
class Rule:
    """The response for a type of return value.

    Args:
        returned: The type, in words.
        answered: The response, in words.
        matches: Returns true for the types of the rule; generic types come without parameters.
    """

    returned: str
    answered: str
    matches: Callable[[Any], bool]


def _named(*names: str) -> Callable[[Any], bool]:
    """Match types by the dotted names of their bases, without importing them."""

    def matches(kind: Any) -> bool:
        bases = getattr(kind, "__mro__", ())
        return any(f"{base.__module__}.{base.__qualname__}" in names for base in bases)

    return matches


def _one_of(*types: type) -> Callable[[Any], bool]:
    return lambda kind: isinstance(kind, type) and issubclass(kind, types)


def _is_event(kind: Any) -> bool:
    return _named("pyfunc.cloudevents.event.Event")(kind) or sdk.event_type(kind) is not None


_is_response = _named(
    "aiohttp.web_response.StreamResponse", "flask.wrappers.Response", "werkzeug.wrappers.Response"
)


EVENT_ANSWERS = (
    Rule("None", "200, empty", _one_of(NoneType)),
    Rule("an event", "200, that event", _is_event),
    Rule("(attributes, data)", "200, the event of these", _one_of(tuple)),
    Rule("a list of events", "200, a batch; of one, that event", lambda kind: False),
    Rule("a response", "as it is", _is_response),
    Rule("any other value", "200, an event with it as data: {reply}", lambda kind: True),
)
HTTP_ANSWERS = (
    Rule("None", "204", _one_of(NoneType)),
    Rule("str", "text/plain; charset=utf-8", _one_of(str)),
    Rule("bytes", "application/octet-stream", _one_of(bytes, bytearray, memoryview)),
    Rule("(body, status, headers)", "as in Flask", _one_of(tuple)),
    Rule("a generator", "streamed as it comes", _one_of(AsyncIterable, Iterator)),
    Rule("an event", "200, that event", _is_event),
    Rule("a response", "as it is", _is_response),
    Rule("any other value", "200, as JSON", lambda kind: True),
)
_BATCH = EVENT_ANSWERS[3]


def answers(plan: Plan, settings: Settings, source: str) -> list[tuple[str, str]]:
    """List return types and responses: those of the return annotation, else all.

    Args:
        plan: The plan of the function.
        settings: The options, for the type and source of replies.
        source: The default source of replies.
    """
    table = EVENT_ANSWERS if plan.takes_events else HTTP_ANSWERS
    reply = (
        f"type {settings.reply_type or 'TYPE-RECEIVED.reply'},"
        f" source {settings.reply_source or source}"
    )
    rows = _rows(plan, table)
    return [(returned, answered.format(reply=reply)) for returned, answered in rows]


def _rows(plan: Plan, table: tuple[Rule, ...]) -> list[tuple[str, str]]:
    if plan.is_generator:
        return [_yielded(plan)]
    if plan.returns in (..., Any, object):
        return [(rule.returned, rule.answered) for rule in table]
    return [(type_name(kind), _rule(kind, table).answered) for kind in _members(plan.returns)]


def _yielded(plan: Plan) -> tuple[str, str]:
    if plan.takes_events:
        return "each yielded value", "200, an event; several as a batch"
    return "each yielded value", "200, streamed as it comes"


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [member for kind in get_args(annotation) for member in _members(kind)]
    return [NoneType if annotation is None else annotation]


def _rule(kind: Any, table: tuple[Rule, ...]) -> Rule:
    origin = get_origin(kind) or kind
    if table is EVENT_ANSWERS and origin is list and any(map(_is_event, get_args(kind))):
        return _BATCH
    if origin is tuple and not _is_pair(kind, table):
        return table[-1]
    return next(rule for rule in table if rule.matches(origin))


def _is_pair(kind: Any, table: tuple[Rule, ...]) -> bool:
    """Recognize `(attributes, data)` and `(body, status, headers)`; other tuples are values."""
    members = get_args(kind)
    if table is not EVENT_ANSWERS or not members:
        return True
    first = get_origin(members[0]) or members[0]
    return len(members) == 2 and isinstance(first, type) and issubclass(first, Mapping)
