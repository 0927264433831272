"""One request and its answer: to an application in this process, or to a server elsewhere.

In process, the application runs as aiohttp's test server has it: all its middlewares, hooks and
limits, on a free port of the loopback interface for as long as the request takes.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from pyfunc.cloudevents.data import media_type, parse_json
from pyfunc.cloudevents.event import Event
from pyfunc.errors import PyFuncError, UnreachableError
from pyfunc.testing.samples import Outgoing
from pyfunc.testing.verdicts import Outcome, outcome, reply_events

__all__ = ["Answer", "ask", "ask_server", "target"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """A case-insensitive multi-dict."""
    body: bytes
    seconds: float
    """How long it took, from the request's first byte to the answer's last."""
    of_batch: bool
    """Whether it answers a batch."""

    @property
    def text(self) -> str:
        """The body as text, in the charset that its `Content-Type` states; UTF-8 where none."""
        charset = media_type(self.headers.get("Content-Type")).charset
        try:
            return self.body.decode(charset, "replace")
        except LookupError:
            return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            MalformedBodyError: It is not JSON.
        """
        return parse_json(self.body)

    @property
    def events(self) -> Sequence[Event]:
        """The events that it carries; none where it is no event, or not a valid one."""
        try:
            return reply_events(self.headers, self.body)
        except PyFuncError:
            return ()

    @property
    def outcome(self) -> Outcome:
        """What a Knative broker would do with it."""
        return outcome(self.status, self.headers, self.body, self.of_batch)


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
        UnreachableError: It does not answer, or the request cannot be sent.
    """
    headers = CIMultiDict(outgoing.headers)
    headers.setdefault("User-Agent", "pyfunc")
    limits = ClientTimeout(total=None, sock_connect=10)  # the server has its own time limit
    try:
        async with ClientSession(timeout=limits, skip_auto_headers=["Content-Type"]) as client:
            return await _sent(client, target(url, outgoing), outgoing, headers)
    except (ClientError, OSError, ValueError) as error:
        raise UnreachableError(f"{url} did not answer: {error}") from None


async def _sent(
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
        received: CIMultiDictProxy[str] = response.headers
        reason, of_batch = response.reason or "", outgoing.is_batch
        return Answer(response.status, reason, received, body, seconds, of_batch)


def target(url: str, outgoing: Outgoing) -> URL:
    """Where a request goes: its path below the server's, its query added."""
    below = outgoing.path if outgoing.path != "/" else ""
    whole = URL(url.rstrip("/") + (below if below[:1] in ("", "/", "?") else f"/{below}"))
    return whole.extend_query(list(outgoing.query)) if outgoing.query else whole
