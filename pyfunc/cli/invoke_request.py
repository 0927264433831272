"""The request that `invoke` sends, from its flags and the plan of the function."""

import base64
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.http_binding import ContentMode
from pyfunc.cloudevents.json_format import BATCH_TYPE, STRUCTURED_TYPE
from pyfunc.cloudevents.json_text import parse_json
from pyfunc.errors import MalformedBodyError, PyFuncError, SettingsError, StartupError
from pyfunc.function.signature import Plan
from pyfunc.testing.samples import (
    Outgoing,
    Pairs,
    event_request,
    new_event,
    plain_request,
    sample,
    sample_for,
)

__all__ = ["InvokeFlags", "build_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvokeFlags:
    """The flags of `invoke`; `None` or empty if not given."""

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
        """The attributes of the event that were given."""
        names = ("type", "source", "subject", "id")
        values = {name: getattr(self, name) for name in names}
        attributes = {name: value for name, value in values.items() if value is not None}
        return {**attributes, **dict(_pairs(self.extension, "--extension", "="))}

    @property
    def is_event(self) -> bool:
        """True if a flag was given that only applies to events."""
        return bool(self.attributes or self.mode or self.event_file)


def build_request(flags: InvokeFlags, plan: Plan | None) -> Outgoing:
    """Build the request that the flags describe, with sample data for what they omit.

    Args:
        flags: The flags of the command.
        plan: The plan of the function, which decides between an event and a plain request and
            which sample fits; `None` if the function is unknown.

    Raises:
        SettingsError: A flag is invalid.
    """
    try:
        if flags.event_file is not None:
            return _from_file(flags)
        takes_events = plan is None or plan.takes_events
        if not flags.is_event and (flags.method is not None or not takes_events):
            return _http_request(flags, plan)
        if flags.method not in (None, "POST"):
            raise SettingsError(
                f"--method is {flags.method!r}, but events are sent by POST: omit it"
            )
        return _event_request(flags, plan)
    except (PyFuncError, ValueError) as error:
        if isinstance(error, StartupError):
            raise
        raise SettingsError(f"the event cannot be sent: {error}") from None


def _event_request(flags: InvokeFlags, plan: Plan | None) -> Outgoing:
    data, content_type = _data(flags)
    if data is None:
        data = sample(_annotation(plan, "data"))
    event = new_event({"datacontenttype": content_type, **flags.attributes}, data)
    return _encode(flags, [event], ContentMode(flags.mode or "binary"))


def _encode(flags: InvokeFlags, events: Sequence[Event], mode: ContentMode) -> Outgoing:
    query, headers = _pairs(flags.query, "--query", "="), _pairs(flags.header, "--header", ":")
    return event_request(events, mode, flags.path, query, headers)


def _annotation(plan: Plan | None, source: str) -> Any:
    bindings = plan.bindings if plan else ()
    return next((b.target for b in bindings if b.source and b.source.name == source), ...)


def _http_request(flags: InvokeFlags, plan: Plan | None) -> Outgoing:
    body, content_type = _data(flags)
    query, headers = _pairs(flags.query, "--query", "="), _pairs(flags.header, "--header", ":")
    if body is None and plan is not None and not plan.takes_events:
        example = sample_for(plan)
        if flags.method in (None, example.method):
            headers = [*example.headers, *headers]
            body, query = example.body, query or example.query
    return plain_request(flags.method, flags.path, query, headers, body or b"", content_type)


def _from_file(flags: InvokeFlags) -> Outgoing:
    """Build a structured event or a batch: the unchanged file, unless other flags change it."""
    octets = _read(flags.event_file or "-", "--event-file")
    try:
        content = parse_json(octets)
    except MalformedBodyError as error:
        raise SettingsError(f"--event-file {flags.event_file} is not an event: {error}") from None
    documents = content if isinstance(content, list) else [content]
    if not all(isinstance(document, dict) for document in documents):
        raise SettingsError(
            f"--event-file {flags.event_file}: expected the JSON object of an event,"
            " or an array of such objects"
        )
    batched = isinstance(content, list)
    if flags.attributes or flags.data or flags.data_file or flags.mode:
        return _changed_events(flags, documents, batched)
    content_type = BATCH_TYPE if batched else STRUCTURED_TYPE
    plain = _http_request(
        InvokeFlags(path=flags.path, query=flags.query, header=flags.header), None
    )
    headers = [("Content-Type", content_type), *plain.headers]
    return Outgoing("POST", plain.path, plain.query, headers, octets)


def _changed_events(
    flags: InvokeFlags, documents: Sequence[dict[str, Any]], batched: bool
) -> Outgoing:
    data, content_type = _data(flags)
    events = []
    for document in documents:
        attributes = {k: v for k, v in document.items() if k not in ("data", "data_base64")}
        attributes |= {"datacontenttype": content_type} if content_type else {}
        value = data if data is not None else _document_data(document)
        events.append(new_event({**attributes, **flags.attributes}, value))
    mode = ContentMode(flags.mode or ("batched" if batched else "structured"))
    return _encode(flags, events, mode)


def _document_data(document: Mapping[str, Any]) -> Any:
    if "data_base64" in document:
        return base64.b64decode(document["data_base64"], validate=True)
    return document.get("data")


def _data(flags: InvokeFlags) -> tuple[bytes | None, str | None]:
    """Return the bytes and content type of the data; `None` for each that was not given."""
    if flags.data is not None and flags.data_file is not None:
        raise SettingsError("--data and --data-file are both given: expected one of them")
    if flags.data_file is not None:
        octets = _read(flags.data_file, "--data-file")
    elif flags.data is not None:
        octets = flags.data.encode(errors="surrogateescape")
    else:
        return None, flags.content_type
    return octets, flags.content_type or _guess_type(octets)


def _read(name: str, flag: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise SettingsError(f"{flag} {name} cannot be read: {error.strerror}") from None


def _guess_type(octets: bytes) -> str:
    """Guess the content type of data."""
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
        name, separator, value = text.partition(between)
        if not separator or not name.strip():
            raise SettingsError(f"{flag} is {text!r}: expected NAME{between}VALUE")
        if any(c in text for c in "\r\n\0") and between == ":":
            raise SettingsError(f"{flag} is {text!r}: a header cannot contain a line break")
        pairs.append((name.strip(), value.strip() if between == ":" else value))
    return pairs
