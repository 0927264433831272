"""The table of cases: which server gets which request, on how many connections."""

from dataclasses import dataclass, replace

from harness import runtimes, workloads
from harness.runtimes import Runtime
from harness.workloads import Check, Workload


@dataclass(frozen=True)
class Case:
    """One bar of the chart: a function on a runtime under one kind of request."""

    name: str
    runtime: Runtime
    function: str
    workload: Workload
    right: Check
    connections: int = 32
    seconds: int = 1
    """What it takes at least to tell anything."""


def _hello(name: str, runtime: Runtime, function: str) -> Case:
    return Case(f"hello: {name}", runtime, function, workloads.HELLO, workloads.says_hello)


def _crowd(name: str, runtime: Runtime, function: str) -> Case:
    case = _hello(name, runtime, function)
    # To make so many connections, and to end them, is a tenth of a second's work.
    return replace(case, name=f"1000 connections: {name}", connections=1000, seconds=3)


def _event(name: str, runtime: Runtime, function: str, right: Check = workloads.replies) -> Case:
    return Case(f"event: {name}", runtime, function, workloads.BINARY, right)


BARE = _hello("bare aiohttp", runtimes.AIOHTTP, "hello_async")
BARE_EXECUTOR = _hello("bare aiohttp, run_in_executor", runtimes.AIOHTTP, "hello_executor")
BARE_CROWDED = _crowd("bare aiohttp", runtimes.AIOHTTP, "hello_async")
HELLO_ASYNC = _hello("pyfunc, async def", runtimes.PYFUNC, "hello_async")
HELLO_SYNC = _hello("pyfunc, def", runtimes.PYFUNC, "hello_sync")
HELLO_CROWDED = _crowd("pyfunc, async def", runtimes.PYFUNC, "hello_async")
HELLO_PEERS = (
    _hello("functions-framework", runtimes.FRAMEWORK, "hello"),
    _hello("functions-framework --asgi", runtimes.FRAMEWORK_ASGI, "hello"),
    _hello("func-python", runtimes.FUNC_PYTHON, "hello"),
    _hello("parliament", runtimes.PARLIAMENT, "hello"),
)
HELLO_GRANIAN = _hello("bare granian", runtimes.GRANIAN, "hello")

EVENT_ASYNC = _event("pyfunc, async def", runtimes.PYFUNC, "reply_async")
EVENT_SYNC = _event("pyfunc, def", runtimes.PYFUNC, "reply_sync")
EVENT_FRAMEWORK = _event("functions-framework", runtimes.FRAMEWORK, "event", workloads.accepted)
EVENT_FRAMEWORK_ASGI = _event(
    "functions-framework --asgi", runtimes.FRAMEWORK_ASGI, "event", workloads.accepted
)
EVENT_FUNC_PYTHON = _event("func-python", runtimes.FUNC_PYTHON, "event")
EVENT_PARLIAMENT = _event("parliament", runtimes.PARLIAMENT, "event")
STRUCTURED = Case(
    "structured: pyfunc, async def",
    runtimes.PYFUNC,
    "reply_async",
    workloads.STRUCTURED,
    workloads.replies,
)
BATCH_EACH = Case(
    "batch: pyfunc, one call per event",
    runtimes.PYFUNC,
    "reply_async",
    workloads.BATCH,
    workloads.replies_in_batch,
)
BATCH_WHOLE = Case(
    "batch: pyfunc, one call per batch",
    runtimes.PYFUNC,
    "reply_batch",
    workloads.BATCH,
    workloads.counts_batch,
)

# What is divided by what stands side by side, so that a slow moment hits both.
CASES = (
    *(BARE_EXECUTOR, HELLO_SYNC, *HELLO_PEERS, HELLO_GRANIAN),
    *(BARE_CROWDED, HELLO_CROWDED, HELLO_ASYNC, BARE),
    *(EVENT_FUNC_PYTHON, EVENT_ASYNC, STRUCTURED, BATCH_EACH, EVENT_FRAMEWORK_ASGI),
    *(EVENT_SYNC, BATCH_WHOLE, EVENT_FRAMEWORK, EVENT_PARLIAMENT),
)
