"""Documents that are rare, large or hostile; `test_conformance.py` has the specification."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from pyfunc.cloudevents.event import Event
from pyfunc.cloudevents.json_format import decode_batch, decode_structured
from pyfunc.errors import InvalidEventError, MalformedBodyError, RequestError

EVENT = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}
CUT = '"cut \\ud83d"'


def document(data: str = "1", **attributes: Any) -> str:
    """An event whose data is this JSON text."""
    return json.dumps({**EVENT, **attributes})[:-1] + f', "data": {data}}}'


def decoded(text: str) -> list[Event]:
    """The event in structured mode, and in a batch behind another one."""
    other = json.dumps({**EVENT, "id": "2"})
    batch = decode_batch(f"[{other},{text}]".encode("utf-8", "surrogateescape"))
    assert [event["id"] for event in batch] == ["2", "1"]
    return [decode_structured(text.encode("utf-8", "surrogateescape")), batch[1]]


def test_escapes_in_names_and_in_base64_are_those_of_json() -> None:
    """As in cloudevents/sdk-go#1128: `\\u002B` is a `+`, whatever looks at it first."""
    text = json.dumps({**EVENT, "datacontenttype": "application/octet-stream"})[:-1]
    text += ', "data\\u005fbase64": "\\u002B\\u002b++", "\\u0065xt1": "a\\/b"}'
    for event in decoded(text):
        assert event.data == b"\xfb\xef\xbe"
        assert event["ext1"] == "a/b"


@pytest.mark.parametrize(
    "data", [CUT, f"{{{CUT}: 1}}", str(2**64), str(-(10**400)), "1" + "0" * 4000]
)
def test_rare_json_arrives_exactly(data: str) -> None:
    for event in decoded(document(data)):
        assert event.data == json.loads(data)
        assert event.payload is not None
        assert event.payload.octets == data.encode()


@pytest.mark.parametrize("data", ["[" * 300 + "]" * 300, "1" * 5000, "1e400"])
def test_data_that_cannot_be_held_is_refused_when_it_is_asked_for(data: str) -> None:
    for event in decoded(document(data)):
        assert event["type"] == "t"
        with pytest.raises(MalformedBodyError):
            event.data  # noqa: B018


def test_an_attribute_with_half_of_a_surrogate_pair_is_refused_for_it() -> None:
    text = document()[:-1] + f', "subject": {CUT}}}'
    with pytest.raises(InvalidEventError, match="no control characters, no non-characters"):
        decode_structured(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        document('"\udcff"'),
        document('{"\udcac": 1}'),
        document('"\udcff"', datacontenttype="text/plain"),
        document("1", subject="a b")[:-1] + ', "ext": "\udcff"}',
    ],
)
def test_a_document_that_is_not_utf_8_is_malformed(text: str) -> None:
    with pytest.raises(MalformedBodyError, match="expected UTF-8"):
        decode_structured(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(MalformedBodyError, match="expected UTF-8"):
        decode_batch(f"[{text}]".encode("utf-8", "surrogateescape"))


def test_a_large_batch_of_unusual_events_is_read() -> None:
    events = [{**EVENT, "id": str(n), "subject": "a b", "data": n} for n in range(2000)]
    assert [event.data for event in decode_batch(json.dumps(events).encode())] == list(range(2000))


def test_a_large_batch_of_rare_events_is_read() -> None:
    text = "[" + ",".join([document(CUT)] * 2000) + "]"
    assert [event.data for event in decode_batch(text.encode())] == [json.loads(CUT)] * 2000


def many_names(count: int, prefix: str = "x") -> str:
    return ",".join(f'"{prefix}{n}":1' for n in range(count))


def test_an_event_has_at_most_a_thousand_attributes() -> None:
    stated = document(datacontenttype="application/json")[:-1]
    text = f"{stated},{many_names(995)}}}"
    assert len(decode_structured(text.encode())) == 1000
    text = f"{stated},{many_names(996)}}}"
    with pytest.raises(InvalidEventError, match="attributes: expected at most 1000, found more"):
        decode_structured(text.encode())


SIZE = 1 << 20
VALID = document("1")


@pytest.mark.parametrize(
    ("decode", "text"),
    [
        pytest.param(decode_batch, "[" + "{}," * (SIZE // 3) + "{}]", id="empty events"),
        pytest.param(decode_batch, "[" + "1," * (SIZE // 2) + "1]", id="numbers"),
        pytest.param(decode_batch, '[{"id":"1"}' + ",{}" * (SIZE // 3) + "]", id="one attribute"),
        pytest.param(
            decode_batch,
            "[" + ",".join([document(N=1)] * (SIZE // 80)) + "]",
            id="a bad name in each",
        ),
        pytest.param(
            decode_batch,
            "[" + ",".join([f"{VALID[:-1]},{many_names(500, 'X')}}}"] * 200) + "]",
            id="many bad names in each",
        ),
        pytest.param(decode_structured, f"{{{many_names(SIZE // 12, 'X')}}}", id="bad names only"),
        pytest.param(decode_structured, "[" + "{}," * (SIZE // 3) + "{}]", id="an array"),
        pytest.param(decode_batch, "{" + many_names(SIZE // 12) + "}", id="an object"),
    ],
)
def test_what_is_refused_costs_a_small_multiple_of_its_size(
    decode: Callable[[bytes], Any], text: str
) -> None:
    body = text.encode()
    tracemalloc.start()
    try:
        with pytest.raises(RequestError) as caught:
            decode(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(caught.value.errors) <= 101
    assert peak < 10 * len(body)
