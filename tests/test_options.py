"""The kinds of values, and the options that a table of them gives."""

from typing import Any

import msgspec
import pytest

from pyfunc import options
from pyfunc.options import Address, Kind, Opt, Option, format_value, options_of


class Colours(msgspec.Struct, frozen=True, kw_only=True):
    red_part: float = 0.5
    names: tuple[str, ...] = ()


TABLE = {
    "paint": {"red_part": Opt(options.SECONDS, "how much red")},
    "words": {
        "names": Opt(options.PATHS, "their names", variable="NAMES", flags=("-n", "--names")),
    },
}


def option(name: str) -> Option:
    (found,) = (option for option in options_of(Colours, TABLE) if option.name == name)
    return found


def test_variable_and_flag_follow_from_the_name() -> None:
    assert option("red_part") == Option(
        "red_part",
        0.5,
        options.SECONDS,
        "paint",
        "how much red",
        "PYFUNC_RED_PART",
        ("--red-part",),
    )


def test_variable_and_flags_of_the_row_take_precedence() -> None:
    assert option("names").variable == "NAMES"
    assert option("names").flags == ("-n", "--names")


def test_row_without_a_field_is_an_error() -> None:
    with pytest.raises(KeyError, match="green"):
        options_of(Colours, {"paint": {"green": Opt(options.SWITCH, "?")}})


@pytest.mark.parametrize(
    ("flags", "long_flag"),
    [(("--a",), "--a"), (("-a", "--a-b", "--a_b"), "--a-b")],
)
def test_long_flag_is_the_first_with_two_hyphens(flags: tuple[str, ...], long_flag: str) -> None:
    assert Option("a", 1, options.COUNT, "g", "h", "A", flags).long_flag == long_flag


@pytest.mark.parametrize(
    ("kind", "default", "text"),
    [
        (options.SECONDS, 300.0, "300"),
        (options.SWITCH, False, "false"),
        (options.PATHS, ("/a", "/b"), "/a,/b"),
        (options.PORT, None, ""),
        (options.RATE, 0, ""),
        (options.PRESENCE, False, ""),
    ],
)
def test_default_text_is_one_that_gives_the_default(kind: Kind, default: Any, text: str) -> None:
    assert Option("a", default, kind, "g", "h", "A", ("--a",)).default_text == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "1.5"),
        (86400.0, "86400"),
        (1234567.0, "1234567"),
        (True, "true"),
        (("a", "b"), "a,b"),
        ((Address("::1", 80), Address(None, 81)), "[::1]:80,*:81"),
        (8080, "8080"),
    ],
)
def test_value_is_formatted_as_a_variable_states_it(value: Any, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (options.COUNT, "0", 0),
        (options.NUMBER, "1", 1),
        (options.PORT, "65535", 65535),
        (options.HOST, "[::1]", "::1"),
        (options.SECONDS, "0.5s", 0.5),
        (options.SIZE, "16Ki", 16384),
        (options.SIZE, "2g", 2_000_000_000),
        (options.SWITCH, "No", False),
        (options.PATHS, "/a, /b,", ("/a", "/b")),
        (options.ORIGINS, "a.example, *", ("a.example", "*")),
        (options.RATE, "*", 0),
        (options.EXPORTERS, "OTLP, console", ("otlp", "console")),
        (options.EXPORTERS, "otlp,none", ()),
        (options.LOG_LEVEL, "Warning", "warning"),
        (options.ADDRESSES, ":80,[::1]:81", (Address(None, 80), Address("::1", 81))),
    ],
)
def test_kind_reads_a_text(kind: Kind, text: str, value: Any) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (options.COUNT, "-1"),
        (options.COUNT, "\u0663"),
        (options.NUMBER, "0"),
        (options.PORT, "65536"),
        (options.SECONDS, "nan"),
        (options.SECONDS, "-1"),
        (options.SIZE, "64MB"),
        (options.SIZE, "0"),
        (options.SWITCH, "maybe"),
        (options.PATHS, "livez"),
        (options.PATHS, ","),
        (options.ORIGINS, "https://a.example"),
        (options.ORIGINS, "a,,b"),
        (options.RATE, "0"),
        (options.LOG_LEVEL, "loud"),
        (options.ADDRESSES, "::1:80"),
        (options.DIRECTORY, ""),
    ],
)
def test_kind_refuses_a_text(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any is reported with what the kind expects
        kind.parse(text)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address(None, 80), "*:80"),
        (Address("::1", 80), "[::1]:80"),
        (Address("localhost", 80), "localhost:80"),
    ],
)
def test_address_as_text(address: Address, text: str) -> None:
    assert str(address) == text
