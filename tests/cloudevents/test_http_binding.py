import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from pyfunc import Event
from pyfunc.cloudevents.attributes import is_verbatim
from pyfunc.cloudevents.http_binding import (
    ContentMode,
    content_mode,
    decode,
    encode,
    encode_batch,
    encode_lines,
    header_value,
)
from pyfunc.cloudevents.json_format import BATCH_TYPE, STRUCTURED_TYPE
from pyfunc.errors import InvalidEventError, ReplyError, RequestError, UnsupportedFormatError
from tests.cloudevents.strategies import (
    BODIES,
    DOCUMENTS,
    HEADERS,
    MODES,
    REQUIRED,
    any_event,
    as_text,
    read,
)


@pytest.mark.parametrize(
    ("headers", "mode"),
    [
        pytest.param({}, None, id="no event"),
        pytest.param({"Content-Type": "application/json"}, None, id="JSON"),
        pytest.param({"ce-specversion": "1.0"}, ContentMode.BINARY, id="binary"),
        pytest.param({"CE-Type": "t"}, ContentMode.BINARY, id="any header of an attribute"),
        pytest.param({"Content-Type": STRUCTURED_TYPE}, ContentMode.STRUCTURED, id="structured"),
        pytest.param(
            {"Content-Type": STRUCTURED_TYPE, "ce-id": "1"},
            ContentMode.STRUCTURED,
            id="the content type wins",
        ),
        pytest.param({"Content-Type": BATCH_TYPE.upper()}, ContentMode.BATCHED, id="batched"),
    ],
)
def test_content_modes(headers: dict[str, str], mode: ContentMode | None) -> None:
    assert content_mode(CIMultiDict(headers)) is mode


@pytest.mark.parametrize("kind", ["application/cloudevents+xml", "application/cloudevents-batch"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedFormatError, match="the event format is not spoken here"):
        content_mode(CIMultiDict({"Content-Type": kind}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("a%20b", "a b", id="percent-encoded"),
        pytest.param("100%", "100%", id="lone percent sign"),
        pytest.param("%2541", "%41", id="one round of decoding"),
        pytest.param(r'"a\"b"', 'a"b', id="quoted"),
        pytest.param("\u20ac", "\u20ac", id="raw UTF-8"),
    ],
)
def test_values_of_headers_are_decoded(value: str, text: str) -> None:
    faults: dict[str, str] = {}

    assert header_value("subject", value, faults) == text
    assert faults == {}


def test_value_that_is_no_utf_8_is_a_fault() -> None:
    faults: dict[str, str] = {}

    header_value("subject", "%ff", faults)

    assert faults == {"subject": "expected UTF-8 after percent-decoding"}


@given(st.text(st.sampled_from('aZ0!"%~ \t\x7f\x80ä€\ud800\ufffe'), max_size=4))
def test_verbatim_value_is_not_changed_by_decoding(value: str) -> None:
    faults: dict[str, str] = {}
    if is_verbatim(value):
        assert header_value("subject", value, faults) == value
        assert not faults


def test_lines_have_a_content_type_wherever_there_is_a_body() -> None:
    lines, body = encode_lines(Event(REQUIRED, b"\xff"))

    assert "Content-Type: application/octet-stream\r\n" in lines
    assert body == b"\xff"
    assert "Content-Type" not in encode_lines(Event(REQUIRED))[0]


def test_value_too_long_for_a_header_goes_out_structured() -> None:
    event = Event({**REQUIRED, "ext": "x" * 5000})
    assert encode(event).headers == [("Content-Type", STRUCTURED_TYPE)]


def test_text_that_its_charset_lacks_goes_out_structured() -> None:
    event = Event({**REQUIRED, "datacontenttype": "text/plain; charset=latin-1"}, "\u20ac")
    assert read(encode(event)) == [event]
    with pytest.raises(ReplyError, match="no form in the charset"):
        encode(event, ContentMode.BINARY)


@given(any_event())
def test_any_event_is_read_as_it_was_written(event: Event) -> None:
    assert read(encode(event, ContentMode.BINARY)) == [as_text(event)]
    assert read(encode(event, ContentMode.STRUCTURED)) == [event]
    assert read(encode_batch([event, event])) == [event, event]


@given(MODES, HEADERS, BODIES | DOCUMENTS | DOCUMENTS.map(lambda text: b"[%b]" % text))
def test_any_octets_are_an_event_or_a_400(
    mode: ContentMode, headers: list[tuple[str, str]], body: bytes
) -> None:
    refused: RequestError | None = None
    try:
        events = decode(mode, CIMultiDict(headers), body)
        for event in events:
            event.data  # noqa: B018 - read for the first time
    except RequestError as error:
        refused, events = error, []
    if refused is not None:
        assert refused.status == 400
        assert json.dumps(refused.errors)
        assert refused.detail.encode()
    for event in events:
        again = read(encode(event))
        assert as_text(again[0]).attributes == as_text(event).attributes


@given(st.text(st.characters(), max_size=50))
def test_faults_do_not_repeat_what_was_sent(text: str) -> None:
    assume(len(text) > 3 and text not in "expected a value, found an empty one UTF-8 missing")
    with pytest.raises(InvalidEventError) as caught:
        decode(ContentMode.BINARY, {"ce-specversion": f"{text}\x01"}, b"")
    assert text not in str(caught.value)


def test_batch_of_faults_is_reported_in_part() -> None:
    with pytest.raises(InvalidEventError) as caught:
        decode(ContentMode.BATCHED, {"Content-Type": BATCH_TYPE}, b"[" + b"{}," * 999 + b"{}]")
    assert len(caught.value.errors) == 101
    assert caught.value.errors[-1] == "and more"


@pytest.mark.parametrize("mode", [None, *ContentMode])
@pytest.mark.parametrize(
    "kind",
    [
        STRUCTURED_TYPE,
        BATCH_TYPE,
        "Application/CloudEvents+JSON; a=b",
        "application/cloudevents+avro",
    ],
)
def test_an_event_in_the_data_of_another_goes_out_structured(
    kind: str, mode: ContentMode | None
) -> None:
    event = Event({**REQUIRED, "datacontenttype": kind}, {"id": "inner"})
    message = encode(event, mode)
    assert message.headers == [("Content-Type", STRUCTURED_TYPE)]
    lines, body = encode_lines(event, mode)
    assert (lines, body) == (f"Content-Type: {STRUCTURED_TYPE}\r\n", message.body)
    assert json.loads(body)["id"] == REQUIRED["id"]
    batch = encode_batch([event, event])
    assert [inner["id"] for inner in read(batch)] == [REQUIRED["id"]] * 2
