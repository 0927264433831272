"""One request and its answer, from an application in this process or from a server elsewhere.

In process, the application runs in aiohttp's test server: all its middlewares, hooks and limits, on
a free port of the loopback interface, for the time of the request.
"""

import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from pyfunc.cloudevents.data import media_type
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.json_text import parse_json
from pyfunc.errors import PyFuncError, UnreachableError
from pyfunc.testing.samples import Outgoing
from pyfunc.testing.verdicts import Verdict, judge, reply_events

__all__ = ["Answer", "PendingAnswer", "ask", "ask_server", "target"]


@dataclass(slots=True, eq=False, repr=False)
class Answer:
    """The answer of a function over HTTP."""

    status: int
    """The HTTP status."""
    reason: str
    """The reason phrase."""
    headers: Mapping[str, str]
    """The headers, a case-insensitive multi-dict."""
    body: bytes
    """The whole body."""
    seconds: float
    """The time from the first byte of the request to the last byte of the answer."""
    of_batch: bool
    """The request was a batch of events."""

    @property
    def text(self) -> str:
        """The body as text, in the charset of its `Content-Type`; UTF-8 by default."""
        charset = media_type(self.headers.get("Content-Type")).charset
        try:
            return self.body.decode(charset, "replace")
        except LookupError:
            return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            MalformedBodyError: It is not JSON.
        """
        return parse_json(self.body)

    @property
    def events(self) -> Sequence[Event]:
        """The reply events: none, one, or those of a batch; an invalid event is none."""
        try:
            return reply_events(self.headers, self.body)
        except PyFuncError:
            return ()

    @property
    def event(self) -> Event | None:
        """The first reply event; `None` without one."""
        events = self.events
        return events[0] if events else None

    @property
    def outcome(self) -> Verdict:
        """The verdict of a Knative broker on this answer."""
        return judge(self.status, self.headers, self.body, self.of_batch)

    @property
    def is_awaited(self) -> bool:
        """The function has been invoked."""
        return True

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self

    def __repr__(self) -> str:
        types = ", ".join(event.type for event in self.events)
        content = types or repr(self.body[:80] if self.body else None)
        return f"<Answer {self.status} {self.reason}: {content}>"


class PendingAnswer(Answer):
    """An answer whose request is sent when it is awaited; until then it has no fields.

    Args:
        send: Sends the request.
    """

    __slots__ = ("_send",)

    _send: Callable[[], Awaitable[Answer]] | None

    def __init__(self, send: Callable[[], Awaitable[Answer]]) -> None:
        self._send = send

    @property
    def is_awaited(self) -> bool:
        """The function has been invoked."""
        return self._send is None

    def __await__(self) -> Generator[Any, None, Self]:
        __tracebackhide__ = True
        send, self._send = self._send, None
        if send is not None:
            answer = yield from send().__await__()
            for field in fields(answer):
                setattr(self, field.name, getattr(answer, field.name))
        return self

    def __getattr__(self, name: str) -> NoReturn:
        """Only called for a field that is not set, or an unknown name."""
        if name in Answer.__slots__:
            raise RuntimeError("the answer is not here yet: in an async test, await invoke(...)")
        raise AttributeError(f"an answer has no {name}")

    def __repr__(self) -> str:
        try:
            return super().__repr__()
        except RuntimeError:
            return "<Answer, not awaited>"


async def ask(app: web.Application, outgoing: Outgoing) -> Answer:
    """Start the application, send one request, and stop it.

    Raises:
        HookError: A hook failed at the start.
    """
    server = TestServer(app)
    try:
        await server.start_server(access_log=None)
        return await ask_server(str(server.make_url("/")), outgoing)
    finally:
        await server.close()


async def ask_server(url: str, outgoing: Outgoing) -> Answer:
    """Send one request to a server.

    Raises:
        UnreachableError: The server does not answer, or the request cannot be sent.
    """
    headers = CIMultiDict(outgoing.headers)
    headers.setdefault("User-Agent", "pyfunc")
    limits = ClientTimeout(total=None, sock_connect=10)  # the server has its own time limit
    try:
        async with ClientSession(timeout=limits, skip_auto_headers=["Content-Type"]) as client:
            return await _exchange(client, target(url, outgoing), outgoing, headers)
    except (ClientError, OSError, ValueError) as error:
        raise UnreachableError(f"{url} did not answer: {error}") from None


async def _exchange(
    client: ClientSession, url: URL, outgoing: Outgoing, headers: CIMultiDict[str]
) -> Answer:
    start = time.perf_counter()
    async with client.request(
        outgoing.method,
        url,
        data=outgoing.body or None,
        headers=headers,
        allow_redirects=False,
    ) as response:
        body = await response.read()
        seconds = time.perf_counter() - start
        response_headers: CIMultiDictProxy[str] = response.headers
        return Answer(
            status=response.status,
            reason=response.reason or "",
            headers=response_headers,
            body=body,
            seconds=seconds,
            of_batch=outgoing.is_batch,
        )


def target(url: str, outgoing: Outgoing) -> URL:
    """The URL of a request: its path below the server's, its query added."""
    below = outgoing.path if outgoing.path != "/" else ""
    whole = URL(url.rstrip("/") + (below if below[:1] in ("", "/", "?") else f"/{below}"))
    return whole.extend_query(list(outgoing.query)) if outgoing.query else whole
