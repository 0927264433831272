"""Data between the wire and Python, without a server."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfunc.cloudevents.data import Kind, Payload, dump_json, media_type, parse_json
from pyfunc.errors import MalformedBodyError, ReplyError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)


@pytest.mark.slow
@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert parse_json(dump_json(value)) == value


@pytest.mark.slow
@given(JSON)
def test_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps(value)
    assert parse_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[NaN]",
        b"1e400",
        b"18446744073709551616",
        b'{"a": [1, -9223372036854775809]}',
        b"9" * 5000,
        b"{'a': 1}",
        b"[1,]",
        b"[1] 2",
        b"\xff",
        b'"\xff"',
        b'"\\ud800"',
        b"",
        b" ",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 257 + b"1" + b"]" * 257,
        b'{"":[' * 150 + b"]}" * 150,
    ],
    ids=lambda text: f"{text[:16]!r} of {len(text)}",
)
def test_json_that_others_could_not_hold_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"0.12345678901234567890123", 0.12345678901234568),
        (b'"' + b"9" * 40 + b'"', "9" * 40),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'["' + b"[" * 1000 + b'"]', ["[" * 1000]),
    ],
)
def test_json_that_only_looks_extreme_is_read(text: bytes, value: Any) -> None:
    assert parse_json(text) == value


def test_json_may_be_nested_256_deep() -> None:
    value = parse_json(b"[" * 256 + b"]" * 256)
    assert dump_json(value) == b"[" * 256 + b"]" * 256


@pytest.mark.slow
def test_brackets_in_text_cost_no_more_than_their_length() -> None:
    """To take them off pair by pair would outlast every test."""
    text = b'"' + b"[" * 5_000_000 + b"]" * 5_000_000 + b'"'
    assert len(parse_json(text)) == 10_000_000


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        {"a": {"b": -math.inf, "c": None}},
        object(),
        {(1, 2): 3},
        "\ud800",
        {"\udfff": 1},
        10**5000,
    ],
    ids=["NaN", "Infinity", "nested", "object", "key", "surrogate", "key surrogate", "too long"],
)
def test_what_has_no_json_form_cannot_be_sent(value: Any) -> None:
    with pytest.raises(ReplyError):
        dump_json(value)


def test_value_that_holds_itself_cannot_be_sent() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ReplyError, match="holds itself"):
        dump_json(loop)


@pytest.mark.parametrize(
    ("text", "kind", "charset", "is_valid"),
    [
        ("application/json", Kind.JSON, "utf-8", True),
        ("Application/JSON; charset=UTF-16", Kind.JSON, "utf-16", True),
        ("text/json", Kind.JSON, "utf-8", True),
        ("application/vnd.a.b+json;v=1", Kind.JSON, "utf-8", True),
        ("application/json-seq", Kind.OCTETS, "utf-8", True),
        ("application/xml", Kind.OCTETS, "utf-8", True),
        ('text/plain ; x=y; Charset="ISO-8859-15"', Kind.TEXT, "iso-8859-15", True),
        ("text/plain; charset=", Kind.TEXT, "", True),
        ("text/plain; charset=nonsense", Kind.TEXT, "", True),
        ("text/plain; charset=punycode", Kind.TEXT, "", True),
        ("text/plain; charset=idna", Kind.TEXT, "", True),
        ("text/plain; charset=unicode_escape", Kind.TEXT, "", True),
        ("json", Kind.JSON, "utf-8", False),
        ("text", Kind.OCTETS, "utf-8", False),
        ("text/", Kind.TEXT, "utf-8", False),
        ("text/pl ain", Kind.TEXT, "utf-8", False),
        ("text/plain\n", Kind.TEXT, "utf-8", False),
        ("", Kind.UNSTATED, "utf-8", False),
        (None, Kind.UNSTATED, "utf-8", False),
    ],
)
def test_media_types(text: str | None, kind: Kind, charset: str, is_valid: bool) -> None:
    media = media_type(text)
    assert (media.kind, media.charset, media.is_valid) == (kind, charset, is_valid)


@pytest.mark.parametrize(
    ("octets", "content_type", "value"),
    [
        (b"", "application/json", None),
        (b'\xef\xbb\xbf{"a": 1}', "application/json", {"a": 1}),
        ('{"a": "\u00e9"}'.encode("utf-16"), "application/json; charset=utf-16", {"a": "\u00e9"}),
        (b"", "text/plain", None),
        (b"\xc3\xa9", "text/plain", "\u00e9"),
        (b"\xe9", "text/plain; charset=latin-1", "\u00e9"),
        (b'"quoted"', "text/plain", '"quoted"'),
        (b"null", "text/plain", "null"),
        (b"", None, None),
        (b"[1]", None, [1]),
        (b"[1", None, b"[1"),
        (b"{}", "image/png", b"{}"),
    ],
)
def test_values(octets: bytes, content_type: str | None, value: Any) -> None:
    assert Payload(octets, media_type(content_type)).value() == value


@pytest.mark.parametrize(
    ("octets", "content_type"),
    [
        (b"\xff", "text/plain"),
        (b"\x80", "text/plain; charset=us-ascii"),
        (b"x", "text/plain; charset=utf-16"),
        (b"x", "text/plain; charset=rot13"),
        (b"eA==", "text/plain; charset=base64"),
        (b"x", "text/plain; charset=undefined"),
        (b"\xff", "application/json; charset=utf-8"),
        (b"x", "application/json; charset=\x01"),
    ],
)
def test_what_is_not_as_stated_is_malformed(octets: bytes, content_type: str) -> None:
    with pytest.raises(MalformedBodyError):
        Payload(octets, media_type(content_type)).value()


@given(st.binary(), st.sampled_from(["application/octet-stream", "image/png", "a/b; charset=x"]))
def test_octets_stay_octets(octets: bytes, content_type: str) -> None:
    assert Payload(octets, media_type(content_type)).value() == (octets or None)


@given(st.binary(), st.text())
def test_any_octets_of_any_type_have_a_value_or_are_malformed(octets: bytes, kind: str) -> None:
    for content_type in (kind, f"text/plain; charset={kind}", f"a/json; charset={kind}", None):
        try:
            Payload(octets, media_type(content_type)).value()
            Payload(octets, media_type(content_type)).text()
        except MalformedBodyError:
            pass
