"""What somebody meant who wrote a name that is not known."""

from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like `name`; `None` where none is like it.

    Args:
        name: What was written.
        known: What could have been meant.
        cutoff: How much alike they have to be, from 0 to 1.
    """
    # Imported late: only a mistake needs it.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)
