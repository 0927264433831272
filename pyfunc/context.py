"""One invocation as the rooms see it (`Invocation`), and as its function sees it (`Context`)."""

import logging
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pyfunc.events import Event

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["CURRENT", "Context", "Invocation"]


class Invocation:
    """One call of the function: what it may be given, read from one request.

    Args:
        request: The request.
        body: Its whole body; empty where no parameter needs it.
        events: The events of the request; none for an HTTP function.
        deadline: When the time limit ends, on the clock of `time.monotonic`; `None` for no limit.
    """

    __slots__ = ("_context", "_id", "body", "deadline", "events", "request")

    def __init__(
        self,
        request: "web.Request",
        body: bytes,
        events: Sequence[Event] = (),
        deadline: float | None = None,
    ) -> None:
        self.request = request
        self.body = body
        self.events = events
        self.deadline = deadline
        self._id: str | None = None
        self._context: Context | None = None

    @property
    def event(self) -> Event:
        """The event of this invocation; the first one of a batch."""
        return self.events[0]

    @property
    def id(self) -> str:
        """A name for this invocation in logs."""
        if self._id is None:
            self._id = self.request.headers.get("X-Request-Id") or uuid4().hex
        return self._id

    @property
    def context(self) -> "Context":
        """What the function sees of it."""
        if self._context is None:
            self._context = Context(self)
        return self._context


CURRENT: ContextVar[Invocation | None] = ContextVar("pyfunc_invocation", default=None)


class Context:
    """This invocation, for the function: its id, the time that is left, a logger."""

    __slots__ = ("_invocation",)

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @property
    def id(self) -> str:
        """The id of this invocation, as it appears in the log."""
        return self._invocation.id

    @property
    def deadline(self) -> float | None:
        """When the time limit ends, on the clock of `time.monotonic`; `None` for no limit."""
        return self._invocation.deadline

    def remaining(self) -> float | None:
        """Seconds until the time limit, 0.0 once it has passed; `None` for no limit."""
        deadline = self._invocation.deadline
        return None if deadline is None else max(0.0, deadline - time.monotonic())

    @property
    def logger(self) -> logging.Logger:
        """A logger whose lines carry the ids of this invocation."""
        return logging.getLogger("function")

    def __repr__(self) -> str:
        return f"Context(id={self.id!r})"

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(n for n in dir(Context) if not n.startswith("_"))
        raise AttributeError(f"the context has no {name}; it has {known}")
