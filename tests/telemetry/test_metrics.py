"""What Prometheus is told."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from textwrap import dedent
from urllib.request import urlopen

import aiohttp
import pytest

from pyfunc.errors import ListenError
from pyfunc.settings import Address
from pyfunc.telemetry.metrics import Metrics, listening
from tests.support.events import EVENT
from tests.support.files import write
from tests.support.serving import Served

ORDERS = """
    import asyncio
    import pyfunc

    async def main(event):
        if event["type"] == "bad":
            raise ValueError
        if event["type"] == "refused":
            raise pyfunc.Reject("no")
        if event["type"] == "later":
            raise pyfunc.Retry
        await asyncio.sleep(0)
        return {"type": "reply"}, {"a": 1}
"""


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "func.py").write_text(dedent(ORDERS))
    with Served(tmp_path, "--metrics-port", "0") as served:
        yield served


def port_of(served: Served) -> int:
    (line,) = [line for line in served.log if "metrics on port" in line]
    return int(line.partition("metrics on port ")[2].split('"')[0])


async def scraped(port: int) -> dict[str, float]:
    """The samples, by name and labels as they are written."""
    text = await scrape(port)
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def scrape(port: int, path: str = "metrics") -> str:
    url = f"http://127.0.0.1:{port}/{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        return await response.text()


async def post(url: str, kinds: list[str]) -> None:
    async with aiohttp.ClientSession() as session:
        for kind in kinds:
            async with session.post(url, headers={**EVENT, "ce-type": kind}) as response:
                await response.read()


async def test_invocations_are_counted_by_outcome_and_type(orders: Served) -> None:
    await post(orders.url, ["placed", "placed", "bad", "", "refused", "later"])
    samples = await scraped(port_of(orders))
    placed = '{event_type="placed",outcome="success"}'
    assert samples[f"pyfunc_invocations_total{placed}"] == 2
    assert samples['pyfunc_invocations_total{event_type="bad",outcome="failed"}'] == 1
    assert samples['pyfunc_invocations_total{event_type="refused",outcome="rejected"}'] == 1
    assert samples['pyfunc_invocations_total{event_type="later",outcome="retry"}'] == 1
    assert samples['faas_invocations_total{event_type="placed",faas_trigger="pubsub"}'] == 2
    assert samples['faas_errors_total{event_type="bad",faas_trigger="pubsub"}'] == 1
    count = 'faas_invoke_duration_seconds_count{event_type="placed",faas_trigger="pubsub"}'
    assert samples[count] == 2
    assert samples['pyfunc_rejected_total{reason="invalid_event"}'] == 1
    assert samples["pyfunc_queue_wait_seconds_count"] == 6
    assert samples["http_server_request_body_size_bytes_count"] == 6
    assert samples["http_server_response_body_size_bytes_sum"] > 2 * len('{"a":1}')
    assert samples["pyfunc_invocations_in_flight"] == 0
    assert samples["pyfunc_queue_length"] == 0


async def test_the_cold_start_is_told_until_ready_and_until_the_first_answer(
    orders: Served,
) -> None:
    before = await scraped(port_of(orders))
    await post(orders.url, ["placed"])
    after = await scraped(port_of(orders))
    ready = before['pyfunc_cold_start_seconds{until="ready"}']
    assert 0 < ready < 60
    assert 'pyfunc_cold_start_seconds{until="first_answer"}' not in before
    assert after['pyfunc_cold_start_seconds{until="first_answer"}'] >= ready
    assert after['faas_coldstarts_total{faas_trigger="pubsub"}'] == 1
    assert after['faas_init_duration_seconds_sum{faas_trigger="pubsub"}'] == ready


@pytest.mark.slow
@pytest.mark.timeout(90)  # it is work for two processes, on a machine that may be busy
async def test_10000_event_types_make_a_hundred_series_and_other(orders: Served) -> None:
    kinds = [f"type{n}" for n in range(10_000)]
    await asyncio.gather(
        *(post(orders.url, kinds[n::20]) for n in range(20)), scraped(port_of(orders))
    )
    samples = await scraped(port_of(orders))
    counts = {n: v for n, v in samples.items() if n.startswith("pyfunc_invocations_total")}
    assert len(counts) == 101
    assert counts['pyfunc_invocations_total{event_type="other",outcome="success"}'] == 9_900
    assert sum(counts.values()) == 10_000


async def test_a_hostile_type_is_other(orders: Served) -> None:
    await post(orders.url, ["a" * 129, "quo%22te\\\\"])
    samples = await scraped(port_of(orders))
    assert samples['pyfunc_invocations_total{event_type="other",outcome="success"}'] == 1
    assert samples['pyfunc_invocations_total{event_type="quo\\"te\\\\\\\\",outcome="success"}'] == 1


async def test_probes_are_not_counted(orders: Served) -> None:
    await scrape(orders.port, "healthz/ready")
    assert (await scraped(port_of(orders)))["http_server_request_body_size_bytes_count"] == 0


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (of Prometheus) is not here")
async def test_promtool_finds_nothing_to_say(orders: Served) -> None:
    await post(orders.url, ["placed", "bad", ""])
    text = await scrape(port_of(orders))
    found = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


async def test_a_function_that_blocks_the_loop_is_seen(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text(
        dedent("""
            async def main(query):
                open("entered", "w").close()
                open("leave").close()
        """)
    )
    os.mkfifo(tmp_path / "entered")
    os.mkfifo(tmp_path / "leave")
    with Served(tmp_path, "--metrics-port", "0") as served:
        port = port_of(served)
        asking = asyncio.create_task(status(served.url))
        await asyncio.to_thread((tmp_path / "entered").read_bytes)
        assert (await scraped(port))["pyfunc_invocations_in_flight"] == 1
        await asyncio.to_thread((tmp_path / "leave").write_bytes, b"")
        await asking
        async with asyncio.timeout(20):
            while not (await scraped(port))["pyfunc_loop_lag_seconds_count"]:
                pass


async def test_who_waits_and_who_is_turned_away_is_seen(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text(
        dedent("""
            def main(query):
                open("entered", "w").close()
                open("leave").close()
        """)
    )
    os.mkfifo(tmp_path / "entered")
    os.mkfifo(tmp_path / "leave")
    options = ("--metrics-port", "0", "--concurrency", "1", "--queue", "1")
    with Served(tmp_path, *options) as served:
        port = port_of(served)
        asking = [asyncio.create_task(status(served.url)) for _ in range(3)]
        await asyncio.to_thread((tmp_path / "entered").read_bytes)
        refused, waiting = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        assert [task.result() for task in refused] == [503]
        samples = await scraped(port)
        assert samples["pyfunc_invocations_in_flight"] == 1
        assert samples["pyfunc_queue_length"] == 1
        assert samples["pyfunc_pool_threads_busy"] == 1
        assert samples["pyfunc_pool_threads"] == 40
        assert samples['pyfunc_rejected_total{reason="queue_full"}'] == 1
        await asyncio.to_thread((tmp_path / "leave").write_bytes, b"")
        await asyncio.to_thread((tmp_path / "entered").read_bytes)
        await asyncio.to_thread((tmp_path / "leave").write_bytes, b"")
        assert [await task for task in waiting] == [204, 204]
        samples = await scraped(port)
        assert samples["pyfunc_queue_length"] == 0
        assert samples["pyfunc_queue_wait_seconds_count"] == 2
        assert samples["pyfunc_queue_wait_seconds_sum"] > 0


async def status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def test_a_cold_start_lasts_until_on_startup_is_done(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text(
        dedent("""
            def on_startup():
                open("leave").close()

            def main(query): ...
        """)
    )
    os.mkfifo(tmp_path / "leave")
    with Served(tmp_path, "--metrics-port", "0") as served:
        port = port_of(served)
        name = 'pyfunc_cold_start_seconds{until="ready"}'
        assert name not in await scraped(port)
        await asyncio.to_thread((tmp_path / "leave").write_bytes, b"")
        assert await status(served.url) == 204
        assert (await scraped(port))[name] > 0


def test_two_apps_count_for_themselves() -> None:
    first, second = (Metrics("http", 1, {}) for _ in range(2))
    first.ready()
    name = "faas_coldstarts_total"
    assert first.registry.get_sample_value(name, {"faas_trigger": "http"}) == 1
    assert second.registry.get_sample_value(name, {"faas_trigger": "http"}) is None


def test_a_port_that_is_taken_is_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ListenError, match="choose another --metrics-port"),
    ):
        listening([Address("127.0.0.1", taken.getsockname()[1])])


def test_nothing_of_prometheus_is_loaded_unless_asked_for(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(): ...")
    code = "import sys; from pyfunc.app import create_app; create_app(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    loaded = set(run.stdout.split())
    assert "pyfunc.app" in loaded
    assert not {name for name in loaded if name.startswith(("prometheus_client", "opentelemetry"))}
    assert not loaded & {
        "pyfunc.telemetry.metrics",
        "pyfunc.telemetry.tracing",
        "pyfunc.telemetry.access_log",
    }


WORKERS = """
    import os

    async def main(event):
        if event["type"] == "die":
            os._exit(1)
        return {"type": "reply"}, str(os.getpid())
"""


async def pids(url: str, kinds: list[str]) -> set[str]:
    """Who answered, each on a connection of its own."""
    found = set()
    for kind in kinds:
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, headers={**EVENT, "ce-type": kind}) as response,
        ):
            found.add(await response.text())
    return found


@pytest.mark.slow
async def test_one_port_tells_the_metrics_of_all_workers(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text(dedent(WORKERS))
    options = ("--metrics-port", "0", "--metrics-types", "3", "--workers", "2")
    with Served(tmp_path, *options) as served:
        for _ in range(2):
            served.wait_for('"ready"')
        port = port_of(served)
        answered: set[str] = set()
        sent = 0
        async with asyncio.timeout(20):
            while len(answered) < 2:
                answered |= await pids(served.url, [f"type{sent % 10}"] * 4)
                sent += 4
        samples = await scraped(port)
        counts = {n: v for n, v in samples.items() if n.startswith("pyfunc_invocations_total")}
        assert sum(counts.values()) == sent
        assert len(counts) <= 4
        assert samples['faas_coldstarts_total{faas_trigger="pubsub"}'] == 2
        # A worker that dies takes none of its counts with it, and none of its gauges stays.
        with pytest.raises(aiohttp.ClientError):
            await pids(served.url, ["die"])
        served.wait_for('"ready"')
        samples = await scraped(port)
        counts = {n: v for n, v in samples.items() if n.startswith("pyfunc_invocations_total")}
        assert sum(counts.values()) == sent
        assert samples['faas_coldstarts_total{faas_trigger="pubsub"}'] == 3
        async with asyncio.timeout(20):
            while (await scraped(port))["pyfunc_pool_threads"] != 2 * 40:
                pass
        assert "# HELP pyfunc_queue_length Requests that wait" in await scrape(port)
        assert served.terminate() == 0
    assert not any("pyfunc-metrics" in line for line in served.log)


def test_silent_connections_take_few_threads_and_keep_no_scrape_waiting(tmp_path: Path) -> None:
    write(tmp_path, {"func.py": "def main(): ..."})
    with Served(tmp_path, "--metrics-port", "0") as served, ExitStack() as clients:
        port = port_of(served)
        for _ in range(100):
            client = socket.create_connection(("127.0.0.1", port), timeout=20)
            clients.enter_context(client)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
            assert response.status == 200
        status = Path(f"/proc/{served.process.pid}/status").read_text()
        threads = re.search(r"Threads:\s+(\d+)", status)
        assert threads is not None
        assert int(threads[1]) < 40
