"""Cached layouts change no result, only its cost."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from pyfunc import Event
from pyfunc.cloudevents import http_binding, json_format
from pyfunc.cloudevents.header_layouts import decoding_layout, verbatim
from pyfunc.cloudevents.http_binding import ContentMode, decode, encode_batch, encode_lines
from pyfunc.errors import ReplyError, RequestError
from tests.cloudevents.strategies import BODIES, DOCUMENTS, HEADERS, MODES, any_event

REQUIRED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
USUAL = {**{f"ce-{n}": v for n, v in REQUIRED.items()}, "Content-Type": "application/json"}


def both_ways(monkeypatch: pytest.MonkeyPatch, result: Callable[[], Any]) -> tuple[Any, Any]:
    """The result with layouts, and without."""

    def outcome() -> Any:
        try:
            return result()
        except (RequestError, ReplyError) as error:
            return type(error), str(error), getattr(error, "errors", ())

    with_layouts = outcome()
    with monkeypatch.context() as patch:
        patch.setattr(http_binding, "decoding_layout", lambda _: None)
        patch.setattr(http_binding, "verbatim", lambda _: None)
        patch.setattr(json_format, "media_of", lambda _: None)
        patch.setattr(json_format, "media_of_each", lambda several: [None] * len(several))
        return with_layouts, outcome()


def parts(event: Event) -> tuple[Any, ...]:
    try:
        data = event.data
    except RequestError as error:
        data = str(error)
    return list(event.original.items()), event.payload, event.has_data, data


def alike(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """Valid attributes with the same names."""
    usual = {**REQUIRED, "time": "2026-01-02T03:04:05Z", "datacontenttype": "application/json"}
    return {name: usual.get(name, "https://example.com") for name in attributes}


def same_decoded(
    monkeypatch: pytest.MonkeyPatch, mode: ContentMode, headers: Mapping[str, str], body: bytes
) -> None:
    usual, careful = both_ways(monkeypatch, lambda: list(map(parts, decode(mode, headers, body))))
    assert usual == careful


def same_encoded(monkeypatch: pytest.MonkeyPatch, event: Event, mode: ContentMode | None) -> None:
    usual, careful = both_ways(monkeypatch, lambda: encode_lines(event, mode))
    assert usual == careful
    others = [Event.unchecked(alike(event._attributes), 1)] * 20
    for several in ([event], [*others, event, *others]):
        usual, careful = both_ways(monkeypatch, partial(encode_batch, several))
        assert usual == careful


_ONCE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@_ONCE
@given(MODES, HEADERS, BODIES | DOCUMENTS | DOCUMENTS.map(lambda text: b"[%b]" % text))
def test_any_octets_are_decoded_as_without(
    monkeypatch: pytest.MonkeyPatch,
    mode: ContentMode,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    same_decoded(monkeypatch, mode, CIMultiDict(headers), body)


@_ONCE
@given(any_event(), st.sampled_from([None, ContentMode.BINARY, ContentMode.STRUCTURED]))
def test_any_event_is_encoded_as_without(
    monkeypatch: pytest.MonkeyPatch, event: Event, mode: ContentMode | None
) -> None:
    same_encoded(monkeypatch, event, mode)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="usual"),
        pytest.param({"ce-time": "2026-01-02T03:04:05Z"}, id="time"),
        pytest.param({"ce-time": "yesterday"}, id="no time"),
        pytest.param({"ce-dataschema": "relative"}, id="no absolute URI"),
        pytest.param({"ce-specversion": "0.3"}, id="version 0.3"),
        pytest.param({"ce-specversion": "2.0"}, id="another version"),
        pytest.param({"ce-specversion": "0.3", "ce-datacontentencoding": "base64"}, id="encoding"),
        pytest.param({"ce-subject": "a%20b"}, id="percent"),
        pytest.param({"ce-subject": "\u00e4"}, id="beyond ASCII"),
        pytest.param({"ce-subject": "a b"}, id="space"),
        pytest.param({"ce-subject": ""}, id="empty"),
        pytest.param({"ce-subject": "x" * 5000}, id="long"),
        pytest.param({"ce-datacontenttype": "text/plain"}, id="a header for the content type"),
        pytest.param({"ce-data": "1"}, id="no name"),
        pytest.param({"ce-a-b": "1"}, id="hyphen"),
        pytest.param({"ce-": "1"}, id="no name at all"),
        pytest.param({"ce-id\nce-other": "1"}, id="line break"),
        pytest.param({"Content-Type": ""}, id="empty content type"),
        pytest.param({"Content-Type": "text"}, id="no media type"),
        pytest.param({"Content-Type": "text/plain; charset=latin-1"}, id="charset"),
        pytest.param({"Content-Type": "text/plain; a=" + "b" * 5000}, id="long content type"),
    ],
)
def test_headers_are_decoded_as_without(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str]
) -> None:
    same_decoded(monkeypatch, ContentMode.BINARY, CIMultiDict({**USUAL, **changed}), b"{}")


@pytest.mark.parametrize("name", [*USUAL])
def test_missing_and_repeated_headers_are_reported_as_without(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    without = CIMultiDict({n: v for n, v in USUAL.items() if n != name})
    same_decoded(monkeypatch, ContentMode.BINARY, without, b"{}")
    same_decoded(monkeypatch, ContentMode.BINARY, CIMultiDict([*USUAL.items(), (name, "2")]), b"{}")


USUAL_DOCUMENT = {**REQUIRED, "time": "2026-01-02T03:04:05Z", "data": {"n": 1}}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="usual"),
        pytest.param({"data": None}, id="null"),
        pytest.param({"data": 12345678901234567890}, id="unsigned"),
        pytest.param({"data": 123456789012345678901}, id="beyond 64 bits"),
        pytest.param({"data": "text", "datacontenttype": "text/plain"}, id="text"),
        pytest.param({"data": "a\r\n", "datacontenttype": "application/xml"}, id="octets"),
        pytest.param({"datacontenttype": "application/cbor+json; charset=latin-1"}, id="charset"),
        pytest.param({"data_base64": "AAH/"}, id="both kinds of data"),
        pytest.param({"subject": None}, id="unset"),
        pytest.param({"subject": "\u00e4"}, id="beyond ASCII"),
        pytest.param({"subject": "x" * 5000}, id="long"),
        pytest.param({"n": 5}, id="number"),
        pytest.param({"time": "yesterday"}, id="no time"),
        pytest.param({"dataschema": "relative"}, id="no absolute URI"),
        pytest.param({"specversion": "0.3"}, id="version 0.3"),
        pytest.param({"id": ""}, id="empty id"),
        pytest.param({"datacontenttype": "text"}, id="no media type"),
        pytest.param({"datacontenttype": 5}, id="content type that is no text"),
        pytest.param({"datacontenttype": ["text/plain"]}, id="content type that is a list"),
    ],
)
def test_documents_are_decoded_as_without(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    document = {**USUAL_DOCUMENT, **changed}
    same_decoded(monkeypatch, ContentMode.STRUCTURED, {}, json.dumps(document).encode())
    for other in (USUAL_DOCUMENT, alike(document)):
        batch = json.dumps([*[other] * 20, document, *[other] * 20]).encode()
        same_decoded(monkeypatch, ContentMode.BATCHED, {}, batch)


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "other\r\nSet-Cookie: a=1"


@pytest.mark.parametrize(
    ("changed", "data"),
    [
        pytest.param({"n": 5, "f": True}, 1, id="other types"),
        pytest.param({"n": Text("text")}, 1, id="a kind of text"),
        pytest.param({"datacontenttype": 5}, 1, id="content type of another type"),
        pytest.param({"datacontenttype": Text("application/json")}, 1, id="content type, a text"),
        pytest.param({"datacontenttype": "application/xml"}, 1, id="another content type"),
        pytest.param({"datacontenttype": "text/plain"}, "text", id="text"),
        pytest.param({"datacontenttype": "text/plain; charset=latin-1"}, "\u20ac", id="charset"),
        pytest.param({"time": None}, 1, id="unset"),
        pytest.param({"subject": "a\r\nb: c"}, 1, id="line break"),
        pytest.param({"a\nb": "1"}, 1, id="line break in a name"),
        pytest.param({5: "1"}, 1, id="a name that is no text"),
        pytest.param({"data": "1"}, 1, id="a name that is none"),
        pytest.param({"id": ""}, 1, id="empty id"),
        pytest.param({}, None, id="no data"),
        pytest.param({}, b"\xff", id="octets"),
        pytest.param({"specversion": "0.3", "datacontentencoding": "base64"}, b"1", id="0.3"),
    ],
)
def test_attributes_are_encoded_as_without(
    monkeypatch: pytest.MonkeyPatch, changed: dict[Any, Any], data: Any
) -> None:
    for mode in (None, ContentMode.BINARY):
        same_encoded(monkeypatch, Event.unchecked({**REQUIRED, **changed}, data), mode)


def test_layouts_are_found_for_usual_names_only() -> None:
    assert decoding_layout(USUAL) is decoding_layout(CIMultiDict(USUAL))
    assert decoding_layout(["ce-id"]) is None
    first, second = verbatim(REQUIRED), verbatim(dict(REQUIRED))
    assert first is not None
    assert second is not None
    assert first[0] is second[0]
    assert verbatim({"id": "1"}) is None
    assert decoding_layout([*USUAL, "x" * 5000]) is None
    assert verbatim({**REQUIRED, "x" * 5000: "1"}) is None
