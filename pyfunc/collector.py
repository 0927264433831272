"""Python's garbage collector, where much is made that nobody can throw away yet."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["expecting"]


@contextmanager
def expecting(objects: int) -> Iterator[None]:
    """Have the collector start to look for garbage when this many more objects are there.

    It starts when there are some hundred more than at its last look, and takes them for garbage
    that nobody sees. Those of a batch live until its end: it would look through them in vain again
    and again, for a tenth of the time that a batch takes. What a function leaves beside them
    counts as always; a threshold of the user's own is added to, and 0 (no collection) is left.

    Args:
        objects: How many objects with references are about to be made, and kept for now.
    """
    first, second, third = gc.get_threshold()
    if first:
        gc.set_threshold(first + objects, second, third)
    try:
        yield
    finally:
        first, second, third = gc.get_threshold()
        if first > objects:  # else somebody has set it meanwhile
            gc.set_threshold(first - objects, second, third)
