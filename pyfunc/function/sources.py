"""The table of sources: what a function may ask for, by a parameter's name or its annotation.

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
    """What must be read before a source has its value; each includes the one before it."""

    NOTHING = 0
    BODY = 1
    EVENT = 2


class Conversion(IntEnum):
    """The conversions to an annotation that names no source."""

    NONE = 0
    """No conversion: the value stays as it is."""
    PAYLOAD = 1
    """To `bytes`, `str` or a type that JSON is decoded into."""
    STRINGS = 2
    """To a type whose fields are filled from a multi-dict of strings."""
    DICT = 3
    """To a plain `dict`."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Something a function may ask for.

    Args:
        name: Its name in messages and in the README.
        parameters: Parameter names that ask for it.
        types: Annotations that ask for it, by dotted name, so that none is imported for this.
        read: Its value, from an invocation.
        needs: What must be read before.
        gives: A description of the value.
        conversion: The conversion to any other annotation.
        accepts: Annotations that describe the unconverted value.
        async_read: Its value for an `async def`, where that is another one.
        async_gives: A description of that value.
        async_needs: What must be read before that.
        typed_read: Makes the reader for the annotation, where the value depends on it.
    """

    name: str
    parameters: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    read: Read
    needs: Needs = Needs.NOTHING
    gives: str
    conversion: Conversion = Conversion.NONE
    accepts: tuple[Any, ...] = ()
    async_read: Read | None = None
    async_gives: str = ""
    async_needs: Needs = Needs.NOTHING
    typed_read: Callable[[Any], Read] | None = None

    def as_async(self) -> "Source":
        """The row for an `async def`."""
        if self.async_read is None:
            return self
        return replace(self, read=self.async_read, needs=self.async_needs, gives=self.async_gives)


def _sdk_event(annotation: Any) -> Read:
    """Make a reader of the event as an instance of a class of the CloudEvents SDK."""
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
    """Return the body of the request, for conversion."""
    return Payload(invocation.body, media_type(invocation.request.headers.get(_CONTENT_TYPE)))


def event_payload(invocation: Invocation) -> Payload | None:
    """Return the data of the event, for conversion."""
    return invocation.event.payload


SOURCES: tuple[Source, ...] = (
    Source(
        name="event",
        parameters=("event",),
        types=("pyfunc.cloudevents.event.Event",),
        read=lambda invocation: invocation.event,
        needs=Needs.EVENT,
        gives="the event",
    ),
    Source(
        name="event",
        types=sdk.EVENT_TYPES,
        read=lambda invocation: invocation.event,
        needs=Needs.EVENT,
        gives="the event, in the class asked for",
        typed_read=_sdk_event,
    ),
    Source(
        name="data",
        parameters=("data", "payload"),
        read=_data,
        needs=Needs.EVENT,
        gives="the event's data",
        conversion=Conversion.PAYLOAD,
    ),
    Source(
        name="attributes",
        parameters=("attributes",),
        read=_attributes,
        needs=Needs.EVENT,
        gives="the event's attributes, a dict of one's own",
        accepts=(dict,),
    ),
    Source(
        name="events",
        parameters=("events",),
        types=("list[pyfunc.cloudevents.event.Event]",),
        read=lambda invocation: list(invocation.events),
        needs=Needs.EVENT,
        gives="all events of the batch, or a list of one",
        accepts=(list,),
    ),
    Source(
        name="request",
        parameters=("req", "request"),
        read=_view,
        needs=Needs.BODY,
        gives="the request, a pyfunc.Request",
        async_read=lambda invocation: invocation.request,
        async_gives="the request, an aiohttp.web.Request",
    ),
    Source(
        name="request",
        types=("pyfunc.request.view.Request",),
        read=_view,
        needs=Needs.BODY,
        gives="the request, a pyfunc.Request",
    ),
    Source(
        name="request",
        types=("aiohttp.web_request.Request", "aiohttp.web_request.BaseRequest"),
        read=lambda invocation: invocation.request,
        gives="the request, an aiohttp.web.Request",
    ),
    Source(
        name="request",
        types=("flask.wrappers.Request", "werkzeug.wrappers.request.Request"),
        read=_flask_request,
        needs=Needs.BODY,
        gives="the request, a flask.Request",
    ),
    Source(
        name="body",
        parameters=("body",),
        read=lambda invocation: invocation.body,
        needs=Needs.BODY,
        gives="the body, bytes",
        conversion=Conversion.PAYLOAD,
        accepts=(bytes,),
    ),
    Source(
        name="headers",
        parameters=("headers",),
        read=lambda invocation: invocation.request.headers,
        gives="the headers, a case-insensitive multi-dict",
        conversion=Conversion.DICT,
    ),
    Source(
        name="query",
        parameters=("query",),
        read=lambda invocation: invocation.request.query,
        gives="the query, a multi-dict",
        conversion=Conversion.STRINGS,
    ),
    Source(
        name="method",
        parameters=("method",),
        read=lambda invocation: invocation.request.method,
        gives="the method, such as GET",
        accepts=(str,),
    ),
    Source(
        name="path",
        parameters=("path",),
        read=lambda invocation: invocation.request.path or "/",  # empty after a bare host
        gives="the decoded path",
        accepts=(str,),
    ),
    Source(
        name="context",
        parameters=("context",),
        types=("pyfunc.function.invocation.Context",),
        read=lambda invocation: invocation.context,
        gives="this invocation: its id, the time left, a logger",
    ),
)
