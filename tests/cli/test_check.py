"""What `check` says of good functions, of bad ones and of those that will hurt later."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyfunc.cli.check import WIDTH, describe, report
from pyfunc.cli.warnings import PITFALLS
from pyfunc.settings import Address, Settings
from tests.support.serving import ROOT, pyfunc

Check = Callable[..., Any]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    """The report on a `func.py` of this text."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)

    def checked(text: str, **options: Any) -> Any:
        (tmp_path / "func.py").write_text(text)
        return report(Settings(**options))

    yield checked
    sys.modules.pop("func", None)


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
    directory = {"search_path": str(tmp_path)}
    options = report(Settings(**{**directory, name: str(tmp_path)}))["options"]
    [flag] = [option["flag"] for option in options if option["name"] == name]
    assert flag == f"--{name.replace('_', '-')}"


def test_every_member_of_the_json_is_documented(check: Check) -> None:
    documented = (ROOT / "docs/check.md").read_text()
    found = check("def main(data, body): ...", port=1)
    names = [*found, *found["function"], *found["parameters"][0], *found["answers"][0]]
    names += [*found["options"][0], *found["warnings"][0]]
    assert [name for name in names if not re.search(rf"\b{name}`", documented)] == []


def test_every_warning_is_documented() -> None:
    documented = (ROOT / "docs/check.md").read_text().partition("## `--json`")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", documented, re.M) == [row.code for row in PITFALLS]


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


@pytest.mark.parametrize(
    ("function", "answers"),
    [
        ("def main(data) -> None: ...", [("None", "200, empty")]),
        (
            "def main(data) -> 'tuple[dict, int]': ...",
            [("tuple[dict, int]", "200, the event of these")],
        ),
        (
            "def main(data) -> tuple[int, int]: ...",
            [
                (
                    "tuple[int, int]",
                    "200, an event with it as data: type TYPE-RECEIVED.reply, source /func/main",
                )
            ],
        ),
        (
            "import pyfunc\ndef main(data) -> list[pyfunc.Event]: ...",
            [("list[Event]", "200, a batch; of one, that event")],
        ),
        (
            "from aiohttp import web\nasync def main(req) -> web.Response: ...",
            [("Response", "as it is")],
        ),
        ("def main() -> str: ...", [("str", "text/plain; charset=utf-8")]),
        ("def main() -> bytes: ...", [("bytes", "application/octet-stream")]),
        ("def main() -> dict | None: ...", [("dict", "200, as JSON"), ("None", "204")]),
        ("def main() -> tuple[str, int]: ...", [("tuple[str, int]", "as in Flask")]),
        (
            "from collections.abc import Iterator\n"
            "def main() -> Iterator[str]:\n    yield ''\n"
            "def make() -> Iterator[str]: ...",
            [("what is yielded", "200, streamed as it comes")],
        ),
        (
            "def main(data):\n    yield ''\n",
            [("what is yielded", "200, each an event; more than one as a batch")],
        ),
    ],
)
def test_answer_is_told_from_the_return_annotation(
    check: Check, function: str, answers: list[tuple[str, str]]
) -> None:
    found = check(function)
    assert [(row["returned"], row["answered"]) for row in found["answers"]] == answers


def test_answer_names_the_reply_that_options_make(check: Check) -> None:
    found = check("def main(data) -> int: ...", reply_type="a.b", reply_source="/c")
    assert found["answers"][0]["answered"].endswith("type a.b, source /c")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param(
            "import pyfunc\nasync def main(req: pyfunc.Request): ...",
            ["sync-request-in-async"],
            id="async def with pyfunc.Request",
        ),
        pytest.param(
            "from aiohttp import web\ndef main(req: web.Request): ...",
            ["async-request-in-sync"],
            id="def with aiohttp's request",
        ),
        pytest.param(
            "def main(data, req):\n    return req.get_json()",
            ["data-and-body"],
            id="data and the request's body",
        ),
        pytest.param(
            "async def main(data, request):\n    await request.read()",
            ["data-and-body"],
            id="data and the request's body, async",
        ),
        pytest.param("def main(event, body): ...", ["data-and-body"], id="event and body"),
        pytest.param("def main(data, req):\n    return req.origin", [], id="data and a header"),
        pytest.param("def main(req):\n    return req.get_json()", [], id="body alone"),
        pytest.param(
            "def main(): ...\ndef on_startup(app): ...",
            ["hook-with-parameters"],
            id="hook with a parameter",
        ),
        pytest.param("def main(): ...\ndef is_ready(): ...", [], id="hook without"),
        pytest.param(
            "def main(): ...\ndef on_stop(): ...", ["named-like-a-hook"], id="nearly a hook"
        ),
        pytest.param("def main(): ...\nis_ready = True", ["hook-not-callable"], id="no function"),
        pytest.param("def main(method: int): ...", ["annotation-mismatch"], id="mismatch"),
        pytest.param("def main(event):\n    return event", ["endless-loop"], id="event returned"),
        pytest.param(
            "def main(event):\n    print(event)\n    return event",
            ["endless-loop"],
            id="event printed and returned",
        ),
        pytest.param(
            "def main(event):\n    event['subject'] = 'x'\n    return event",
            ["endless-loop"],
            id="subject set",
        ),
        pytest.param(
            "def main(event):\n    event['type'] = 'x'\n    return event", [], id="type set"
        ),
        pytest.param(
            "def main(event):\n    changed(event)\n    return event\ndef changed(e): ...",
            [],
            id="given to another",
        ),
        pytest.param(
            "def main(attributes, data):\n    return attributes, 1",
            ["endless-loop"],
            id="attributes returned",
        ),
        pytest.param(
            "def main(attributes):\n    attributes.update(type='x')\n    return attributes, 1",
            [],
            id="attributes updated",
        ),
        pytest.param(
            "def main(attributes):\n    attributes |= {'type': 'x'}\n    return attributes, 1",
            [],
            id="attributes merged",
        ),
        pytest.param(
            "def main(event):\n"
            "    if event.type == 'a.b':\n"
            "        return {'type': 'a.b', 'source': '/x'}, 1",
            ["endless-loop"],
            id="type compared with and replied",
        ),
        pytest.param(
            "def main(event):\n"
            "    match event['type']:\n"
            "        case 'a.b' | 'c.d':\n"
            "            return {'type': 'c.d'}, 1",
            ["endless-loop"],
            id="type matched and replied",
        ),
        pytest.param(
            "def main(event):\n    if event.type == 'a.b':\n        return {'type': 'c.d'}, 1",
            [],
            id="another type replied",
        ),
    ],
)
def test_what_will_hurt_is_told(check: Check, text: str, codes: list[str]) -> None:
    found = check(text)
    assert [warning["code"] for warning in found["warnings"]] == codes
    assert found["ok"]


def test_reply_type_of_an_option_is_compared_too(check: Check) -> None:
    text = "def main(attributes):\n    if attributes.get('type') != 'a.b':\n        return 1"
    assert check(text, reply_type="a.b")["warnings"][0]["code"] == "endless-loop"


def test_hook_in_place_of_the_function_is_told(check: Check) -> None:
    found = check("def is_ready(): ...", function_name="is_ready")
    assert found["errors"] == [
        "is_ready is a hook: expected another function, with -f or FUNCTION_NAME"
    ]


def test_every_pitfall_is_looked_for() -> None:
    marks = test_what_will_hurt_is_told.pytestmark  # type: ignore[attr-defined]
    looked_for = {code for parameters in marks[0].args[1] for code in parameters.values[1]}
    assert looked_for == {row.code for row in PITFALLS}


def test_mistakes_of_signature_and_hooks_are_told_together(check: Check) -> None:
    found = check("def main(dta, evnt): ...\ndef on_startup(app): ...")
    assert [error.partition(":")[0] for error in found["errors"]] == ["dta", "evnt"]
    assert found["hint"].startswith("A parameter may be named event, data, ")
    assert [warning["code"] for warning in found["warnings"]] == ["hook-with-parameters"]
    text = describe(found)
    assert text.endswith("It cannot be served.")
    assert max(map(len, text.splitlines())) <= WIDTH


def test_function_without_source_text_is_checked_all_the_same(check: Check) -> None:
    found = check("exec('def main(event):\\n    return event')")
    assert (found["ok"], found["warnings"]) == (True, [])


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
