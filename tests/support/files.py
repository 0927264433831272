"""Files that tests write."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

__all__ = ["write"]


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a directory, and return the directory.

    Args:
        root: The directory.
        files: The sources by their paths below it; common indentation is removed.
    """
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(source))
    return root
