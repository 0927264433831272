"""The warnings of `check`."""

import re

import pytest

from pyfunc.cli.warnings import PITFALLS
from tests.support.checking import Check
from tests.support.serving import ROOT


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
            "async def main(req):\n    return req.args, req.get_json(), req.query",
            ["flask-names-in-async", "flask-names-in-async"],
            id="async def with names of Flask",
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
            "def main(): ...\ndef on_startup(app=None): ...",
            ["hook-with-parameters"],
            id="hook with a parameter",
        ),
        pytest.param("def main(): ...\ndef is_ready(): ...", [], id="hook without"),
        pytest.param("def main(*args): ...", ["hidden-parameters"], id="args"),
        pytest.param("def main(**kwargs): ...", ["hidden-parameters"], id="kwargs"),
        pytest.param("async def main(*a, **k): ...", ["hidden-parameters"], id="async wrapper"),
        pytest.param("def main(path, *args): ...", [], id="args beside a parameter"),
        pytest.param(
            "import functools\ndef own(f):\n    @functools.wraps(f)\n"
            "    def wrapper(*a, **k):\n        return f(*a, **k)\n    return wrapper\n"
            "@own\ndef main(path): ...",
            [],
            id="decorator with wraps",
        ),
        pytest.param("def main():\n    return 404, 'x'", ["status-before-body"], id="status first"),
        pytest.param(
            "from http import HTTPStatus\ndef main():\n    return HTTPStatus.NOT_FOUND, 'x', {}",
            ["status-before-body"],
            id="HTTPStatus first",
        ),
        pytest.param("def main():\n    return 'x', 404", [], id="status second"),
        pytest.param("def main():\n    return 200, 300", [], id="two numbers"),
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
def test_pitfalls_are_reported(check: Check, text: str, codes: list[str]) -> None:
    found = check(text)
    assert [warning["code"] for warning in found["warnings"]] == codes
    assert found["ok"]


def test_reply_type_of_an_option_is_compared_too(check: Check) -> None:
    text = "def main(attributes):\n    if attributes.get('type') != 'a.b':\n        return 1"
    assert check(text, reply_type="a.b")["warnings"][0]["code"] == "endless-loop"


def test_every_pitfall_is_looked_for() -> None:
    marks = test_pitfalls_are_reported.pytestmark  # type: ignore[attr-defined]
    looked_for = {code for parameters in marks[0].args[1] for code in parameters.values[1]}
    assert looked_for == {row.code for row in PITFALLS}


def test_every_warning_is_documented() -> None:
    documented = (ROOT / "docs/check.md").read_text().partition("## `--json`")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", documented, re.M) == [row.code for row in PITFALLS]


def test_function_without_source_text_is_checked_all_the_same(check: Check) -> None:
    found = check("exec('def main(event):\\n    return event')")
    assert (found["ok"], found["warnings"]) == (True, [])
