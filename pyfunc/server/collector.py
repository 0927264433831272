"""Python's garbage collector, where much is made that nobody can throw away yet."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["LARGE", "expect", "expect_for_now", "expecting"]

# In JSON there is one list or object for so many octets, or for more.
_OCTETS_OF_OBJECT = 16

LARGE = 1 << 14
"""Octets of JSON whose objects the collector would look through before they are gone."""


class _Threshold:
    """How many objects more there may be before the collector looks for garbage."""

    def __init__(self) -> None:
        self.usual = 0
        self.expected = 0


_threshold = _Threshold()


def expect(objects: int) -> None:
    """Have the collector start to look for garbage when this many more objects are there.

    It starts when there are some hundred more than at its last look, and takes them for garbage
    that nobody sees. Where many are made that live for a while, it would look through them in vain
    again and again. What a function leaves beside them counts as always; a threshold that somebody
    else sets is added to, whenever that is, and 0 (no collection) is left.

    Args:
        objects: How many objects with references are about to be made, and kept for now; below 0
            so many are not expected any more.
    """
    first, second, third = gc.get_threshold()
    if first != _threshold.usual + _threshold.expected:
        _threshold.usual = first  # somebody else's
    _threshold.expected += objects
    if _threshold.usual:
        gc.set_threshold(_threshold.usual + _threshold.expected, second, third)


@contextmanager
def expecting(json: bytes) -> Iterator[None]:
    """Have the collector `expect` the objects of JSON text for the time of a `with` block."""
    objects = len(json) // _OCTETS_OF_OBJECT
    expect(objects)
    try:
        yield
    finally:
        expect(-objects)


def expect_for_now(json: bytes) -> None:
    """Have the collector `expect` the objects of JSON text until the loop has its next turn.

    Most are gone by then; those that live for longer are worth a look. To be called on the loop.
    """
    objects = len(json) // _OCTETS_OF_OBJECT
    expect(objects)
    asyncio.get_running_loop().call_soon(expect, -objects)
