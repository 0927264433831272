"""Functions of the CloudEvents SDK, served: what `docs/cloudevents-sdk.md` promises."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.conversion import to_binary, to_structured
from cloudevents.v1.http import CloudEvent as V1Event

from pyfunc.function.loader import load
from tests.support.apps import Client, Serve

# The SDK warns of its own functions.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FUNCTIONS = str(Path(__file__).parent.parent / "functions" / "sdk")
DATA = {"numbers": [1, 2, 3]}
EVENT = {
    "id": "A-1",
    "source": "/orders",
    "type": "com.example.order",
    "specversion": "1.0",
    "subject": "42",
    "time": "2026-11-23T01:02:03.123456789Z",
    "datacontenttype": "application/json",
    "tenant": "7",
}
CORE = {name: value for name, value in EVENT.items() if name != "time"}


async def served(serve: Serve, module: str, function: str) -> Client:
    return await serve(load(FUNCTIONS, module, function))


async def deliver(client: Client, mode: str, **attributes: str) -> ClientResponse:
    event = {**EVENT, **attributes}
    if mode == "structured":
        document = json.dumps({**event, "data": DATA})
        headers = {"Content-Type": "application/cloudevents+json"}
        return await client.post("/", data=document, headers=headers)
    headers = {f"ce-{name}": value for name, value in event.items()}
    headers["Content-Type"] = headers.pop("ce-datacontenttype")
    return await client.post("/", json=DATA, headers=headers)


async def received(response: ClientResponse) -> tuple[dict[str, Any], Any]:
    """The reply, as the SDK reads it."""
    body = await response.read()
    assert response.status == 200, body
    event = from_http_event(HTTPMessage({k.lower(): v for k, v in response.headers.items()}, body))
    return dict(event.get_attributes()), event.get_data()


@pytest.mark.usefixtures("_modules")
@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize(
    ("module", "function", "type", "data"),
    [
        ("core", "main", "com.example.reply", DATA),
        ("core", "passed_on", "com.example.order", DATA),
        ("typed", "main", "com.example.reply", {"got": DATA}),
        ("modelled", "main", "com.example.reply", {"for": 7}),
        ("generic", "main", "com.example.order", DATA),
        ("http_conversion", "passed_on", "com.example.order", DATA),
        ("marshalled", "returned", "t", DATA),
    ],
)
async def test_functions_take_and_return_the_classes_of_the_sdk(
    serve: Serve, module: str, function: str, mode: str, type: str, data: Any
) -> None:
    client = await served(serve, module, function)
    attributes, got = await received(await deliver(client, mode))
    assert (attributes["type"], got) == (type, data)


@pytest.mark.usefixtures("_modules")
@pytest.mark.parametrize("mode", ["binary", "structured"])
@pytest.mark.parametrize(
    ("module", "function", "type"),
    [
        ("core", "encoded", "com.example.order"),
        ("http_conversion", "main", "com.example.reply"),
        ("http_conversion", "structured", "com.example.reply"),
        ("marshalled", "main", "com.example.reply"),
        ("modelled", "parsed", "com.example.order"),
    ],
)
async def test_functions_that_read_and_write_by_themselves_run_too(
    serve: Serve, module: str, function: str, mode: str, type: str
) -> None:
    client = await served(serve, module, function)
    attributes, _ = await received(await deliver(client, mode))
    assert attributes["type"] == type


@pytest.mark.usefixtures("_modules")
@pytest.mark.parametrize("function", ["passed_on"])
async def test_an_event_that_the_sdk_passes_on_keeps_every_nanosecond(
    serve: Serve, function: str
) -> None:
    client = await served(serve, "core", function)
    response = await deliver(client, "binary")
    assert response.headers["ce-time"] == EVENT["time"]
    assert response.headers["ce-id"] == "A-1"


@pytest.mark.usefixtures("_modules")
async def test_an_event_of_version_03_comes_as_the_class_of_that_version(serve: Serve) -> None:
    client = await served(serve, "core", "passed_on")
    for mode in ("binary", "structured"):
        response = await deliver(client, mode, specversion="0.3")
        assert response.headers["ce-specversion"] == "0.3"


@pytest.mark.usefixtures("_modules")
async def test_an_event_that_does_not_fit_the_class_is_422(serve: Serve) -> None:
    client = await served(serve, "modelled", "main")
    response = await deliver(client, "binary", tenant="none")
    assert response.status == 422
    assert "OrderPlaced" in await response.text()


@pytest.mark.parametrize("encode", [to_binary_event, to_structured_event])
async def test_events_of_the_sdk_are_taken(serve: Serve, encode: Any) -> None:
    def main(event: Any) -> Any:
        return event

    client = await serve(main)
    message = encode(CloudEvent({**CORE, "subject": "a b \u20ac %"}, DATA))
    response = await client.post("/", data=message.body, headers=message.headers)
    attributes, data = await received(response)
    assert (attributes["subject"], data) == ("a b \u20ac %", DATA)


@pytest.mark.parametrize("encode", [to_binary, to_structured])
async def test_events_of_the_sdk_of_old_are_taken(serve: Serve, encode: Any) -> None:
    def main(event: Any) -> Any:
        return event

    client = await serve(main)
    headers, body = encode(V1Event({"type": "t", "source": "/s", "flag": "x"}, DATA))
    skip = ["Content-Type"]  # there is none for data that is JSON, say this SDK's events
    response = await client.post("/", data=body, headers=headers, skip_auto_headers=skip)
    attributes, data = await received(response)
    assert (attributes["type"], attributes["flag"], data) == ("t", "x", DATA)


async def test_lists_of_events_of_the_sdk_are_batches(serve: Serve) -> None:
    def main(event: Any) -> Any:
        return [V1Event({"type": "a", "source": "/s"}, {"n": 1}), CloudEvent(CORE, {"n": 2})]

    client = await serve(main)
    response = await deliver(client, "binary")
    assert response.headers["Content-Type"] == "application/cloudevents-batch+json"
    assert [event["data"]["n"] for event in await response.json(content_type=None)] == [1, 2]
