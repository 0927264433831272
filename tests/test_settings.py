import os
from collections.abc import Mapping
from typing import Any

import pytest

from pyfunc.errors import SettingsError
from pyfunc.settings import OPTIONS, Address, Settings, export, set_variable


def resolved(environ: Mapping[str, str], **flags: str) -> Settings:
    return Settings.resolve(flags, environ)


def refused(environ: Mapping[str, str], **flags: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.resolve(flags, environ)
    return str(caught.value)


def test_defaults_choose_the_function_and_the_port_of_the_readme() -> None:
    settings = resolved({})

    assert settings.search_path == "."
    assert settings.module_name == "func"
    assert settings.function_name is None
    assert settings.addresses == (Address(None, 8080),)


def test_resolve_without_arguments_reads_the_environment_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODULE_NAME", "app.handlers")

    assert Settings.resolve().module_name == "app.handlers"


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("MODULE_NAME", "app.handlers", "module_name", "app.handlers"),
        ("FUNCTION_NAME", "handle", "function_name", "handle"),
        ("PORT", "0", "port", 0),
        ("PORT", "65535", "port", 65535),
        ("PORT", " 8081\n", "port", 8081),
        ("HOST", "127.0.0.1", "host", "127.0.0.1"),
        ("HOST", "[::1]", "host", "::1"),
        ("PYFUNC_SEARCH_PATH", "/srv", "search_path", "/srv"),
        ("PYFUNC_TIMEOUT", "2.5", "timeout", 2.5),
        ("PYFUNC_TIMEOUT", "10s", "timeout", 10.0),
        ("PYFUNC_MAX_BODY", "1048576", "max_body", 1048576),
        ("PYFUNC_MAX_BODY", "64Mi", "max_body", 64 << 20),
        ("PYFUNC_MAX_BODY", "5M", "max_body", 5_000_000),
        ("PYFUNC_REPLY_MODE", "Structured", "reply_mode", "structured"),
        ("PYFUNC_LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("PYFUNC_DEBUG", "TRUE", "debug", True),
        ("PYFUNC_DEBUG", "off", "debug", False),
    ],
)
def test_variable_sets_its_option(variable: str, text: str, field: str, value: Any) -> None:
    assert getattr(resolved({variable: text}), field) == value


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.0.0.1:8080", (Address("127.0.0.1", 8080),)),
        ("[::]:8080,0.0.0.0:8080", (Address("::", 8080), Address("0.0.0.0", 8080))),
        (" [::1]:80 , localhost:0 ,", (Address("::1", 80), Address("localhost", 0))),
        (":8080", (Address(None, 8080),)),
        ("*:8080", (Address(None, 8080),)),
    ],
)
def test_listen_address_is_a_list_in_place_of_host_and_port(
    text: str, addresses: tuple[Address, ...]
) -> None:
    environ = {"LISTEN_ADDRESS": text, "PORT": "9000", "HOST": "192.0.2.1"}

    assert resolved(environ).addresses == addresses


@pytest.mark.parametrize("flag", ["port", "host"])
def test_port_and_host_on_the_command_line_win_over_listen_address(flag: str) -> None:
    value = {"port": "9000", "host": "127.0.0.1"}[flag]

    assert resolved({"LISTEN_ADDRESS": "[::]:8080"}, **{flag: value}).listen_address == ()


def test_flag_wins_over_its_variable_even_a_broken_one() -> None:
    assert resolved({"PORT": "http"}, port="9000").port == 9000


def test_empty_variable_is_not_set() -> None:
    assert resolved({"PORT": "", "HOST": "", "MODULE_NAME": ""}) == Settings()


@pytest.mark.parametrize(
    ("environ", "flags", "message"),
    [
        ({"PORT": "http"}, {}, "PORT is 'http': expected a port number from 0 to 65535"),
        ({"PORT": "65536"}, {}, "PORT is '65536': expected a port number from 0 to 65535"),
        ({"PORT": "-1"}, {}, "PORT is '-1': expected a port number from 0 to 65535"),
        ({}, {"port": "٣"}, "--port is '٣': expected a port number from 0 to 65535"),
        ({}, {"search_path": ""}, "--search-path is '': expected a directory"),
        ({}, {"threads": "0"}, "--threads is '0': expected a number from 1 up"),
        ({}, {"timeout": "-1"}, "--timeout is '-1': expected a number of seconds"),
        ({}, {"timeout": "nan"}, "--timeout is 'nan': expected a number of seconds"),
        ({}, {"timeout": "inf"}, "--timeout is 'inf': expected a number of seconds"),
        (
            {"PYFUNC_MAX_BODY": "64MB"},
            {},
            "PYFUNC_MAX_BODY is '64MB': expected a number of bytes, such as 1048576 or 64Mi",
        ),
        (
            {"PYFUNC_REPLY_MODE": "batched"},
            {},
            "PYFUNC_REPLY_MODE is 'batched': expected auto, binary or structured",
        ),
        ({"PYFUNC_DEBUG": "maybe"}, {}, "PYFUNC_DEBUG is 'maybe': expected true or false"),
        *(
            (
                {"LISTEN_ADDRESS": text},
                {},
                f"LISTEN_ADDRESS is {text!r}: expected HOST:PORT pairs separated by commas,"
                " such as [::]:8080,0.0.0.0:8080",
            )
            for text in ("8080", "::1:8080", "[::1]", "localhost:", "localhost:http", ",")
        ),
    ],
)
def test_invalid_value_is_reported_with_the_expected_ones(
    environ: dict[str, str], flags: dict[str, str], message: str
) -> None:
    assert refused(environ, **flags) == message


def test_all_invalid_values_are_reported_at_once() -> None:
    assert refused({"PORT": "x", "PYFUNC_THREADS": "many"}).splitlines() == [
        "PORT is 'x': expected a port number from 0 to 65535",
        "PYFUNC_THREADS is 'many': expected a number from 1 up",
    ]


@pytest.mark.parametrize(
    ("environ", "field", "value"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "traces_exporter", ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, "traces_exporter", ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "traces_protocol", "grpc"),
    ],
)
def test_variables_of_opentelemetry_change_defaults(
    environ: dict[str, str], field: str, value: Any
) -> None:
    assert getattr(resolved(environ), field) == value


def test_export_sets_the_variables_of_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PORT", "PYFUNC_TIMEOUT"):
        monkeypatch.setenv(variable, "1")
    export({"port": "9000", "timeout": "5"})

    assert (os.environ["PORT"], os.environ["PYFUNC_TIMEOUT"]) == ("9000", "5")


def test_set_variable_changes_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "before")
    set_variable("PROMETHEUS_MULTIPROC_DIR", "after")

    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == "after"


def test_wrong_option_is_exit_code_2() -> None:
    assert SettingsError.exit_code == 2


def test_drain_delay_is_none_behind_the_queue_proxy_of_knative() -> None:
    assert resolved({"K_SERVICE": "hello"}).drain_delay == 0
    assert resolved({"K_SERVICE": "hello", "PYFUNC_DRAIN_DELAY": "3"}).drain_delay == 3


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]  # that is the test


def test_every_option_has_a_row_with_help() -> None:
    assert [option.name for option in OPTIONS] == list(Settings.__struct_fields__)
    assert all(option.help and option.kind.expected for option in OPTIONS)


def test_every_default_is_a_value_that_its_kind_gives() -> None:
    texts = {option.name: option.default_text for option in OPTIONS}
    impossible = [name for name, text in texts.items() if not text]
    by_omission = [option.name for option in OPTIONS if option.default in (None, ())]

    assert set(impossible) - set(by_omission) == {"no_color", "webhook_rate"}


def test_no_flag_and_no_variable_means_two_options() -> None:
    flags = [flag for option in OPTIONS for flag in option.flags]
    variables = [option.variable for option in OPTIONS]

    assert len(set(flags)) == len(flags)
    assert len(set(variables)) == len(variables)


def test_options_of_the_platform_keep_their_names() -> None:
    own = {option.variable for option in OPTIONS if not option.variable.startswith("PYFUNC_")}

    assert {"PORT", "HOST", "LISTEN_ADDRESS", "MODULE_NAME", "FUNCTION_NAME"} <= own


@pytest.mark.parametrize("name", ["search_path", "module_name", "function_name"])
def test_spelling_of_deployed_build_packs_is_accepted(name: str) -> None:
    option = next(option for option in OPTIONS if option.name == name)

    assert {f"--{name}", f"--{name.replace('_', '-')}", f"-{name[0]}"} == set(option.flags)
