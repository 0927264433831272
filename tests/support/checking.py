"""The type of the fixture `check`."""

from collections.abc import Callable
from typing import Any

Check = Callable[..., Any]
"""Reports on a function of this text, with these options."""
