"""The kit for people who test their functions: events to send, and `Invoke`, which sends them.

The pytest fixture `invoke` is an `Invoke`; without pytest, make one of your own. `docs/testing.md`
has the examples.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextvars import copy_context
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from pyfunc.app import create_app
from pyfunc.cloudevents.data import JSON_TYPE, dump_json
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode
from pyfunc.errors import LoadError, UnreachableError
from pyfunc.function.loader import Loaded, load, loaded_from
from pyfunc.function.signature import compile_plan
from pyfunc.function.tracebacks import user_traceback
from pyfunc.invoking.observers import FAILURE
from pyfunc.invoking.streams import SENT
from pyfunc.settings import Settings
from pyfunc.testing import exchange
from pyfunc.testing.samples import (
    Outgoing,
    Pairs,
    event_request,
    new_event,
    plain_request,
    sample_for,
)
from pyfunc.testing.verdicts import Outcome

__all__ = ["Answer", "Invoke", "event"]

Function = Callable[..., Any]
Many = Mapping[str, Any] | Sequence[tuple[str, Any]]

Events = Event | list[Event] | tuple[Event, ...]

_ABSENT: Any = object()


class SentEvent(Event):
    """An event that knows in which content mode it is to be sent."""

    __slots__ = ("mode",)
    mode: ContentMode


def event(
    type: str | None = None,
    data: Any = None,
    *,
    mode: str = "binary",
    id: str | None = None,
    source: str | None = None,
    subject: str | None = None,
    time: datetime | str | None = None,
    datacontenttype: str | None = None,
    dataschema: str | None = None,
    **extensions: Any,
) -> Event:
    """A valid event to send; what is not given and required is made up.

    Args:
        type: The `type` attribute.
        data: The data: bytes, text, or anything with a JSON form.
        mode: The content mode: `binary`, `structured` or `batched`.
        id: The `id` attribute.
        source: The `source` attribute.
        subject: The `subject` attribute.
        time: The `time` attribute.
        datacontenttype: What the data is; found out where it is not given.
        dataschema: The `dataschema` attribute.
        extensions: Extension attributes.

    Raises:
        ValueError: An attribute has a name or value that the specification does not allow, or the
            content mode is none.
    """
    named = {"type": type, "id": id, "source": source, "subject": subject, "time": time}
    named |= {"datacontenttype": datacontenttype, "dataschema": dataschema}
    made = new_event({**named, **extensions}, data)
    sent = SentEvent(made.attributes, made.data)
    sent.mode = ContentMode(mode)
    return sent


class Answer:
    """What the function answered, over HTTP.

    In an async test it is there once it has been awaited.
    """

    __slots__ = ("_ask", "_received")

    def __init__(
        self,
        received: exchange.Answer | None,
        ask: Callable[[], Awaitable[exchange.Answer]] | None = None,
    ) -> None:
        self._received = received
        self._ask = ask

    def __await__(self) -> Generator[Any, None, "Answer"]:
        __tracebackhide__ = True
        ask, self._ask = self._ask, None
        if ask is not None:
            self._received = yield from ask().__await__()
        return self

    @property
    def is_awaited(self) -> bool:
        """Whether the function has been invoked."""
        return self._ask is None

    @property
    def _there(self) -> exchange.Answer:
        if self._received is None:
            raise RuntimeError("the answer is not here yet: in an async test, await invoke(...)")
        return self._received

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._there.status

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return self._there.reason

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, a case-insensitive multi-dict."""
        return self._there.headers

    @property
    def body(self) -> bytes:
        """The whole body."""
        return self._there.body

    @property
    def text(self) -> str:
        """The body as text, in the charset that its `Content-Type` states."""
        return self._there.text

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            MalformedBodyError: It is not JSON.
        """
        return self._there.json()

    @property
    def events(self) -> Sequence[Event]:
        """The reply events: none, one, or those of a batch."""
        return self._there.events

    @property
    def event(self) -> Event | None:
        """The reply event; `None` where there is none."""
        events = self._there.events
        return events[0] if events else None

    @property
    def outcome(self) -> Outcome:
        """What a Knative broker would do with this answer."""
        return self._there.outcome

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._there.seconds

    def __repr__(self) -> str:
        if self._received is None:
            return "<Answer, not awaited>"
        types = ", ".join(event.type for event in self.events)
        what = types or repr(self.body[:80] if self.body else None)
        return f"<Answer {self.status} {self.reason}: {what}>"


class Invoke:
    """Invokes functions through the application that would serve them, each time anew.

    Args:
        places: Directories in which a function that is given by its path is looked for, after the
            current one.
    """

    def __init__(self, places: Sequence[Path] = ()) -> None:
        self.places: tuple[Path, ...] = tuple(places)
        self._promised: list[Answer] = []

    def __call__(
        self,
        function: Function | str | Events | None = None,
        event: Events | None = None,
        *,
        method: str | None = None,
        path: str = "/",
        query: Many = (),
        headers: Many = (),
        body: bytes | str | None = None,
        json: Any = _ABSENT,
        form: Many | None = None,
        options: Mapping[str, Any] | None = None,
        raises: bool = True,
    ) -> Answer:
        """Start the application, send one request, stop it.

        Args:
            function: The function; or where it is, such as `"func.py"`, `"func:main"` or
                `"app.handlers:greet"`; `func.py` in the current directory where not given.
            event: The event to send; several go as a batch. Made up for an event function where
                neither it nor a part of a plain request is given.
            method: The method of a plain request; GET without a body, else POST.
            path: The path, with a query if it has one.
            query: What is added to the query.
            headers: Headers, an event's request included.
            body: The body of a plain request.
            json: The body as what JSON is made of.
            form: The body as the fields of a form.
            options: Fields of `Settings`, such as `{"timeout": 0.5}`; the environment is not read.
            raises: Raise what the function raised; `False` answers as it would be served.

        Returns:
            The answer; in an async test, `await` it.

        Raises:
            StartupError: The function cannot be served.
        """
        __tracebackhide__ = True
        if isinstance(function, Event | list | tuple):
            function, event = None, function
        settings, loaded = self._found(function, options or {})
        sent = _plain(method, path, query, headers, body, json, form)
        if event is not None:
            sent = _event(event, path, query, headers)
        elif sent is None:
            sent = _made_up(loaded, path, query, headers)

        async def ask() -> exchange.Answer:
            __tracebackhide__ = True
            return await _ask(create_app(settings, loaded), sent, raises)

        return self._answer(ask)

    def close(self) -> None:
        """Complain of answers that nobody has awaited: their functions never ran.

        Raises:
            RuntimeError: There is one.
        """
        __tracebackhide__ = True
        if not all(answer.is_awaited for answer in self._promised):
            raise RuntimeError("invoke(...) was not awaited, so the function has not been invoked")

    def _answer(self, ask: Callable[[], Awaitable[exchange.Answer]]) -> Answer:
        __tracebackhide__ = True
        if not _is_on_a_loop():
            return Answer(_run(ask))
        self._promised.append(answer := Answer(None, ask))
        return answer

    def _found(
        self, function: Function | str | None, options: Mapping[str, Any]
    ) -> tuple[Settings, Loaded]:
        if callable(function):
            return Settings(**options), loaded_from(function)
        directory, module, name = _where(function or "func.py")
        roots = [place / (directory or "") for place in (Path.cwd(), *self.places)]
        root = next((root for root in roots if _has(root, module)), None)
        if root is None and directory is not None:  # a module's name may be of what is installed
            searched = ", ".join(dict.fromkeys(map(str, roots)))
            raise LoadError(f"there is no file {module}.py in {searched}")
        chosen = {"search_path": str(root or "."), "module_name": module, "function_name": name}
        settings = Settings(**{**chosen, **options})
        return settings, load(settings.search_path, settings.module_name, settings.function_name)


def _where(text: str) -> tuple[str | None, str, str | None]:
    """`app/func.py:main` as directory, module and function; no directory for a module's name."""
    head, colon, tail = text.rpartition(":")
    where, name = (head, tail) if colon and tail.isidentifier() else (text, None)
    if where.endswith(".py"):
        return str(Path(where).parent), Path(where).stem, name
    return None, where, name


def _has(root: Path, module: str) -> bool:
    file = root.joinpath(*module.split("."))
    return file.with_suffix(".py").is_file() or file.joinpath("__init__.py").is_file()


# --- what is sent ---------------------------------------------------------------------------------


def _event(event: Events, path: str, query: Many, headers: Many) -> Outgoing:
    if isinstance(event, Event):
        mode = event.mode if isinstance(event, SentEvent) else ContentMode.BINARY
        return event_request([event], mode, path, _pairs(query), _pairs(headers))
    return event_request(event, ContentMode.BATCHED, path, _pairs(query), _pairs(headers))


def _plain(
    method: str | None,
    path: str,
    query: Many,
    headers: Many,
    body: bytes | str | None,
    json: Any,
    form: Many | None,
) -> Outgoing | None:
    """A plain request, where one was asked for."""
    content_type = None
    if json is not _ABSENT:
        body, content_type = dump_json(json), JSON_TYPE
    elif form is not None:
        body, content_type = urlencode(_pairs(form)), "application/x-www-form-urlencoded"
    elif isinstance(body, str):
        content_type = "text/plain; charset=utf-8"
    if method is None and body is None:
        return None
    octets = body.encode() if isinstance(body, str) else body or b""
    return plain_request(method, path, _pairs(query), _pairs(headers), octets, content_type)


def _made_up(loaded: Loaded, path: str, query: Many, headers: Many) -> Outgoing:
    sent = sample_for(compile_plan(loaded.function, str(loaded)))
    pairs = [*sent.headers, *_pairs(headers)]
    return Outgoing(sent.method, path, _pairs(query) or sent.query, pairs, sent.body)


def _pairs(many: Many) -> Pairs:
    pairs = many.items() if isinstance(many, Mapping) else many
    return [(name, str(value)) for name, value in pairs]


# --- how it is sent -------------------------------------------------------------------------------


async def _ask(app: web.Application, sent: Outgoing, raises: bool) -> exchange.Answer:
    __tracebackhide__ = True
    seen: list[tuple[web.Request, web.StreamResponse]] = []

    async def see(request: web.Request, response: web.StreamResponse) -> None:
        seen.append((request, response))

    app.on_response_prepare.append(see)
    try:
        answer = await exchange.ask(app, sent)
    except UnreachableError:
        if not raises or (failure := _failure(seen)) is None:
            raise
    else:
        if not raises or (failure := _failure(seen)) is None:
            return answer
    raise failure.with_traceback(user_traceback(failure.__traceback__))


def _failure(seen: Sequence[tuple[web.Request, web.StreamResponse]]) -> BaseException | None:
    """What the function raised, also in mid-stream."""
    for request, response in seen:
        if FAILURE in request:
            return request[FAILURE]
        if SENT in response and response[SENT].error is not None:
            return response[SENT].error
    return None


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(ask: Callable[[], Awaitable[exchange.Answer]]) -> exchange.Answer:
    """Run to the end in a thread with a loop of its own, so that the test's loop stays as it is."""
    __tracebackhide__ = True
    answers: list[exchange.Answer] = []
    errors: list[BaseException] = []

    async def main() -> None:
        try:
            answers.append(await ask())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=copy_context().run, args=(asyncio.run, main()), daemon=True)
    thread.start()
    thread.join()
    for error in errors:
        raise error.with_traceback(user_traceback(error.__traceback__))
    return answers[0]
