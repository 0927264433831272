import pytest

from pyfunc.request.headers import parse_accept, parse_authorization, parse_cookies, parse_options


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


def test_options_are_decoded_as_rfc_2231_has_them() -> None:
    assert parse_options("form-data; NAME*=UTF-8''%E2%82%AC; x=\"a;b\"; y") == (
        "form-data",
        {"name": "€", "x": "a;b", "y": ""},
    )
