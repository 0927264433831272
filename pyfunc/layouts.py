"""What the names of headers, or of attributes, settle by themselves: found out once for each set.

Senders use the same names again and again, and so do functions in their replies. Which header
carries which attribute, whether all that must be there are, and what the lines of a reply look
like is kept from event to event; only values are looked at each time. Names with anything to
complain of have no layout: whoever has to tell what is wrong with them looks at each.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from pyfunc.attributes import FORMATS, are_bare, are_complete, are_names, is_timestamp
from pyfunc.payload import MediaType, media_type, valid_media

__all__ = ["CONTENT_TYPE", "Received", "Sent", "Usual", "attribute_of", "received", "sent", "usual"]

CONTENT_TYPE = "Content-Type"  # no attribute has capitals
# The Content-Type is the one place for it in binary mode (HTTP binding, section 3.1.1).
_NO_ATTRIBUTES = (None, CONTENT_TYPE, "datacontenttype")
_LONG = 2048  # characters; a longer list of names must not stay behind in a cache
_UNSTATED = media_type(None)

Pick = Callable[[Sequence[Any]], tuple[Any, ...]]
Formats = tuple[tuple[str, Callable[[Any], bool]], ...]


class Received(msgspec.Struct, frozen=True):
    """The headers of an event in binary mode."""

    names: tuple[str, ...]
    """The attributes that have a header of their own."""
    pick: Pick
    """Their values, from those of all headers."""
    content_type: int
    """Which header is the `Content-Type`."""
    formats: Formats
    """Those that have a format, but for the version and the media type."""


class Sent(msgspec.Struct, frozen=True):
    """The attributes of an event that is sent in binary mode."""

    lines: str
    """The header lines, with `%s` in the place of each value."""
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    """The values that belong there, from the attributes."""
    formats: Formats
    """Those that have a format, but for the version and the media type."""


class Usual(NamedTuple):
    """Attributes like nearly all: as they stand, nothing is to be changed or told."""

    layout: Sent
    values: tuple[str, ...]
    """The values that the layout has places for."""
    media: MediaType
    """What `datacontenttype` says."""


@lru_cache(maxsize=1024)  # names of headers; there are few
def attribute_of(header: str) -> str | None:
    """The name of the attribute that a header carries, `CONTENT_TYPE`, or `None`."""
    name = header.lower()
    if name == "content-type":
        return CONTENT_TYPE
    return name[3:] if name.startswith("ce-") else None


def received(headers: Collection[str]) -> Received | None:
    """The layout of headers with these names; `None` where there is none."""
    joined = "\n".join(headers)
    return _received(joined, len(headers)) if len(joined) <= _LONG else None


def sent(attributes: Collection[str]) -> Sent | None:
    """The layout of attributes with these names; `None` where there is none."""
    try:
        joined = "\n".join(attributes)
    except TypeError:
        return None  # names are text
    return _sent(joined, len(attributes)) if len(joined) <= _LONG else None


def usual(attributes: dict[str, Any]) -> Usual | None:
    """What is known of attributes, if each is good as it stands; `None` where one is not."""
    layout = sent(attributes)
    if layout is None or attributes["specversion"] != "1.0":
        return None
    values = layout.pick(attributes)
    if not are_bare(values):
        return None
    content_type = attributes.get("datacontenttype")
    media = _UNSTATED if content_type is None else valid_media(content_type)
    if media is None:
        return None
    for name, is_good in layout.formats:
        if not is_good(attributes[name]):
            return None
    return Usual(layout, values, media)


@lru_cache(maxsize=256)
def _received(joined: str, count: int) -> Received | None:
    carried = [attribute_of(header) for header in joined.split("\n")]
    places = {name: at for at, name in enumerate(carried) if name not in _NO_ATTRIBUTES}
    names = tuple(str(name) for name in carried if name not in _NO_ATTRIBUTES)
    # A function's own headers may have names with a line break.
    is_clear = (
        len(carried) == count and len(names) == len(places) and carried.count(CONTENT_TYPE) == 1
    )
    if not (is_clear and are_complete(names) and are_names(names)):
        return None
    content_type = carried.index(CONTENT_TYPE)
    return Received(names, itemgetter(*places.values()), content_type, _formats(names))


@lru_cache(maxsize=256)
def _sent(joined: str, count: int) -> Sent | None:
    names = joined.split("\n")
    if len(names) != count or not (are_complete(names) and are_names(names)):
        return None
    placed = [name for name in names if name != "datacontenttype"]
    lines = "".join(f"ce-{name}: %s\r\n" for name in placed)
    return Sent(lines, itemgetter(*placed), _formats(names))


def _formats(names: Collection[str]) -> Formats:
    """What tells whether values are good, but for those that decide more than that."""
    return tuple(
        (name, is_timestamp if name == "time" else is_good)  # bare texts are not too long
        for name, is_good, _ in FORMATS
        if name in names and name not in ("specversion", "datacontenttype")
    )
