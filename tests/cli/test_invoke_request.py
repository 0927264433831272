"""The request that the flags of `invoke` describe."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyfunc.cli.invoke_request import InvokeFlags, build_request
from pyfunc.errors import SettingsError
from pyfunc.function.signature import compile_plan

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"n": 1}}


def of_event(data: dict[str, int]) -> None: ...


def of_http(query: Any) -> None: ...


def built(function: Callable[..., Any] | None, **flags: Any) -> Any:
    plan = compile_plan(function, "func.main") if function else None
    return build_request(InvokeFlags(**flags), plan)


def test_event_function_gets_a_sample_of_its_annotation() -> None:
    request = built(of_event)

    assert (request.method, request.is_event) == ("POST", True)
    assert request.header("ce-type") == "com.example.sample"
    assert all(isinstance(value, int) for value in json.loads(request.body).values())


def test_http_function_gets_a_plain_request() -> None:
    request = built(of_http)

    assert (request.method, request.is_event, request.body) == ("GET", False, b"")


def test_unknown_function_gets_an_event() -> None:
    assert built(None).is_event


@pytest.mark.parametrize("flags", [{"type": "t"}, {"mode": "structured"}])
def test_flag_of_events_sends_one_to_any_function(flags: dict[str, str]) -> None:
    assert built(of_http, **flags).is_event


def test_attributes_of_the_flags_are_sent() -> None:
    request = built(of_event, type="t", source="/x", id="7", extension=["tenant=a=b"], data="{}")
    names = ("ce-type", "ce-source", "ce-id", "ce-tenant", "Content-Type")

    assert [request.header(name) for name in names] == ["t", "/x", "7", "a=b", "application/json"]


def test_event_file_is_sent_unchanged_without_other_flags(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(text := json.dumps(EVENT, indent=4))

    assert built(of_event, event_file=str(file)).body == text.encode()


def test_flags_change_an_event_file(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT))
    request = built(of_event, event_file=str(file), id="9", data='{"n": 2}')

    assert {**json.loads(request.body), "time": None} == {
        **EVENT,
        "id": "9",
        "data": {"n": 2},
        "datacontenttype": "application/json",
        "time": None,
    }


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"method": "PUT", "type": "t"}, "--method is 'PUT', but events are sent by POST: omit it"),
        ({"data": "1", "data_file": "x"}, "--data and --data-file are both given"),
        ({"query": ["x"]}, "--query is 'x': expected NAME=VALUE"),
        ({"header": ["x:a\nb"]}, "a header cannot contain a line break"),
    ],
)
def test_invalid_flag_is_reported(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        built(of_event, **flags)
    assert message in str(caught.value)
