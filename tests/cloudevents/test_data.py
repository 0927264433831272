"""Data by its content type, without a server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyfunc.cloudevents.data import Kind, Payload, media_type
from pyfunc.errors import MalformedBodyError


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


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("text/plain", "UTF-8 text, which is assumed where no charset is stated"),
        ("text/plain; charset=us-ascii", "us-ascii text, which its Content-Type states"),
    ],
)
def test_text_that_is_not_in_its_charset_is_refused_with_the_charset(
    content_type: str, reason: str
) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        Payload(b"\xff", media_type(content_type)).value()
    assert caught.value.detail == f"the body is not {reason}"


def test_half_of_a_surrogate_pair_has_no_octets() -> None:
    text = Payload(b'"cut \\ud83d"', media_type("text/plain"), in_json=True)
    assert text.value() == text.text() == "cut \ud83d"
    with pytest.raises(MalformedBodyError, match="half of a surrogate pair"):
        text.data_octets()
    with pytest.raises(MalformedBodyError, match="half of a surrogate pair"):
        Payload(b"+2AA-", media_type("application/json; charset=utf-7")).json_text()


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
