from datetime import UTC, datetime

import pytest

from pyfunc.request.headers import (
    parse_accept,
    parse_authorization,
    parse_cookies,
    parse_date,
    parse_options,
)


def test_credentials_stay_out_of_what_a_log_shows() -> None:
    for header in ("Basic dXNlcjpwYXNz", "Bearer secret"):
        assert repr(parse_authorization(header)) in (
            "Authorization(type='basic')",
            "Authorization(type='bearer')",
        )


@pytest.mark.parametrize("header", ["Basic ???", "Basic /w==", "", None])
def test_malformed_credentials_are_none(header: str | None) -> None:
    assert parse_authorization(header) is None


def test_what_is_no_cookie_is_left_out() -> None:
    assert parse_cookies('=z; "q"=1; a=1; b c=2; d="x') == [("a", "1")]


def test_digest_credentials_are_read_by_name() -> None:
    credentials = parse_authorization('Digest username="u", realm="r, s", stray')
    assert credentials is not None
    assert (credentials["realm"], credentials.get("qop", "none")) == ("r, s", "none")
    assert "realm" in credentials
    assert "nonce" not in credentials


def test_preferences_are_written_as_they_were_read() -> None:
    assert str(parse_accept("text/html, */*;q=0.5")) == "text/html,*/*;q=0.5"


def test_hostile_headers_are_read_in_no_time() -> None:
    # Each takes hours where the time is quadratic or worse in the length.
    spaces = " " * 1_000_000
    assert parse_cookies(f"a{spaces}x") == []
    assert parse_cookies(f'a={spaces}"') == []
    assert parse_cookies('a="' + "\\" * 1_000_001) == []
    assert parse_options(f"a/b;{spaces}x") == ("a/b", {"x": ""})
    assert parse_options('a/b; x="' + ";" * 1_000_000) == ("a/b", {"x": ";" * 1_000_000})
    assert parse_options("a/b" + "; x" * 1_000_000) == ("a/b", {"x": ""})
    assert parse_accept('a/b;x="' + ',"\\' * 1_000_000)


def test_extended_options_are_decoded() -> None:
    assert parse_options("form-data; NAME*=UTF-8''%E2%82%AC; x=\"a;b\"; y") == (
        "form-data",
        {"name": "€", "x": "a;b", "y": ""},
    )


@pytest.mark.parametrize(
    "parameter",
    ["x*=idna''%ff", "x*=utf-8''%ff", "x*=hex''zz", "x*=%41", "x*=latin-9''a", "x*", "x*='a'"],
)
def test_an_extended_option_that_cannot_be_decoded_is_left_out(parameter: str) -> None:
    assert parse_options(f"a/b; {parameter}; y=1") == ("a/b", {"y": "1"})


def test_an_extended_option_takes_precedence() -> None:
    assert parse_options("form-data; filename*=UTF-8'en'%C3%BC; filename=u")[1] == {"filename": "ü"}
    assert parse_options("form-data; filename*=iso-8859-1''%FC")[1] == {"filename": "ü"}


def test_quoted_options_are_read_whole() -> None:
    options = parse_options(r'a/b; x="1;2\"3"junk; y = "4; z=5')[1]
    assert options == {"x": '1;2"3', "y": "4; z=5"}


def test_no_more_than_a_hundred_options_are_read() -> None:
    options = parse_options("a/b" + "".join(f"; {name}=1" for name in range(101)))[1]
    assert len(options) == 100


@pytest.mark.parametrize("header", ["X a=,b=c", 'X a="",b=c', "X a=, b=c,,"])
def test_credentials_may_have_empty_parameters(header: str) -> None:
    credentials = parse_authorization(header)
    assert credentials is not None
    assert credentials.parameters == {"a": "", "b": "c"}


def test_a_text_that_is_no_date_is_none() -> None:
    assert parse_date("Tue, 15 Nov 1994 08:12:31 GMT") == datetime(
        1994, 11, 15, 8, 12, 31, tzinfo=UTC
    )
    for text in ("today", "Tue, 15 Nov 99999999999 08:12:31 GMT", "1" * 1_000_000, None):
        assert parse_date(text) is None
