"""Layouts of headers and attributes, cached by the tuple of their names.

Senders use the same names again and again, and so do functions in their replies. A layout holds
all that follows from the names: which header carries which attribute, that none is missing, the
lines of a reply; only values are checked for each event. Without layouts an event takes a third
more CPU time. Names with a fault have no layout: `attributes.check` reports on each of them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from pyfunc.cloudevents.attributes import (
    FORMATS,
    are_complete,
    are_names,
    are_verbatim,
    is_timestamp,
)
from pyfunc.cloudevents.data import MediaType, media_type, valid_media

__all__ = [
    "CONTENT_TYPE",
    "Decoding",
    "Encoding",
    "Verbatim",
    "attribute_of",
    "checked_media",
    "decoding_layout",
    "media_of",
    "media_of_each",
    "verbatim",
]

CONTENT_TYPE = "Content-Type"  # no attribute has capitals
# The Content-Type is the one place for it in binary mode (HTTP binding, section 3.1.1).
_NO_ATTRIBUTES = (None, CONTENT_TYPE, "datacontenttype")
_LONG = 2048  # characters; a longer list of names must not stay behind in a cache
_KEPT = 256  # layouts
_TOGETHER = 16  # events; more would have to be looked at one by one as soon as values are long
_UNSTATED = media_type(None)
_TEXT = frozenset({str})

Layout = TypeVar("Layout")

Pick = Callable[[Sequence[Any]], tuple[Any, ...]]
Formats = tuple[tuple[str, Callable[[Any], bool]], ...]


class Decoding(msgspec.Struct, frozen=True):
    """The layout of the headers of an event in binary mode."""

    names: tuple[str, ...]
    """The attributes that have a header of their own."""
    pick: Pick
    """Get their values from those of all headers."""
    content_type: int
    """The index of the header `Content-Type`."""
    formats: Formats
    """The checks of values that have a format, except `specversion` and `datacontenttype`."""


class Encoding(msgspec.Struct, frozen=True):
    """The layout of the attributes of an event to be sent in binary mode."""

    lines: str
    """The header lines, with `%s` in the place of each value."""
    pick: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    """Get those values from the attributes."""
    formats: Formats
    """The checks of values that have a format, except `specversion` and `datacontenttype`."""


Verbatim = tuple[Encoding, tuple[str, ...], MediaType]
"""Valid attributes that go into headers verbatim: the layout, its values, and the media type."""


@lru_cache(maxsize=1024)  # names of headers; there are few
def attribute_of(header: str) -> str | None:
    """The name of the attribute that a header carries, `CONTENT_TYPE`, or `None`."""
    name = header.lower()
    if name == "content-type":
        return CONTENT_TYPE
    return name[3:] if name.startswith("ce-") else None


def decoding_layout(headers: Collection[str]) -> Decoding | None:
    """The layout of headers with these names; `None` if they have a fault."""
    names = tuple(headers)  # in which a header that came twice is once
    return _DECODING[names] if len(names) == len(headers) else None


def verbatim(attributes: dict[str, Any]) -> Verbatim | None:
    """Check attributes against their layout; `None` if one needs encoding or has a fault."""
    layout = _ENCODING[tuple(attributes)]
    if layout is None:
        return None
    values = layout.pick(attributes)
    media = checked_media(layout, attributes) if are_verbatim(values) else None
    return None if media is None else (layout, values, media)


def media_of(attributes: dict[str, Any]) -> MediaType | None:
    """The media type of verbatim attributes; `None` for any others."""
    prepared = verbatim(attributes)
    return None if prepared is None else prepared[2]


def media_of_each(several: Iterable[dict[str, Any]]) -> list[MediaType | None]:
    """`media_of` for each event of a batch.

    They nearly always share names, version and content type, and are checked in groups.
    """
    medias: list[MediaType | None] = []
    for names, alike in groupby(several, tuple):
        layout = _ENCODING[names]
        while group := list(islice(alike, _TOGETHER)):
            shared = None if layout is None else _shared_media(layout, group)
            medias += map(media_of, group) if shared is None else [shared] * len(group)
    return medias


def _shared_media(layout: Encoding, group: Sequence[dict[str, Any]]) -> MediaType | None:
    """The media type of a group, if its events agree on it and all are verbatim."""
    if not are_verbatim(list(chain.from_iterable(map(layout.pick, group)))):
        return None
    if _values(group, "specversion") != {"1.0"}:
        return None
    for name, is_good in layout.formats:
        if not all(map(is_good, _values(group, name))):
            return None
    if "datacontenttype" not in group[0]:
        return _UNSTATED
    types = list(map(itemgetter("datacontenttype"), group))
    are_alike = _TEXT.issuperset(map(type, types)) and types.count(types[0]) == len(types)
    return valid_media(types[0]) if are_alike else None


def _values(group: Sequence[dict[str, str]], name: str) -> set[str]:
    """The different values of an attribute that all events of the group have."""
    return set(map(itemgetter(name), group))


def checked_media(layout: Decoding | Encoding, attributes: dict[str, Any]) -> MediaType | None:
    """The media type of attributes with verbatim values; `None` if a format is not met."""
    if attributes["specversion"] != "1.0":
        return None
    for name, is_good in layout.formats:
        if not is_good(attributes[name]):
            return None
    content_type = attributes.get("datacontenttype")
    return _UNSTATED if content_type is None else valid_media(content_type)


def _decoding(headers: tuple[str, ...]) -> Decoding | None:
    carried = [attribute_of(header) for header in headers]
    places = {name: at for at, name in enumerate(carried) if name not in _NO_ATTRIBUTES}
    names = tuple(str(name) for name in carried if name not in _NO_ATTRIBUTES)
    is_clear = len(names) == len(places) and carried.count(CONTENT_TYPE) == 1
    if not (is_clear and are_complete(names) and are_names(names)):
        return None
    content_type = carried.index(CONTENT_TYPE)
    return Decoding(names, itemgetter(*places.values()), content_type, _formats(names))


def _encoding(names: tuple[str, ...]) -> Encoding | None:
    if not (are_complete(names) and are_names(names)):
        return None
    placed = [name for name in names if name != "datacontenttype"]
    lines = "".join(f"ce-{name}: %s\r\n" for name in placed)
    return Encoding(lines, itemgetter(*placed), _formats(names))


def _formats(names: Collection[str]) -> Formats:
    """The checks of values that have a format, except the two that `checked_media` does."""
    return tuple(
        (name, is_timestamp if name == "time" else is_good)  # verbatim texts are not too long
        for name, is_good, _ in FORMATS
        if name in names and name not in ("specversion", "datacontenttype")
    )


class _Cache(dict[tuple[str, ...], Layout | None]):
    """Layouts by names, each made at first use; emptied when full."""

    def __init__(self, make: Callable[[tuple[str, ...]], Layout | None]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, names: tuple[str, ...]) -> Layout | None:
        try:
            is_long = sum(map(len, names)) > _LONG
        except TypeError:
            return None  # names are text
        if is_long:
            return None
        if len(self) == _KEPT:
            self.clear()
        self[names] = layout = self._make(names)
        return layout


_DECODING = _Cache(_decoding)
_ENCODING = _Cache(_encoding)
