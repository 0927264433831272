"""What the garbage collector is told, by a batch and in general."""

import asyncio
import gc
import json
from collections.abc import Iterator

import pytest

from pyfunc import Event
from pyfunc.server import collector
from pyfunc.server.collector import expecting
from tests.invoking.test_batches import deliver, events
from tests.support.apps import Serve


@pytest.fixture(autouse=True)
def thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(collector, "_threshold", collector._Threshold())
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 5)
    yield
    gc.set_threshold(*before)


def test_so_many_objects_more_are_expected_and_then_no_more() -> None:
    def fail() -> None:
        with expecting(bytes(16_000)):
            assert gc.get_threshold() == (1700, 10, 5)
            raise ValueError("a failure")

    with pytest.raises(ValueError, match="a failure"):
        fail()
    assert gc.get_threshold() == (700, 10, 5)


def test_expectations_add_up_in_any_order() -> None:
    first, second = expecting(bytes(16_000)), expecting(bytes(800))

    first.__enter__()
    second.__enter__()
    assert gc.get_threshold()[0] == 1750
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] == 750
    second.__exit__(None, None, None)
    assert gc.get_threshold()[0] == 700


@pytest.mark.parametrize("own", [0, 20])
def test_a_threshold_that_is_set_meanwhile_is_left(own: int) -> None:
    with expecting(bytes(16_000)):
        gc.set_threshold(own, 10, 5)
        with expecting(bytes(8_000)):
            assert gc.get_threshold()[0] == (own and own + 1500)

    assert gc.get_threshold()[0] == own


def test_without_collection_there_is_still_none() -> None:
    gc.set_threshold(0)
    with expecting(bytes(16_000)):
        assert gc.get_threshold()[0] == 0

    assert gc.get_threshold()[0] == 0


async def test_the_objects_of_a_batch_are_expected_until_it_is_answered(serve: Serve) -> None:
    seen: list[int] = []
    all_here = asyncio.Barrier(4)

    async def main(data: str) -> None:
        seen.append(gc.get_threshold()[0])
        await all_here.wait()

    client = await serve(main)
    deliveries = [asyncio.ensure_future(deliver(client, events("1", "2"))) for _ in range(2)]
    assert [(await delivery).status for delivery in deliveries] == [200, 200]

    connections = 2 * 32
    assert min(seen) > 700 + connections
    assert max(seen) > min(seen)
    assert gc.get_threshold()[0] == 700 + connections


async def test_a_connection_expects_the_objects_of_one_request(serve: Serve) -> None:
    seen: list[int] = []
    both_here = asyncio.Barrier(2)

    async def main() -> None:
        await both_here.wait()
        seen.append(gc.get_threshold()[0])

    client = await serve(main)
    answers = [asyncio.ensure_future(client.get("/")) for _ in range(2)]
    assert [(await answer).status for answer in answers] == [204, 204]
    assert seen == [700 + 2 * 32] * 2

    await client.close()
    assert gc.get_threshold()[0] == 700


async def test_a_single_event_changes_nothing(serve: Serve) -> None:
    seen: list[int] = []

    async def main(data: str) -> None:
        seen.append(gc.get_threshold()[0])

    client = await serve(main)
    headers = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
    assert (await client.post("/", data=b"{}", headers=headers)).status == 200

    assert seen == [gc.get_threshold()[0]]


LARGE = json.dumps({"rows": [{"n": n} for n in range(5000)]}).encode()
EVENT = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}


@pytest.mark.parametrize(
    ("content_type", "headers", "is_expected"),
    [
        ("application/json", {}, True),
        ("application/json", EVENT, True),
        ("application/octet-stream", {}, False),
        ("application/octet-stream", EVENT, False),
    ],
)
async def test_the_objects_of_large_json_are_expected_for_now(
    serve: Serve, content_type: str, headers: dict[str, str], is_expected: bool
) -> None:
    seen: list[int] = []

    async def tell() -> None:
        for _ in range(2):
            seen.append(gc.get_threshold()[0])
            await asyncio.sleep(0)

    async def http(body: bytes) -> None:
        await tell()

    async def event(event: Event) -> None:
        await tell()

    client = await serve(event if headers else http)
    all_headers = {**headers, "Content-Type": content_type}
    assert (await client.post("/", data=LARGE, headers=all_headers)).ok

    usual = 700 + 32
    assert seen == [usual + is_expected * (len(LARGE) // 16), usual]
