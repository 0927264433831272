"""Events and values of any kind, sent to a function that returns them."""

import asyncio
import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from pyfunc import Event
from pyfunc.cloudevents.http_binding import ContentMode, Message, encode, encode_batch
from tests.cloudevents.strategies import NAMES, REQUIRED, any_event, as_text, read
from tests.support.apps import Client, Serve


class Color(Enum):
    RED = "red"


def echo(attributes: dict[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
    return attributes, data


async def round_trip(client: Client, message: Message) -> list[Event]:
    response = await client.post(
        "/",
        data=message.body,
        headers=CIMultiDict(message.headers),
        skip_auto_headers=["Content-Type"],
    )
    body = await response.read()
    assert response.status == 200, body
    return read(Message(list(response.headers.items()), body))


@pytest.mark.parametrize("reply_mode", ["auto", "binary", "structured"])
async def test_any_event_comes_back_equal_in_every_mode(serve: Serve, reply_mode: str) -> None:
    client = await serve(echo, reply_mode=reply_mode)
    loop = asyncio.get_running_loop()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(any_event())
    def check(event: Event) -> None:
        def trip(message: Message) -> list[Event]:
            return asyncio.run_coroutine_threadsafe(round_trip(client, message), loop).result()

        (back,) = trip(encode(event, ContentMode.BINARY))
        assert as_text(back) == as_text(event)
        (back,) = trip(encode(event, ContentMode.STRUCTURED))
        assert as_text(back) == as_text(event)
        assert trip(encode_batch([event, event])) == [event, event]

    await asyncio.to_thread(check)


@dataclass
class Point:
    x: Any
    y: Any


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.datetimes()
    | st.uuids()
    | st.decimals()
    | st.just(object())
    | st.just(Color.RED)
    | st.builds(lambda data: Event({"type": "t", "source": "/s"}, data), st.binary()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.sampled_from(sorted(REQUIRED)), inner)
        | st.builds(Point, inner, inner)
        | st.tuples(
            st.dictionaries(st.text() | NAMES | st.sampled_from(["id", "type"]), inner), inner
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("reply_mode", ["auto", "binary", "structured"])
async def test_any_value_is_a_valid_answer_or_one_logged_error(
    serve: Serve, reply_mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    returned: list[Any] = []
    client = await serve(lambda event: returned[-1], reply_mode=reply_mode)
    loop = asyncio.get_running_loop()

    async def ask() -> None:
        caplog.clear()
        response = await client.post("/", headers={f"ce-{n}": v for n, v in REQUIRED.items()})
        body = await response.read()
        errors = [
            record.getMessage()
            for record in caplog.records
            if record.name == "pyfunc" and record.levelname == "ERROR"
        ]
        if response.status == 500:
            assert len(errors) == 1
            assert json.loads(body)["status"] == 500
            return
        assert (response.status, errors) == (200, [])
        assert body == b"" or read(Message(list(response.headers.items()), body))

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ANYTHING)
    def check(value: Any) -> None:
        returned.append(value)
        asyncio.run_coroutine_threadsafe(ask(), loop).result()

    await asyncio.to_thread(check)
