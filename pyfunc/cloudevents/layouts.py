"""What the names of headers, or of attributes, settle by themselves: found out once for each set.

Senders use the same names again and again, and so do functions in their replies. Which header
carries which attribute, whether all that must be there are, and what the lines of a reply look
like is kept from event to event; only values are looked at each time. Names with anything to
complain of have no layout: whoever has to tell what is wrong with them looks at each.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from pyfunc.cloudevents.attributes import FORMATS, are_bare, are_complete, are_names, is_timestamp
from pyfunc.cloudevents.data import MediaType, media_type, valid_media

__all__ = [
    "CONTENT_TYPE",
    "Received",
    "Sent",
    "Usual",
    "attribute_of",
    "good_media",
    "media_of",
    "media_of_each",
    "received",
    "usual",
]

CONTENT_TYPE = "Content-Type"  # no attribute has capitals
# The Content-Type is the one place for it in binary mode (HTTP binding, section 3.1.1).
_NO_ATTRIBUTES = (None, CONTENT_TYPE, "datacontenttype")
_LONG = 2048  # characters; a longer list of names must not stay behind in a cache
_KEPT = 256  # layouts
_TOGETHER = 16  # events; more would have to be looked at one by one as soon as values are long
_UNSTATED = media_type(None)
_TEXT = frozenset({str})

Made = TypeVar("Made")

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


Usual = tuple[Sent, tuple[str, ...], MediaType]
"""Attributes like nearly all, good as they stand: their layout, the values that it has places for,
and what `datacontenttype` says."""


@lru_cache(maxsize=1024)  # names of headers; there are few
def attribute_of(header: str) -> str | None:
    """The name of the attribute that a header carries, `CONTENT_TYPE`, or `None`."""
    name = header.lower()
    if name == "content-type":
        return CONTENT_TYPE
    return name[3:] if name.startswith("ce-") else None


def received(headers: Collection[str]) -> Received | None:
    """The layout of headers with these names; `None` where there is none."""
    names = tuple(headers)  # in which a header that came twice is once
    return _RECEIVED[names] if len(names) == len(headers) else None


def usual(attributes: dict[str, Any]) -> Usual | None:
    """What is known of attributes, if each is good as it stands; `None` where one is not."""
    layout = _SENT[tuple(attributes)]
    if layout is None:
        return None
    values = layout.pick(attributes)
    media = good_media(layout, attributes) if are_bare(values) else None
    return None if media is None else (layout, values, media)


def media_of(attributes: dict[str, Any]) -> MediaType | None:
    """What the content type says, if the attributes are good as they stand; else `None`."""
    found = usual(attributes)
    return None if found is None else found[2]


def media_of_each(several: Iterable[dict[str, Any]]) -> list[MediaType | None]:
    """As `media_of`, for events that come together.

    They nearly always have the same names, version and content type, and are looked at together,
    some at a time.
    """
    found: list[MediaType | None] = []
    for names, alike in groupby(several, tuple):
        layout = _SENT[names]
        while group := list(islice(alike, _TOGETHER)):
            shared = None if layout is None else _shared_media(layout, group)
            found += map(media_of, group) if shared is None else [shared] * len(group)
    return found


def _shared_media(layout: Sent, group: Sequence[dict[str, Any]]) -> MediaType | None:
    """What the content type of all of them says, if they agree, and all that they say is good."""
    if not are_bare(list(chain.from_iterable(map(layout.pick, group)))):
        return None
    if _said(group, "specversion") != {"1.0"}:
        return None
    for name, is_good in layout.formats:
        if not all(map(is_good, _said(group, name))):
            return None
    if "datacontenttype" not in group[0]:
        return _UNSTATED
    said = list(map(itemgetter("datacontenttype"), group))
    are_alike = _TEXT.issuperset(map(type, said)) and said.count(said[0]) == len(said)
    return valid_media(said[0]) if are_alike else None


def _said(group: Sequence[dict[str, str]], name: str) -> set[str]:
    """The different values of an attribute that all of them have, as a text."""
    return set(map(itemgetter(name), group))


def good_media(layout: Received | Sent, attributes: dict[str, Any]) -> MediaType | None:
    """What `datacontenttype` says, if nothing is wrong with it or with the texts that are bare."""
    if attributes["specversion"] != "1.0":
        return None
    for name, is_good in layout.formats:
        if not is_good(attributes[name]):
            return None
    content_type = attributes.get("datacontenttype")
    return _UNSTATED if content_type is None else valid_media(content_type)


def _received(headers: tuple[str, ...]) -> Received | None:
    carried = [attribute_of(header) for header in headers]
    places = {name: at for at, name in enumerate(carried) if name not in _NO_ATTRIBUTES}
    names = tuple(str(name) for name in carried if name not in _NO_ATTRIBUTES)
    is_clear = len(names) == len(places) and carried.count(CONTENT_TYPE) == 1
    if not (is_clear and are_complete(names) and are_names(names)):
        return None
    content_type = carried.index(CONTENT_TYPE)
    return Received(names, itemgetter(*places.values()), content_type, _formats(names))


def _sent(names: tuple[str, ...]) -> Sent | None:
    if not (are_complete(names) and are_names(names)):
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


class _Layouts(dict[tuple[str, ...], Made | None]):
    """The layouts of names, each made when it is first asked for."""

    def __init__(self, make: Callable[[tuple[str, ...]], Made | None]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, names: tuple[str, ...]) -> Made | None:
        try:
            is_long = sum(map(len, names)) > _LONG
        except TypeError:
            return None  # names are text
        if is_long:
            return None
        if len(self) == _KEPT:
            self.clear()
        self[names] = made = self._make(names)
        return made


_RECEIVED = _Layouts(_received)
_SENT = _Layouts(_sent)
