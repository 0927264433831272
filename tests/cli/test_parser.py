"""The parser: arguments to a command with its settings and flags."""

import pytest

from pyfunc.cli.commands import COMMANDS, EVERY_GROUP, Arguments, Command
from pyfunc.cli.parser import build_parser, parse
from pyfunc.errors import SettingsError
from pyfunc.settings import Settings
from tests.support.serving import ROOT, pyfunc


def parsed(*argv: str) -> tuple[Command, Arguments]:
    return parse(argv, print, print)


def test_options_are_resolved_and_their_texts_kept() -> None:
    command, arguments = parsed("start", "--port", "9000", "--debug")

    assert command.name == "start"
    assert arguments.settings == Settings.resolve({"port": "9000", "debug": "true"})
    assert arguments.options == {"port": "9000", "debug": "true"}
    assert arguments.flags == {}


def test_flags_of_a_command_are_no_options() -> None:
    _, arguments = parsed("check", "--strict", "--debug=off")

    assert arguments.flags == {"json": False, "strict": True}
    assert arguments.options == {"debug": "off"}


def test_alias_of_a_flag_is_accepted() -> None:
    _, arguments = parsed("start", "--module_name", "app")

    assert arguments.settings.module_name == "app"


@pytest.mark.parametrize("name", [command.name for command in COMMANDS if not command.flags])
def test_command_alone_is_parsed_as_by_argparse(name: str) -> None:
    values = vars(build_parser().parse_args([name]))
    command, arguments = parsed(name)

    assert command == values.pop("command")
    assert (dict(arguments.options), dict(arguments.flags)) == ({}, {})
    assert set(values.values()) == {None}


def test_invalid_value_is_reported_with_its_flag() -> None:
    with pytest.raises(SettingsError, match="--port is 'http'"):
        parsed("start", "--port", "http")


@pytest.mark.parametrize("argv", [(), ("serve",), ("start", "--colour"), ("start", "--por", "1")])
def test_unknown_argument_ends_with_2(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*argv)
    assert caught.value.code == 2
    assert "usage: pyfunc" in capsys.readouterr().err


def test_help_has_the_groups_in_the_order_of_the_options() -> None:
    shown = pyfunc("start", "--help", cwd=ROOT).stdout
    positions = [shown.index(f"\n{group}:\n") for group in EVERY_GROUP]

    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PYFUNC_TIMOUT", "; did you mean PYFUNC_TIMEOUT?"),
        ("PYFUNC_FUNCTION_NAME", "; did you mean FUNCTION_NAME?"),
        ("PYFUNC_PORT", "; did you mean PORT?"),
        ("PYFUNC_QQQ", ""),
    ],
)
def test_a_misspelt_variable_is_reported_with_the_nearest_one(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "5")
    warnings: list[str] = []
    parse(["check"], print, warnings.append)
    assert warnings == [f"pyfunc: unknown variable {name}{meant}"]
