"""Events to send to a function under test, and `Invoke`, which sends them.

The pytest fixture `invoke` is an `Invoke`; without pytest, make an instance. Requests are for
`samples`, sending them for `exchange`.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import copy_context
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from pyfunc.app import create_app
from pyfunc.cloudevents.data import JSON_TYPE
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode
from pyfunc.cloudevents.json_text import dump_json
from pyfunc.errors import LoadError, UnreachableError
from pyfunc.function.loader import Loaded, load, loaded_from
from pyfunc.function.signature import compile_plan
from pyfunc.function.tracebacks import user_traceback
from pyfunc.invoking.observers import FAILURE
from pyfunc.invoking.streams import SENT
from pyfunc.settings import Settings
from pyfunc.testing.exchange import Answer, PendingAnswer, ask
from pyfunc.testing.samples import (
    Outgoing,
    Pairs,
    event_request,
    new_event,
    plain_request,
    sample_for,
)

__all__ = ["Invoke", "event"]

Function = Callable[..., Any]
Many = Mapping[str, Any] | Sequence[tuple[str, Any]]

Events = Event | list[Event] | tuple[Event, ...]

_ABSENT: Any = object()


class SentEvent(Event):
    """An event with the content mode to send it in."""

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
    """Make a valid event to send, with defaults for all required attributes.

    Args:
        type: The `type` attribute.
        data: The data: bytes, text, or anything with a JSON form.
        mode: The content mode: `binary`, `structured` or `batched`.
        id: The `id` attribute.
        source: The `source` attribute.
        subject: The `subject` attribute.
        time: The `time` attribute.
        datacontenttype: The media type of the data; by default that of the type of `data`.
        dataschema: The `dataschema` attribute.
        extensions: Extension attributes.

    Raises:
        ValueError: An attribute has a name or value that the specification does not allow, or the
            content mode is unknown.
    """
    named = {"type": type, "id": id, "source": source, "subject": subject, "time": time}
    named |= {"datacontenttype": datacontenttype, "dataschema": dataschema}
    complete = new_event({**named, **extensions}, data)
    sent = SentEvent(complete.attributes, complete.data)
    sent.mode = ContentMode(mode)
    return sent


class Invoke:
    """Invokes functions through the application that serves them; a new one for each call.

    Args:
        places: Directories to search for a function given by its path, after the current one.
    """

    def __init__(self, places: Sequence[Path] = ()) -> None:
        self.places: tuple[Path, ...] = tuple(places)
        self._pending: list[PendingAnswer] = []

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
            function: The function, or its place, such as `"func.py"`, `"func:main"` or
                `"app.handlers:greet"`; by default `func.py` in the current directory.
            event: The event to send; several are sent as a batch. An event function gets a sample
                if neither this nor a part of a plain request is given.
            method: The method of a plain request; GET without a body, else POST.
            path: The path, with a query if it has one.
            query: Pairs added to the query of the path.
            headers: Headers of the request, also of an event's.
            body: The body of a plain request.
            json: A value for a JSON body.
            form: The fields of a form body.
            options: Fields of `Settings`, such as `{"timeout": 0.5}`; the environment is not read.
            raises: Raise the exception of the function; `False` returns the error response.

        Returns:
            The answer; in an async test, `await` it.

        Raises:
            StartupError: The function cannot be served.
        """
        __tracebackhide__ = True
        if isinstance(function, Event | list | tuple):
            function, event = None, function
        settings, loaded = self._load(function, options or {})
        request = _plain_request(method, path, query, headers, body, json, form)
        if event is not None:
            request = _event_request(event, path, query, headers)
        elif request is None:
            request = _sample_request(loaded, path, query, headers)

        async def send() -> Answer:
            __tracebackhide__ = True
            return await _send(create_app(settings, loaded), request, raises)

        if not _is_on_a_loop():
            return _run(send)
        self._pending.append(answer := PendingAnswer(send))
        return answer

    def close(self) -> None:
        """Report answers that were never awaited, whose functions have not run.

        Raises:
            RuntimeError: An answer was not awaited.
        """
        __tracebackhide__ = True
        if not all(answer.is_awaited for answer in self._pending):
            raise RuntimeError("invoke(...) was not awaited, so the function has not been invoked")

    def _load(
        self, function: Function | str | None, options: Mapping[str, Any]
    ) -> tuple[Settings, Loaded]:
        if callable(function):
            return Settings(**options), loaded_from(function)
        directory, module, name = _parse_place(function or "func.py")
        roots = [place / (directory or "") for place in (Path.cwd(), *self.places)]
        root = next((root for root in roots if _has(root, module)), None)
        if root is None and directory is not None:  # a bare module name may be an installed one
            searched = ", ".join(dict.fromkeys(map(str, roots)))
            raise LoadError(f"there is no file {module}.py in {searched}")
        place = {"search_path": str(root or "."), "module_name": module, "function_name": name}
        settings = Settings(**{**place, **options})
        return settings, load(settings.search_path, settings.module_name, settings.function_name)


def _parse_place(text: str) -> tuple[str | None, str, str | None]:
    """Split `app/func.py:main` into directory, module and function.

    The directory of a module name, such as `app.func:main`, is `None`.
    """
    head, colon, tail = text.rpartition(":")
    module, name = (head, tail) if colon and tail.isidentifier() else (text, None)
    if module.endswith(".py"):
        return str(Path(module).parent), Path(module).stem, name
    return None, module, name


def _has(root: Path, module: str) -> bool:
    file = root.joinpath(*module.split("."))
    return file.with_suffix(".py").is_file() or file.joinpath("__init__.py").is_file()


# --- requests -------------------------------------------------------------------------------------


def _event_request(event: Events, path: str, query: Many, headers: Many) -> Outgoing:
    if isinstance(event, Event):
        mode = event.mode if isinstance(event, SentEvent) else ContentMode.BINARY
        return event_request([event], mode, path, _pairs(query), _pairs(headers))
    return event_request(event, ContentMode.BATCHED, path, _pairs(query), _pairs(headers))


def _plain_request(
    method: str | None,
    path: str,
    query: Many,
    headers: Many,
    body: bytes | str | None,
    json: Any,
    form: Many | None,
) -> Outgoing | None:
    """Make a plain request; `None` without a method and a body."""
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


def _sample_request(loaded: Loaded, path: str, query: Many, headers: Many) -> Outgoing:
    request = sample_for(compile_plan(loaded.function, str(loaded)))
    pairs = [*request.headers, *_pairs(headers)]
    return Outgoing(request.method, path, _pairs(query) or request.query, pairs, request.body)


def _pairs(many: Many) -> Pairs:
    pairs = many.items() if isinstance(many, Mapping) else many
    return [(name, str(value)) for name, value in pairs]


# --- sending --------------------------------------------------------------------------------------


async def _send(app: web.Application, request: Outgoing, raises: bool) -> Answer:
    __tracebackhide__ = True
    exchanges: list[tuple[web.Request, web.StreamResponse]] = []

    async def record(request: web.Request, response: web.StreamResponse) -> None:
        exchanges.append((request, response))

    app.on_response_prepare.append(record)
    try:
        answer = await ask(app, request)
    except UnreachableError:
        if not raises or (failure := _failure(exchanges)) is None:
            raise
    else:
        if not raises or (failure := _failure(exchanges)) is None:
            return answer
    raise failure.with_traceback(user_traceback(failure.__traceback__))


def _failure(
    exchanges: Sequence[tuple[web.Request, web.StreamResponse]],
) -> BaseException | None:
    """The exception of the function, also from the middle of a stream."""
    for request, response in exchanges:
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


def _run(send: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run to the end on a loop of its own, in a thread of its own."""
    __tracebackhide__ = True
    answers: list[Answer] = []
    errors: list[BaseException] = []

    async def main() -> None:
        try:
            answers.append(await send())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=copy_context().run, args=(asyncio.run, main()), daemon=True)
    thread.start()
    thread.join()
    for error in errors:
        raise error.with_traceback(user_traceback(error.__traceback__))
    return answers[0]
