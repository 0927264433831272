"""The table of commands, as `--help` shows it."""

import pytest

from pyfunc.cli.commands import COMMANDS, EVERY_GROUP, Command
from pyfunc.settings import OPTIONS, Settings
from tests.support.serving import ROOT, pyfunc

NAMES = [command.name for command in COMMANDS]


def test_help_lists_every_command() -> None:
    shown = pyfunc("--help", cwd=ROOT).stdout
    assert [name for name in NAMES if f"    {name} " not in shown] == []


@pytest.mark.parametrize("row", COMMANDS, ids=NAMES)
def test_help_has_an_example_and_the_options_that_matter(row: Command) -> None:
    shown = pyfunc(row.name, "--help", cwd=ROOT, env={"COLUMNS": "80"}).stdout
    assert f"  python -m pyfunc {row.name}" in shown.partition("\nexamples:\n")[2]
    for option in OPTIONS:
        assert (f"[{option.variable}" in shown) == (
            option.group in row.groups or option.name in row.options
        ), option.name
    assert max(map(len, shown.splitlines())) <= 80


def test_groups_are_those_of_the_options() -> None:
    assert {group for command in COMMANDS for group in command.groups} <= set(EVERY_GROUP)


@pytest.mark.parametrize("row", COMMANDS, ids=NAMES)
def test_command_loads_what_runs_it(row: Command) -> None:
    assert callable(row.load())


def test_no_flag_has_the_name_of_an_option() -> None:
    options = set(Settings.__struct_fields__)
    flags = {
        flag.names[-1].lstrip("-").replace("-", "_")
        for command in COMMANDS
        for flag in command.flags
    }
    assert flags.isdisjoint(options)
