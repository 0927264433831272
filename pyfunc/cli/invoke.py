"""Invokes the function once and shows the answer, with what a Knative broker would do with it.

The function runs in this process, through the real application; or a server that is running is
asked; or the `curl` command that asks it is shown. `docs/invoke.md` describes the JSON.
"""

import asyncio
import base64
import contextlib
import io
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pyfunc.app import create_app
from pyfunc.cloudevents.data import Kind, media_type
from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode
from pyfunc.cloudevents.json_format import BATCH_TYPE, STRUCTURED_TYPE
from pyfunc.cloudevents.json_text import parse_json
from pyfunc.errors import (
    MalformedBodyError,
    PyFuncError,
    SettingsError,
    StartupError,
)
from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import Plan, compile_plan
from pyfunc.settings import Settings
from pyfunc.telemetry import logs
from pyfunc.testing.exchange import Answer, ask, ask_server, target
from pyfunc.testing.samples import (
    Outgoing,
    Pairs,
    event_request,
    new_event,
    plain_request,
    sample,
    sample_for,
)

__all__ = ["Wanted", "run"]

WIDTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The command's flags; `None` and empty where one was not given."""

    type: str | None = None
    source: str | None = None
    subject: str | None = None
    id: str | None = None
    extension: Sequence[str] = ()
    data: str | None = None
    data_file: str | None = None
    content_type: str | None = None
    mode: str | None = None
    event_file: str | None = None
    method: str | None = None
    path: str = "/"
    query: Sequence[str] = ()
    header: Sequence[str] = ()
    url: str | None = None
    json: bool = False
    curl: bool = False

    @property
    def attributes(self) -> dict[str, Any]:
        """The event's attributes that were given."""
        named = {"type": self.type, "source": self.source, "subject": self.subject, "id": self.id}
        given = {name: value for name, value in named.items() if value is not None}
        return {**given, **dict(_pairs(self.extension, "--extension", "="))}

    @property
    def is_event(self) -> bool:
        """Whether something was given that only events have."""
        return bool(self.attributes or self.mode or self.event_file)


def run(settings: Settings, say: Callable[[str], None], wanted: Wanted) -> int:
    """Invoke the function and show the answer.

    Returns:
        The exit code: 0 where the invocation succeeded, else 1.

    Raises:
        SettingsError: A flag cannot be used.
        StartupError: The function cannot be served, or the server does not answer.
    """
    loaded, plan = _function(settings, may_be_missing=bool(wanted.url))
    outgoing = _outgoing(wanted, plan)
    url = wanted.url or f"http://localhost:{settings.port}/"
    if wanted.curl:
        say(_curl(url, outgoing))
        return 0
    with _quiet(wanted.json) as lines:
        answer = _ask(settings, loaded, wanted.url, outgoing)
    shown = _document(outgoing, answer, lines())
    say(_as_json(shown) if wanted.json else "\n".join(_described(shown, answer)))
    return 0 if shown["ok"] else 1


def _function(settings: Settings, may_be_missing: bool) -> tuple[Loaded | None, Plan | None]:
    try:
        loaded = load(settings.search_path, settings.module_name, settings.function_name)
        return loaded, compile_plan(loaded.function, str(loaded))
    except StartupError:
        if may_be_missing:  # a server elsewhere is asked: flags alone say with what
            return None, None
        raise


def _ask(settings: Settings, loaded: Loaded | None, url: str | None, outgoing: Outgoing) -> Answer:
    if url is not None:
        return asyncio.run(ask_server(url, outgoing))
    logs.configure(
        settings.log_level,
        "text" if settings.log_format == "auto" else settings.log_format,
        debug=settings.debug,
        color=not settings.no_color,
    )
    return asyncio.run(ask(create_app(settings, loaded), outgoing))


@contextlib.contextmanager
def _quiet(capture: bool) -> Iterator[Callable[[], list[str]]]:
    """What is logged and printed, kept for the JSON; else it appears where it always does."""
    if not capture:
        yield list
        return
    kept = io.StringIO()
    with contextlib.redirect_stdout(kept), contextlib.redirect_stderr(kept):
        yield lambda: kept.getvalue().splitlines()


# --- what is sent ---------------------------------------------------------------------------------


def _outgoing(wanted: Wanted, plan: Plan | None) -> Outgoing:
    try:
        if wanted.event_file is not None:
            return _from_file(wanted)
        takes_events = plan is None or plan.takes_events
        if not wanted.is_event and (wanted.method is not None or not takes_events):
            return _plain(wanted, plan)
        if wanted.method not in (None, "POST"):
            raise SettingsError("--method is given for an event, which goes by POST: leave it out")
        return _event(wanted, plan)
    except (PyFuncError, ValueError) as error:
        if isinstance(error, StartupError):
            raise
        raise SettingsError(f"the event cannot be sent: {error}") from None


def _event(wanted: Wanted, plan: Plan | None) -> Outgoing:
    data, content_type = _data(wanted)
    if data is None:
        data = sample(_wanted_by(plan, "data"))
    event = new_event({"datacontenttype": content_type, **wanted.attributes}, data)
    return _request(wanted, [event], ContentMode(wanted.mode or "binary"))


def _request(wanted: Wanted, events: Sequence[Event], mode: ContentMode) -> Outgoing:
    query, headers = _pairs(wanted.query, "--query", "="), _pairs(wanted.header, "--header", ":")
    return event_request(events, mode, wanted.path, query, headers)


def _wanted_by(plan: Plan | None, source: str) -> Any:
    bindings = plan.bindings if plan else ()
    return next((b.target for b in bindings if b.source and b.source.name == source), ...)


def _plain(wanted: Wanted, plan: Plan | None) -> Outgoing:
    body, content_type = _data(wanted)
    query, headers = _pairs(wanted.query, "--query", "="), _pairs(wanted.header, "--header", ":")
    if body is None and plan is not None and not plan.takes_events:
        made_up = sample_for(plan)
        if wanted.method in (None, made_up.method):
            headers = [*made_up.headers, *headers]
            body, query = made_up.body, query or made_up.query
    return plain_request(wanted.method, wanted.path, query, headers, body or b"", content_type)


def _from_file(wanted: Wanted) -> Outgoing:
    """A structured event, or a batch, as it is in the file; or with what else was given."""
    octets = _read(wanted.event_file or "-", "--event-file")
    try:
        found = parse_json(octets)
    except MalformedBodyError as error:
        raise SettingsError(f"--event-file {wanted.event_file} is no event: {error}") from None
    documents = found if isinstance(found, list) else [found]
    if not all(isinstance(document, dict) for document in documents):
        raise SettingsError(
            f"--event-file {wanted.event_file}: expected the JSON object of an event,"
            " or an array of such objects"
        )
    batched = isinstance(found, list)
    if wanted.attributes or wanted.data or wanted.data_file or wanted.mode:
        return _changed(wanted, documents, batched)
    content_type = BATCH_TYPE if batched else STRUCTURED_TYPE
    sent = _plain(Wanted(path=wanted.path, query=wanted.query, header=wanted.header), None)
    headers = [("Content-Type", content_type), *sent.headers]
    return Outgoing("POST", sent.path, sent.query, headers, octets)


def _changed(wanted: Wanted, documents: Sequence[dict[str, Any]], batched: bool) -> Outgoing:
    data, content_type = _data(wanted)
    events = []
    for document in documents:
        attributes = {k: v for k, v in document.items() if k not in ("data", "data_base64")}
        attributes |= {"datacontenttype": content_type} if content_type else {}
        own = data if data is not None else _data_of(document)
        events.append(new_event({**attributes, **wanted.attributes}, own))
    mode = ContentMode(wanted.mode or ("batched" if batched else "structured"))
    return _request(wanted, events, mode)


def _data_of(document: Mapping[str, Any]) -> Any:
    if "data_base64" in document:
        return base64.b64decode(document["data_base64"], validate=True)
    return document.get("data")


def _data(wanted: Wanted) -> tuple[bytes | None, str | None]:
    """The data's octets and content type; `None` where none were given."""
    if wanted.data is not None and wanted.data_file is not None:
        raise SettingsError("--data and --data-file are both given: expected one of them")
    if wanted.data_file is not None:
        octets = _read(wanted.data_file, "--data-file")
    elif wanted.data is not None:
        octets = wanted.data.encode(errors="surrogateescape")
    else:
        return None, wanted.content_type
    return octets, wanted.content_type or _guessed(octets)


def _read(name: str, flag: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise SettingsError(f"{flag} {name} cannot be read: {error.strerror}") from None


def _guessed(octets: bytes) -> str:
    """The content type of data that came without one."""
    try:
        parse_json(octets)
        return "application/json"
    except MalformedBodyError:
        pass
    try:
        octets.decode()
        return "text/plain; charset=utf-8"
    except UnicodeDecodeError:
        return "application/octet-stream"


def _pairs(texts: Sequence[str], flag: str, between: str) -> Pairs:
    pairs = []
    for text in texts:
        name, found, value = text.partition(between)
        if not found or not name.strip():
            raise SettingsError(f"{flag} is {text!r}: expected NAME{between}VALUE")
        if any(c in text for c in "\r\n\0") and between == ":":
            raise SettingsError(f"{flag} is {text!r}: a header has no place for a line break")
        pairs.append((name.strip(), value.strip() if between == ":" else value))
    return pairs


# --- what is shown --------------------------------------------------------------------------------


def _curl(url: str, outgoing: Outgoing) -> str:
    """The same request as a command for a shell."""
    words = ["curl", "--include", "--globoff"]
    if outgoing.method != ("POST" if outgoing.body else "GET"):
        words += ["--request", outgoing.method]
    for name, value in outgoing.headers:
        words += ["--header", f"{name}: {value}" if value else f"{name};"]
    if outgoing.body and outgoing.header("Content-Type") is None:
        words += ["--header", "Content-Type:"]  # curl would say that it is a form
    return _with_body([*words, str(target(url, outgoing))], outgoing.body)


def _with_body(words: list[str], body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # no shell can pass these octets on
        octets = base64.b64encode(body).decode()
        return f"echo {octets} | base64 --decode | {shlex.join([*words, '--data-binary', '@-'])}"
    return shlex.join([*words, "--data-raw", text] if text else words)


def _document(outgoing: Outgoing, answer: Answer, lines: list[str]) -> Mapping[str, Any]:
    verdict = answer.outcome
    return {
        "ok": verdict.ok if outgoing.is_event else answer.status < 400,
        "request": {
            "method": outgoing.method,
            "path": outgoing.path,
            "query": [list(pair) for pair in outgoing.query],
            "headers": _headers(outgoing.headers),
            **_octets(outgoing.body, outgoing.header("Content-Type")),
        },
        "status": answer.status,
        "reason": answer.reason,
        "headers": _headers(answer.headers.items()),
        **_octets(answer.body, answer.headers.get("Content-Type")),
        "events": [_event_document(event) for event in answer.events],
        "seconds": round(answer.seconds, 6),
        "log": lines,
        "outcome": {
            "action": verdict.action,
            "retry_after": verdict.retry_after,
            "sentence": _sentence(outgoing, answer),
        },
    }


def _headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """By lower-case name; the values of a repeated one in one text (RFC 9110, section 5.2)."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        key = str(name).lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def _octets(body: bytes, content_type: str | None) -> Mapping[str, Any]:
    try:
        return {"body": body.decode(media_type(content_type).charset)}
    except (UnicodeDecodeError, LookupError):
        return {"body_base64": base64.b64encode(body).decode()}


def _event_document(event: Event) -> Mapping[str, Any]:
    """The event as its JSON format has it (CloudEvents JSON format, section 3)."""
    if isinstance(event.data, bytes):
        return {**event.attributes, "data_base64": base64.b64encode(event.data).decode()}
    return {**event.attributes, "data": event.data} if event.has_data else event.attributes


def _sentence(outgoing: Outgoing, answer: Answer) -> str:
    sentence = answer.outcome.sentence
    if outgoing.is_event:
        return sentence
    return f"Had this been an event: {sentence[:1].lower()}{sentence[1:]}"


def _as_json(document: Mapping[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def _described(document: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    """The answer for people: status, headers, reply, time, verdict."""
    yield f"{answer.status} {answer.reason}".rstrip()
    yield from (f"{name}: {value}" for name, value in answer.headers.items())
    if answer.events:
        for event in answer.events:
            yield from ("", *_shown_event(event))
    elif answer.body:
        yield from ("", *_shown_body(answer))
    yield from ("", f"It took {answer.seconds * 1000:.0f} ms.")
    yield from textwrap.wrap(document["outcome"]["sentence"], WIDTH, break_long_words=False)


def _shown_event(event: Event) -> Iterator[str]:
    width = max(map(len, event.attributes))
    yield "event"
    yield from (f"  {name:<{width}}  {_value(value)}" for name, value in event.attributes.items())
    if event.has_data:
        yield "data"
        yield from (f"  {line}" for line in _pretty(event.data).splitlines())


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown_body(answer: Answer) -> Iterator[str]:
    media = media_type(answer.headers.get("Content-Type"))
    if media.kind is Kind.JSON:
        with contextlib.suppress(MalformedBodyError):
            yield from _pretty(answer.json()).splitlines()
            return
    yield from (answer.text if media.kind is not Kind.OCTETS else _pretty(answer.body)).splitlines()


def _pretty(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, bytes):
        return f"{len(data)} bytes: {data[:32].hex(' ')}{' ...' if len(data) > 32 else ''}"
    return msgspec.json.format(msgspec.json.encode(data)).decode()
