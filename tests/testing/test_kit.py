import re
import sys
from pathlib import Path

import pytest

from pyfunc.cloudevents.event import Event
from pyfunc.errors import HookError, LoadError, ReplyError, SignatureError
from pyfunc.testing import Answer, Invoke, event


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def echo(method, path, query, headers, body):  # type: ignore[no-untyped-def]
    return {
        "method": method,
        "path": path,
        "query": list(query.items()),
        "body": body.decode(),
        "type": headers.get("Content-Type"),
        "x": headers.get("x"),
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, {"method": "POST", "body": '{"hello":"world"}'}),
        ({"method": "GET"}, {"method": "GET", "body": "", "type": None}),
        ({"method": "delete", "path": "/a%20b?c=d"}, {"method": "DELETE", "path": "/a b"}),
        ({"method": "GET", "query": {"n": 1}}, {"query": [["n", "1"]]}),
        ({"method": "GET", "query": [("n", 1), ("n", 2)]}, {"query": [["n", "1"], ["n", "2"]]}),
        ({"headers": {"x": "y"}, "method": "GET"}, {"x": "y"}),
        ({"json": [1]}, {"method": "POST", "body": "[1]", "type": "application/json"}),
        ({"json": None}, {"body": "null"}),
        ({"body": "grüße"}, {"body": "grüße", "type": "text/plain; charset=utf-8"}),
        ({"body": b"x"}, {"body": "x", "type": None}),
        ({"body": "x", "headers": {"content-type": "a/b"}}, {"type": "a/b"}),
        (
            {"form": {"a": "b c", "d": 1}},
            {"body": "a=b+c&d=1", "type": "application/x-www-form-urlencoded"},
        ),
    ],
)
def test_plain_request_has_every_part(
    invoke: Invoke, arguments: dict[str, object], expected: dict[str, object]
) -> None:
    got = invoke(echo, **arguments).json()  # type: ignore[arg-type]
    assert {key: got[key] for key in expected} == expected


def test_event_is_valid_and_complete() -> None:
    made = event(data=[1], subject="s", tenant="a", time="2026-01-31T12:00:00Z")
    assert dict(made.attributes) == {
        "specversion": "1.0",
        "id": made.id,
        "type": "com.example.sample",
        "source": "/pyfunc/sample",
        "subject": "s",
        "time": "2026-01-31T12:00:00Z",
        "datacontenttype": "application/json",
        "tenant": "a",
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"Tenant": "a"}, "Tenant: expected"),
        ({"mode": "xml"}, "'xml' is not a valid ContentMode"),
    ],
)
def test_event_that_cannot_be_is_refused(arguments: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        event(**arguments)


def test_headers_go_with_an_event_too(invoke: Invoke) -> None:
    def main(event: Event, headers, path):  # type: ignore[no-untyped-def]
        return [headers["x"], path, event.id]

    answer = invoke(main, event(id="7"), headers={"x": "y"}, path="/z")
    assert answer.event is not None
    assert answer.event.data == ["y", "/z", "7"]


def test_answer_tells_what_it_is(invoke: Invoke) -> None:
    def nothing(event: Event) -> None: ...

    answer = invoke(nothing)
    assert repr(answer) == "<Answer 200 OK: None>"
    assert (answer.event, answer.events, answer.outcome.action) == (None, (), "acknowledge")
    assert repr(invoke(echo, json=1)).startswith("<Answer 200 OK: b'{")


async def test_answer_is_there_once_awaited(invoke: Invoke) -> None:
    answer = invoke(echo, json=1)
    with pytest.raises(RuntimeError, match="await invoke"):
        answer.status  # noqa: B018 - it raises
    assert repr(answer) == "<Answer, not awaited>"
    assert (await answer).status == answer.status == 200


async def test_failing_function_counts_as_awaited() -> None:
    def main(path: str) -> None:
        raise LookupError(path)

    invoke = Invoke()
    with pytest.raises(LookupError):
        assert (await invoke(main)).status
    invoke.close()


def test_hooks_of_the_function_s_module_are_called(invoke: Invoke, directory: Path) -> None:
    (directory / "func.py").write_text(
        "seen = []\n"
        "def on_startup(): seen.append('started')\n"
        "def on_shutdown(): seen.append('stopped')\n"
        "def main(): return seen\n"
    )
    assert invoke().json() == ["started"]
    assert invoke("func.py:main").json() == ["started", "stopped", "started"]


def test_hook_that_fails_is_raised(invoke: Invoke, directory: Path) -> None:
    (directory / "func.py").write_text("def on_startup(): 1 / 0\ndef main(): ...\n")
    with pytest.raises(HookError, match="on_startup"):
        assert invoke().status


def test_limits_are_those_of_the_options(invoke: Invoke) -> None:
    assert invoke(echo, body="123", options={"max_body": 2}).status == 413


def test_environment_is_not_read(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYFUNC_MAX_BODY", "2")
    assert invoke(echo, body="123").status == 200


def test_what_cannot_be_sent_is_raised(invoke: Invoke) -> None:
    def main(path: str) -> object:
        return object()

    with pytest.raises(ReplyError, match="an object of type object"):
        assert invoke(main).status
    assert invoke(main, raises=False).status == 500


def test_function_that_cannot_be_served_is_raised(invoke: Invoke, directory: Path) -> None:
    def main(colour): ...  # type: ignore[no-untyped-def]

    with pytest.raises(SignatureError, match="colour"):
        assert invoke(main).status
    with pytest.raises(LoadError, match=r"there is no file func\.py in "):
        assert invoke().status


def test_sync_answer_can_be_awaited_all_the_same(invoke: Invoke) -> None:
    """Tests of other event loops, such as trio's, have no loop of asyncio's."""
    answer = invoke(echo, json=1)
    awaiting = answer.__await__()
    with pytest.raises(StopIteration) as stop:
        next(awaiting)
    assert isinstance(stop.value.value, Answer)
