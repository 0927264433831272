"""Replies to events: results of event functions, over HTTP."""

import json

import pytest

from tests.support.apps import Client, Serve
from tests.support.events import event_headers
from tests.support.results import JSON, OCTETS, returning


async def replied(client: Client, **attributes: str) -> tuple[dict[str, str], bytes]:
    """The attributes and the body of a reply in binary mode."""
    answer = await client.post("/", data=b'{"a": 1}', headers=event_headers(**attributes))
    assert answer.status == 200, await answer.text()
    found = {k[3:].lower(): v for k, v in answer.headers.items() if k.lower().startswith("ce-")}
    if "Content-Type" in answer.headers:
        found["datacontenttype"] = answer.headers["Content-Type"]
    found.pop("traceparent", None)  # context of the delivery, not of the function
    return found, await answer.read()


async def test_nothing_is_answered_by_200_and_nothing(serve: Serve) -> None:
    attributes, body = await replied(await serve(returning("None", "event")))

    assert body == b""
    assert not set(attributes) - {"datacontenttype"}


@pytest.mark.parametrize(
    "result",
    [
        "pyfunc.Event(ATTRIBUTES, {'b': 2})",
        "v1_http.CloudEvent(ATTRIBUTES, {'b': 2})",
        "CloudEvent(ATTRIBUTES, {'b': 2})",
        "(ATTRIBUTES, {'b': 2})",
        "to_binary(v1_http.CloudEvent(ATTRIBUTES, {'b': 2}))",
        "to_structured(v1_http.CloudEvent(ATTRIBUTES, {'b': 2}))",
    ],
)
async def test_event_is_answered_as_that_event(result: str, serve: Serve) -> None:
    attributes, body = await replied(await serve(returning(result, "event")))

    assert json.loads(body) == {"b": 2}
    assert {**attributes, "time": ""} == {
        "id": "9",
        "source": "/mine",
        "type": "made",
        "specversion": "1.0",
        "time": "",
        "datacontenttype": JSON,
    }


@pytest.mark.parametrize(
    ("result", "content_type", "body"),
    [
        ("{'b': 2}", JSON, b'{"b":2}'),
        ("'text'", "text/plain", b"text"),
        (r"b'\xff'", OCTETS, b"\xff"),
        ("[1, 2]", JSON, b"[1,2]"),
        ("5", JSON, b"5"),
        ("Model()", JSON, b'{"n":1}'),
        ("Data()", JSON, b'{"n":1}'),
        ("('a', 'b')", JSON, b'["a","b"]'),
    ],
)
async def test_any_other_value_is_answered_as_an_event_that_carries_it(
    result: str, content_type: str, body: bytes, serve: Serve
) -> None:
    attributes, sent = await replied(await serve(returning(result, "event")))

    assert sent == body
    assert attributes["datacontenttype"].partition(";")[0] == content_type
    assert attributes["type"] == "test.reply"
    assert attributes["source"] == "/func/main"
    assert attributes["specversion"] == "1.0"
    assert attributes["id"] not in ("", "1")
    assert attributes["time"]


async def test_type_and_source_of_replies_can_be_set(serve: Serve) -> None:
    client = await serve(returning("1", "event"), reply_type="my.type", reply_source="/me")
    attributes, _ = await replied(client)

    assert (attributes["type"], attributes["source"]) == ("my.type", "/me")


@pytest.mark.parametrize(
    ("body", "is_new"),
    [
        pytest.param("return attributes, data", False, id="as received"),
        pytest.param("attributes['type'] = 'x'; return attributes, data", True, id="changed"),
        pytest.param("return attributes, 'other'", True, id="other data"),
        pytest.param("data['a'] = 2; return attributes, data", True, id="data changed in place"),
        pytest.param("attributes['source'] = '/me'; return attributes, 1", False, id="own source"),
        pytest.param("return {'type': 'x'}, 1", True, id="nothing inherited"),
    ],
)
async def test_changed_event_gets_an_id_of_its_own(body: str, is_new: bool, serve: Serve) -> None:
    """M42: source and id say which event it is."""
    client = await serve(f"def main(attributes, data):\n    {body}\n")
    attributes, _ = await replied(client)

    assert (attributes["id"] != "1") is is_new


async def test_list_of_events_is_answered_as_a_batch(serve: Serve) -> None:
    client = await serve(
        returning("[pyfunc.Event(ATTRIBUTES, 1), (ATTRIBUTES | {'id': '10'}, 2)]", "event")
    )

    answer = await client.post("/", headers=event_headers())

    assert answer.content_type == "application/cloudevents-batch+json"
    assert [(event["id"], event["data"]) for event in await answer.json()] == [("9", 1), ("10", 2)]


@pytest.mark.parametrize(
    "result", ["web.Response(text='a', status=418)", "flask.Response('a', 418)"]
)
async def test_response_to_an_event_is_sent_as_it_is(result: str, serve: Serve) -> None:
    client = await serve(returning(result, "event"))

    answer = await client.post("/", headers=event_headers())

    assert (answer.status, await answer.text()) == (418, "a")


@pytest.mark.parametrize(
    "result",
    [
        "object()",
        "({'type': ''}, 1)",
        "({'type': 'x', 'Bad Name': '1'}, 1)",
        r"({'type': 'x', 'note': 'a\r\nb'}, 1)",
        r"({'type': 'x', 'note': '\ud800'}, 1)",
        "({'type': 'x', 'note': {}}, 1)",
        "({'type': 'x', 'time': 'noon'}, 1)",
        "({'type': 'x'}, float('nan'))",
    ],
)
async def test_reply_that_is_no_event_is_500(
    result: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(returning(result, "event"))

    answer = await client.post("/", headers=event_headers())

    assert (answer.status, answer.content_type) == (500, "application/problem+json")
    assert "returned what cannot be sent" in caplog.text


async def test_value_that_needs_percent_encoding_goes_out_structured(serve: Serve) -> None:
    client = await serve(returning("({'type': 'x', 'note': 'grün'}, 1)", "event"))

    answer = await client.post("/", headers=event_headers())

    assert answer.headers["Content-Type"] == "application/cloudevents+json"
    assert (await answer.json())["note"] == "grün"
