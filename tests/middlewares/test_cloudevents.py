"""Events decoded before the function is invoked, and requests that are none."""

import gzip
from typing import Any

import pytest
from aiohttp import web

from pyfunc.function.invocation import DELIVERY
from pyfunc.middlewares.cloudevents import cloudevents
from tests.support.apps import Serve
from tests.support.events import event_headers


async def body_of(request: web.Request) -> bytes:
    return await request.read()


def event(id: str) -> dict[str, str]:
    return {"id": id, "source": "/tests", "type": "test", "specversion": "1.0"}


@pytest.mark.parametrize(
    ("sent", "ids", "is_batch"),
    [
        pytest.param({"headers": event_headers(id="1"), "data": b"{}"}, ["1"], False, id="binary"),
        pytest.param(
            {"headers": {"Content-Type": "application/cloudevents+json"}, "json": event("1")},
            ["1"],
            False,
            id="structured",
        ),
        pytest.param(
            {
                "headers": {"Content-Type": "application/cloudevents-batch+json"},
                "json": [event("1"), event("2")],
            },
            ["1", "2"],
            True,
            id="batched",
        ),
    ],
)
async def test_the_events_are_left_on_the_request(
    sent: dict[str, Any], ids: list[str], is_batch: bool, aiohttp_client: Any
) -> None:
    async def show(request: web.Request) -> web.Response:
        delivery = request[DELIVERY]
        return web.json_response(
            {
                "ids": [event["id"] for event in delivery.events],
                "body": delivery.body == await request.read(),
                "batch": delivery.is_batch,
            }
        )

    app = web.Application(middlewares=[cloudevents(body_of)])
    app.router.add_post("/", show)
    client = await aiohttp_client(app)
    async with client.post("/", **sent) as response:
        assert await response.json() == {"ids": ids, "body": True, "batch": is_batch}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PROPFIND"])
async def test_event_function_takes_no_other_method_than_post(method: str, serve: Serve) -> None:
    client = await serve("def main(event): ...")

    answer = await client.request(method, "/any/path")

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_request_that_is_no_event_is_told_how_to_send_one(serve: Serve) -> None:
    client = await serve("def main(event): ...")

    answer = await client.post("/any/path", json={"a": 1})

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert (await answer.json())["detail"] == (
        "this function takes CloudEvents: send a POST with the headers ce-id, ce-source, ce-type"
        " and ce-specversion: 1.0, or with Content-Type: application/cloudevents+json"
    )


async def test_options_lists_the_methods(serve: Serve) -> None:
    client = await serve("def main(event): ...")

    async with client.options("/") as response:
        assert response.status == 204
        assert "POST" in response.headers["Allow"]


async def test_a_body_in_a_known_coding_is_decoded(serve: Serve) -> None:
    client = await serve("def main(data):\n    return data\n")

    headers = event_headers() | {"Content-Encoding": "gzip"}
    async with client.post("/", data=gzip.compress(b'{"a": 1}'), headers=headers) as response:
        assert await response.json() == {"a": 1}


async def test_a_body_in_an_unknown_coding_is_415(serve: Serve) -> None:
    client = await serve("def main(event): ...")

    headers = event_headers() | {"Content-Encoding": "rot13"}
    async with client.post("/", data=b"{}", headers=headers) as response:
        assert response.status == 415
        assert response.headers["Accept-Encoding"].startswith("gzip, deflate")
