"""Suggestions for misspelt names."""

from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: str, candidates: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the candidate most like `name`, or `None` if none is similar enough.

    Args:
        name: The name as written.
        candidates: The valid names.
        cutoff: The least similarity, from 0 to 1.
    """
    # Imported late: only a mistake needs it.
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(candidates), n=1, cutoff=cutoff)), None)
