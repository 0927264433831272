"""The report of `check`, as text and as JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pyfunc.cli.check import WIDTH, describe, report
from pyfunc.settings import Address, Settings
from tests.support.checking import Check
from tests.support.serving import ROOT, pyfunc

TYPED = """\
from dataclasses import dataclass

import pyfunc


@dataclass
class Order:
    n: int


async def main(data: Order, context, *, limit=3) -> pyfunc.Event | None:
    return None


def on_startup(): ...
"""


def test_everything_is_told_in_80_columns(check: Check) -> None:
    found = check(TYPED, timeout=5.0, listen_address=(Address("127.0.0.1", 80),))
    assert (
        describe(found)
        == """\
func.py:11 main: async event function

receives
  data     the event's data, as Order; required
  context  this invocation: its id, the time left, a logger
  limit    its default

returns
  Event  200, that event
  None   200, empty

hooks
  on_startup  called before the first request

options that were changed
  LISTEN_ADDRESS  127.0.0.1:80 (default: none)
  PYFUNC_TIMEOUT  5 (default: 300)

It can be served."""
    )


def test_json_has_the_documented_shape(check: Check) -> None:
    found = check(TYPED, timeout=5.0)
    assert found == {
        "ok": True,
        "function": {
            "name": "func.main",
            "place": "func.py:11",
            "kind": "event",
            "async": True,
            "streaming": False,
        },
        "parameters": [
            {
                "name": "data",
                "source": "data",
                "receives": "the event's data",
                "type": "Order",
                "absent": "refused",
            },
            {
                "name": "context",
                "source": "context",
                "receives": "this invocation: its id, the time left, a logger",
                "type": None,
                "absent": "never",
            },
            {
                "name": "limit",
                "source": None,
                "receives": "its default",
                "type": None,
                "absent": "default",
            },
        ],
        "answers": [
            {"returned": "Event", "answered": "200, that event"},
            {"returned": "None", "answered": "200, empty"},
        ],
        "hooks": ["on_startup"],
        "options": [
            {
                "name": "timeout",
                "value": 5.0,
                "default": 300.0,
                "flag": "--timeout",
                "variable": "PYFUNC_TIMEOUT",
            },
        ],
        "warnings": [],
        "errors": [],
        "hint": None,
    }


@pytest.mark.parametrize("name", ["search_path", "module_name", "function_name"])
def test_json_names_the_flag_as_the_help_does(tmp_path: Path, name: str) -> None:
    settings: dict[str, Any] = {"search_path": str(tmp_path), name: "nowhere"}
    options = report(Settings(**settings))["options"]
    [flag] = [option["flag"] for option in options if option["name"] == name]
    assert flag == f"--{name.replace('_', '-')}"


def test_every_member_of_the_json_is_documented(check: Check) -> None:
    documented = (ROOT / "docs/check.md").read_text()
    found = check("def main(data, body): ...", port=1)
    names = [*found, *found["function"], *found["parameters"][0], *found["answers"][0]]
    names += [*found["options"][0], *found["warnings"][0]]
    assert [name for name in names if not re.search(rf"\b{name}`", documented)] == []


@pytest.mark.parametrize(
    ("signature", "absent"),
    [
        ("data", "none"),
        ("data: str", "empty"),
        ("data: bytes", "empty"),
        ("data: dict", "refused"),
        ("data: dict | None", "none"),
        ("data: dict | None = None", "default"),
        ("data: dict = {}", "default"),
        ("data=3", "default"),
        ("body", "empty"),
        ("event", "never"),
        ("attributes: dict", "never"),
        ("query: dict", "never"),
        ("query: 'Fields'", "refused"),
        ("headers: dict = {}", "never"),
        ("event=None", "never"),
        ("colour='red'", "default"),
    ],
)
def test_absence_is_told(check: Check, signature: str, absent: str) -> None:
    text = f"class Fields(__import__('typing').TypedDict): ...\ndef main({signature}): ..."
    assert check(text)["parameters"][0]["absent"] == absent


def test_hook_in_place_of_the_function_is_told(check: Check) -> None:
    found = check("def is_ready(): ...", function_name="is_ready")
    assert found["errors"] == [
        "is_ready is a hook: expected another function, with -f or FUNCTION_NAME"
    ]


@pytest.mark.parametrize("hook", ["on_startup", "on_shutdown", "is_ready", "is_alive"])
@pytest.mark.parametrize(
    ("parameters", "is_fault"), [("app", True), ("app=None", False), ("*a, **k", False)]
)
def test_a_hook_that_needs_arguments_cannot_be_served(
    check: Check, hook: str, parameters: str, is_fault: bool
) -> None:
    found = check(f"def main(): ...\nasync def {hook}({parameters}): ...")
    fault = f"{hook}: hooks are called without arguments; remove app"
    assert found["errors"] == ([fault] if is_fault else [])
    assert found["ok"] is not is_fault


def test_mistakes_of_signature_and_hooks_are_told_together(check: Check) -> None:
    found = check("def main(dta, evnt): ...\ndef on_startup(app): ...")
    assert [e.partition(":")[0] for e in found["errors"]] == ["dta", "evnt", "on_startup"]
    assert [warning["code"] for warning in found["warnings"]] == ["hook-with-parameters"]
    assert found["hint"].startswith("A parameter may be named event, data, ")
    text = describe(found)
    assert text.endswith("It cannot be served.")
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("name", sorted(p.name for p in (ROOT / "examples").iterdir()))
def test_no_line_is_longer_than_80_columns(name: str) -> None:
    shown = pyfunc("check", cwd=ROOT / "examples" / name).stdout
    assert max(map(len, shown.splitlines())) <= WIDTH


def test_json_is_for_machines_whatever_is_found(tmp_path: Path) -> None:
    done = pyfunc("check", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert (found["ok"], found["function"]) == (False, None)
    assert "there is no module func" in found["errors"][0]


def test_strict_makes_warnings_faults(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(event):\n    return event\n")
    assert pyfunc("check", cwd=tmp_path).returncode == 0
    assert pyfunc("check", "--strict", cwd=tmp_path).returncode == 1


def test_traceback_of_a_failing_import_keeps_its_lines(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("import json\n\njson.loads('{')\n")
    done = pyfunc("check", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r'File ".*func.py", line 3, in <module>\n +json.loads', done.stdout)
    assert "site-packages/pyfunc" not in done.stdout
