"""What a byte costs in a large body, and what a stream holds while its reader stalls."""

import http.client
import time

from harness import tools, workloads, wrk
from harness.cases import Case
from harness.load import check
from harness.options import Options
from harness.processes import Server, serving
from harness.results import Section
from harness.runtimes import AIOHTTP, PYFUNC, Runtime
from harness.workloads import Answer, Workload

SIZES = (0, 100_000, 10_000_000)
CHUNK = 16 * 1024 * 1024  # bytes, as in functions/*/stream_async.py
CHUNKS = 8
MADE = Workload("chunks made", b"", method="GET", path="/made")


def measure(options: Options) -> Section:
    """CPU and wall seconds per request by size of body; then the stalled streams."""
    tools.require("wrk")
    rows = [(runtime, size) for size in SIZES for runtime in (PYFUNC, AIOHTTP)]
    found: Section = {_name(*row): {"wall": [], "cpu": []} for row in rows}
    for _ in range(options.rounds):
        for runtime, size in rows:
            for name, value in _upload(runtime, size, options).items():
                found[_name(runtime, size)][name].append(value)
    for runtime in (PYFUNC, AIOHTTP):
        found[f"{runtime.name}, stalled stream"] = _stall(runtime, options)
    return found


def _name(runtime: Runtime, size: int) -> str:
    return f"{runtime.name}, {size} bytes"


def _upload(runtime: Runtime, size: int, options: Options) -> dict[str, float]:
    def right(answer: Answer) -> bool:
        return answer.status == 200 and answer.body == str(size).encode()

    case = Case(_name(runtime, size), runtime, "size_async", workloads.sized(size), right, 1)
    with (
        serving(runtime, "size_async", options) as server,
        wrk.script(case.workload) as script,
    ):
        check(server, case)
        before = server.cpu()
        load = wrk.run(script, server.port, 1, options.seconds, options.client_cpu)
        cpu = server.cpu() - before
    return {"wall": 1 / load.rate, "cpu": cpu / load.requests}


def _stall(runtime: Runtime, options: Options) -> dict[str, list[float]]:
    """Ask for a stream and do not read it: how far does the server go?"""
    with serving(runtime, "stream_async", options) as server:
        server.first_answer(MADE)
        before = server.memory()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/")
        made = _settled(server)
        held = (server.memory() - before) / CHUNK
        whole = len(connection.getresponse().read()) == CHUNK * CHUNKS
        connection.close()
    return {"chunks made": [made], "chunks held": [held], "arrived whole": [float(whole)]}


def _settled(server: Server) -> int:
    """The number of chunks made, once it has stood still for a second."""
    made, since = 0, time.perf_counter()
    while made == 0 or time.perf_counter() - since < 1.0:
        now = int(server.ask(MADE).body)
        if now != made:
            made, since = now, time.perf_counter()
        time.sleep(0.05)
    return made
