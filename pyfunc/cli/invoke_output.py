"""The output of `invoke`: a curl command, JSON, or text with the verdict of a Knative broker.

`docs/invoke.md` describes the JSON.
"""

import base64
import contextlib
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from pyfunc.cloudevents.data import Kind, media_type
from pyfunc.cloudevents.event import Event
from pyfunc.errors import MalformedBodyError
from pyfunc.testing.exchange import Answer, target
from pyfunc.testing.samples import Outgoing

__all__ = ["as_document", "as_json", "curl_command", "describe"]

WIDTH = 80


def curl_command(url: str, outgoing: Outgoing) -> str:
    """Format a request as a `curl` command for a shell."""
    words = ["curl", "--include", "--globoff"]
    if outgoing.method != ("POST" if outgoing.body else "GET"):
        words += ["--request", outgoing.method]
    for name, value in outgoing.headers:
        words += ["--header", f"{name}: {value}" if value else f"{name};"]
    if outgoing.body and outgoing.header("Content-Type") is None:
        words += ["--header", "Content-Type:"]  # otherwise curl sends the type of a form
    return _with_body([*words, str(target(url, outgoing))], outgoing.body)


def _with_body(words: list[str], body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # an argument cannot contain these bytes
        octets = base64.b64encode(body).decode()
        return f"echo {octets} | base64 --decode | {shlex.join([*words, '--data-binary', '@-'])}"
    return shlex.join([*words, "--data-raw", text] if text else words)


def as_document(outgoing: Outgoing, answer: Answer, lines: list[str]) -> Mapping[str, Any]:
    """Collect the members of the JSON.

    Args:
        outgoing: The request.
        answer: The response.
        lines: The output and log of the function.
    """
    verdict = answer.outcome
    return {
        "ok": verdict.ok if outgoing.is_event else answer.status < 400,
        "request": {
            "method": outgoing.method,
            "path": outgoing.path,
            "query": [list(pair) for pair in outgoing.query],
            "headers": _headers(outgoing.headers),
            **_body(outgoing.body, outgoing.header("Content-Type")),
        },
        "status": answer.status,
        "reason": answer.reason,
        "headers": _headers(answer.headers.items()),
        **_body(answer.body, answer.headers.get("Content-Type")),
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
    """Map lower-case names to values; those of a repeated name are joined (RFC 9110, 5.2)."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        key = str(name).lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def _body(body: bytes, content_type: str | None) -> Mapping[str, Any]:
    try:
        return {"body": body.decode(media_type(content_type).charset)}
    except (UnicodeDecodeError, LookupError):
        return {"body_base64": base64.b64encode(body).decode()}


def _event_document(event: Event) -> Mapping[str, Any]:
    """Encode an event as in the CloudEvents JSON format, section 3."""
    if isinstance(event.data, bytes):
        return {**event.attributes, "data_base64": base64.b64encode(event.data).decode()}
    return {**event.attributes, "data": event.data} if event.has_data else event.attributes


def _sentence(outgoing: Outgoing, answer: Answer) -> str:
    sentence = answer.outcome.sentence
    if outgoing.is_event:
        return sentence
    return f"Had this been an event: {sentence[:1].lower()}{sentence[1:]}"


def as_json(document: Mapping[str, Any]) -> str:
    """Format the document for programs."""
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def describe(document: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    """Yield the lines for people: status, headers, reply, time and verdict."""
    yield f"{answer.status} {answer.reason}".rstrip()
    yield from (f"{name}: {value}" for name, value in answer.headers.items())
    if answer.events:
        for event in answer.events:
            yield from ("", *_event_lines(event))
    elif answer.body:
        yield from ("", *_body_lines(answer))
    yield from ("", f"It took {answer.seconds * 1000:.0f} ms.")
    yield from textwrap.wrap(document["outcome"]["sentence"], WIDTH, break_long_words=False)


def _event_lines(event: Event) -> Iterator[str]:
    width = max(map(len, event.attributes))
    yield "event"
    yield from (f"  {name:<{width}}  {_value(value)}" for name, value in event.attributes.items())
    if event.has_data:
        yield "data"
        yield from (f"  {line}" for line in _pretty(event.data).splitlines())


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body_lines(answer: Answer) -> Iterator[str]:
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
