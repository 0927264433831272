"""The table of what a function may ask for, by a parameter's name or by its annotation.

To add a source, write one row here, one row of the README's table and one test row.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import msgspec
from msgspec.structs import replace
from multidict import istr

from pyfunc.cloudevents import sdk
from pyfunc.cloudevents.data import Payload, media_type
from pyfunc.errors import DataError
from pyfunc.function.annotations import type_name
from pyfunc.function.invocation import Invocation
from pyfunc.request import flask as flaskbridge
from pyfunc.request.view import Request

__all__ = ["SOURCES", "Conversion", "Needs", "Source"]

Read = Callable[[Invocation], Any]

_CONTENT_TYPE = istr("Content-Type")


class Needs(IntEnum):
    """What must be at hand before a source can be read; each includes the one before it."""

    NOTHING = 0
    BODY = 1
    EVENT = 2


class Conversion(IntEnum):
    """What an annotation that names no source may do to the value."""

    NONE = 0
    """Nothing: the value is what it is."""
    PAYLOAD = 1
    """`bytes`, `str` or a type that JSON is decoded into."""
    STRINGS = 2
    """A type whose fields are filled from a multi-dict of strings."""
    DICT = 3
    """A plain `dict`."""


class Source(msgspec.Struct, frozen=True):
    """Something a function may ask for.

    Args:
        name: How it is called in messages and in the README.
        parameters: Parameter names that ask for it.
        types: Annotations that ask for it, by dotted name, so that none is imported for this.
        read: Its value, from an invocation.
        needs: What must be at hand before.
        gives: The value, in words.
        conversion: What another annotation may turn it into.
        accepts: Annotations that say what the value is anyway.
        async_read: Its value for an `async def`, where that is another one.
        async_gives: That value, in words.
        async_needs: What must be at hand before that.
        typed_read: Makes the reader for the annotation, where the value depends on it.
    """

    name: str
    parameters: tuple[str, ...]
    types: tuple[str, ...]
    read: Read
    needs: Needs
    gives: str
    conversion: Conversion = Conversion.NONE
    accepts: tuple[Any, ...] = ()
    async_read: Read | None = None
    async_gives: str = ""
    async_needs: Needs = Needs.NOTHING
    typed_read: Callable[[Any], Read] | None = None

    def as_async(self) -> "Source":
        """The row as an `async def` sees it."""
        if self.async_read is None:
            return self
        return replace(self, read=self.async_read, needs=self.async_needs, gives=self.async_gives)


def _sdk_event(annotation: Any) -> Read:
    """The event as an instance of a class of the CloudEvents SDK."""
    build = sdk.builder(annotation)
    if build is None:
        raise TypeError(f"{annotation!r} is no event class of the CloudEvents SDK")

    def read(invocation: Invocation) -> Any:
        event = invocation.event
        try:
            return build(event.attributes, event.data)
        except ValueError as error:
            raise DataError(f"the event does not fit {type_name(annotation)}") from error

    return read


def _attributes(invocation: Invocation) -> dict[str, Any]:
    return invocation.events[0].original.copy()


def _data(invocation: Invocation) -> Any:
    return invocation.events[0].data


def _view(invocation: Invocation) -> Request:
    return Request(invocation.request, invocation.body)


def _flask_request(invocation: Invocation) -> Any:
    return flaskbridge.flask_request(invocation.request, invocation.body)


def body_payload(invocation: Invocation) -> Payload:
    """The body of the request, to be converted to an annotation."""
    return Payload(invocation.body, media_type(invocation.request.headers.get(_CONTENT_TYPE)))


def event_payload(invocation: Invocation) -> Payload | None:
    """The data of the event, to be converted to an annotation."""
    return invocation.event.payload


SOURCES: tuple[Source, ...] = (
    Source(
        "event",
        ("event",),
        ("pyfunc.cloudevents.event.Event",),
        lambda invocation: invocation.event,
        Needs.EVENT,
        "the event",
    ),
    Source(
        "event",
        (),
        sdk.EVENT_TYPES,
        lambda invocation: invocation.event,
        Needs.EVENT,
        "the event, in the class asked for",
        typed_read=_sdk_event,
    ),
    Source(
        "data",
        ("data", "payload"),
        (),
        _data,
        Needs.EVENT,
        "the event's data",
        Conversion.PAYLOAD,
    ),
    Source(
        "attributes",
        ("attributes",),
        (),
        _attributes,
        Needs.EVENT,
        "the event's attributes, a dict of one's own",
        accepts=(dict,),
    ),
    Source(
        "events",
        ("events",),
        ("list[pyfunc.cloudevents.event.Event]",),
        lambda invocation: list(invocation.events),
        Needs.EVENT,
        "all events of the batch, or a list of one",
        accepts=(list,),
    ),
    Source(
        "request",
        ("req", "request"),
        (),
        _view,
        Needs.BODY,
        "the request, a pyfunc.Request",
        async_read=lambda invocation: invocation.request,
        async_gives="the request, an aiohttp.web.Request",
    ),
    Source(
        "request",
        (),
        ("pyfunc.request.view.Request",),
        _view,
        Needs.BODY,
        "the request, a pyfunc.Request",
    ),
    Source(
        "request",
        (),
        ("aiohttp.web_request.Request", "aiohttp.web_request.BaseRequest"),
        lambda invocation: invocation.request,
        Needs.NOTHING,
        "the request, an aiohttp.web.Request",
    ),
    Source(
        "request",
        (),
        ("flask.wrappers.Request", "werkzeug.wrappers.request.Request"),
        _flask_request,
        Needs.BODY,
        "the request, a flask.Request",
    ),
    Source(
        "body",
        ("body",),
        (),
        lambda invocation: invocation.body,
        Needs.BODY,
        "the body, bytes",
        Conversion.PAYLOAD,
        accepts=(bytes,),
    ),
    Source(
        "headers",
        ("headers",),
        (),
        lambda invocation: invocation.request.headers,
        Needs.NOTHING,
        "the headers, a case-insensitive multi-dict",
        Conversion.DICT,
    ),
    Source(
        "query",
        ("query",),
        (),
        lambda invocation: invocation.request.query,
        Needs.NOTHING,
        "the query, a multi-dict",
        Conversion.STRINGS,
    ),
    Source(
        "method",
        ("method",),
        (),
        lambda invocation: invocation.request.method,
        Needs.NOTHING,
        "the method, such as GET",
        accepts=(str,),
    ),
    Source(
        "path",
        ("path",),
        (),
        lambda invocation: invocation.request.path,
        Needs.NOTHING,
        "the decoded path",
        accepts=(str,),
    ),
    Source(
        "context",
        ("context",),
        ("pyfunc.function.invocation.Context",),
        lambda invocation: invocation.context,
        Needs.NOTHING,
        "this invocation: its id, the time left, a logger",
    ),
)
