"""Prometheus metrics on a port of their own; imported only if enabled.

Names and units follow OpenTelemetry's semantic conventions for FaaS and HTTP where they have one,
spelt as Prometheus spells them; all others begin with `pyfunc_`.
"""

import asyncio
import logging
import os
import re
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any, Literal
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from aiohttp import web
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    make_wsgi_app,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from pyfunc.errors import ListenError, UnavailableError
from pyfunc.invoking.observers import Call, Observation
from pyfunc.lifecycle import Lifecycle, Phase
from pyfunc.server.listeners import listen
from pyfunc.server.sharing import Shared
from pyfunc.settings import Address

__all__ = ["HELP", "Metrics", "listening", "serve"]

logger = logging.getLogger("pyfunc")

_CONNECTIONS = 16
_POLL = 0.1  # seconds that the end of the process may wait for the endpoint's

Reading = Callable[[], float]
# The aggregation of a gauge over live processes.
Aggregation = Literal["livesum", "livemax"]

# The boundaries that the conventions give for `faas.invoke_duration` and `faas.init_duration`.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_BYTES = (0, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
_TICK = 0.5  # seconds between two measurements of the loop's lag
_OTHER = "other"
_LONGEST_TYPE = 128


class Metrics:
    """An observer that counts and measures requests and invocations.

    Args:
        trigger: The cause of invocations, `http` or `pubsub` (`faas.trigger`).
        types: The number of event types with a label of their own; the rest count as `other`.
        readings: Functions that read a gauge when metrics are scraped, by its name.
        shared: The directory and sockets shared by several processes, if this is one of them.
    """

    def __init__(
        self,
        trigger: str,
        types: int,
        readings: Mapping[str, Reading],
        shared: Shared | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Sampler(self.sample))
        self._shared = shared
        self._trigger = trigger
        self._limit = types
        self._types = {""}
        self._calls: dict[tuple[str, str], Callable[[float], None]] = {}
        self._answered = False
        self._define()
        self._gauges = [(self._gauge(name), read) for name, read in readings.items()]

    def _define(self) -> None:
        labels = ("faas_trigger", "event_type")
        self._invocations = self._counter("pyfunc_invocations", "outcome", "event_type")
        self._successes = self._counter("faas_invocations", *labels)
        self._errors = self._counter("faas_errors", *labels)
        self._timeouts = self._counter("faas_timeouts", *labels)
        self._coldstarts = self._counter("faas_coldstarts", "faas_trigger")
        self._durations = self._histogram("faas_invoke_duration_seconds", _SECONDS, *labels)
        self._inits = self._histogram("faas_init_duration_seconds", _SECONDS, "faas_trigger")
        self._rejected = self._counter("pyfunc_rejected", "reason")
        self._waits = self._histogram("pyfunc_queue_wait_seconds", _SECONDS)
        self._requests = self._histogram("http_server_request_body_size_bytes", _BYTES)
        self._responses = self._histogram("http_server_response_body_size_bytes", _BYTES)
        self._lags = self._histogram("pyfunc_loop_lag_seconds", _LAG)
        self._cold_start = self._gauge("pyfunc_cold_start_seconds", "until", aggregation="livemax")

    def _counter(self, name: str, *labels: str) -> Counter:
        return Counter(name, HELP[name], labels, registry=self.registry)

    def _gauge(self, name: str, *labels: str, aggregation: Aggregation = "livesum") -> Gauge:
        return Gauge(
            name, HELP[name], labels, registry=self.registry, multiprocess_mode=aggregation
        )

    def _histogram(self, name: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, HELP[name], labels, registry=self.registry, buckets=buckets)

    # --- an observer ------------------------------------------------------------------------------

    def began(self, observation: Observation, call: Call) -> None:
        """Count no invocation yet."""

    def ended(self, observation: Observation, call: Call) -> None:
        """Count no invocation yet: its answer may still fail."""

    def answered(self, observation: Observation) -> None:
        """Count the request and its invocations."""
        for call in observation.calls:
            kind = self._type(call.event_types)
            count = self._calls.get((call.outcome, kind)) or self._new(call.outcome, kind)
            count(call.seconds)
        if not observation.calls and observation.outcome != "success":
            self._rejected.labels(_reason(observation)).inc()
        if observation.admitted is not None:
            self._waits.observe(max(0.0, observation.admitted - observation.started))
        self._requests.observe(observation.request_bytes)
        self._responses.observe(observation.response_bytes or 0)
        if not self._answered:
            self._answered = True
            self._cold_start.labels("first_answer").set(_age())

    def _type(self, types: list[str]) -> str:
        """The label for event types: the one type, or `other` for several or too many."""
        kind = types[0] if types else ""
        if len(types) > 1 and len(set(types)) > 1:
            return _OTHER
        if kind in self._types:
            return kind
        if len(self._types) > self._limit or len(kind) > _LONGEST_TYPE:
            return _OTHER
        if self._shared is None:
            self._types.add(kind)
        else:
            self._types |= self._shared.take(kind, self._limit)
        return kind if kind in self._types else _OTHER

    def _new(self, outcome: str, kind: str) -> Callable[[float], None]:
        """Make and cache the function that counts invocations of this outcome and type."""
        labels = (self._trigger, kind)
        counters = [self._invocations.labels(outcome, kind).inc]
        counters += [c.labels(*labels).inc for c in self._conventional(outcome)]
        observe = self._durations.labels(*labels).observe

        def count(seconds: float) -> None:
            for increase in counters:
                increase()
            observe(seconds)

        self._calls[outcome, kind] = count
        return count

    def _conventional(self, outcome: str) -> tuple[Counter, ...]:
        if outcome == "success":
            return (self._successes,)
        return (self._errors, self._timeouts) if outcome == "timeout" else (self._errors,)

    # --- the process ------------------------------------------------------------------------------

    def sample(self) -> None:
        """Update the gauges."""
        for gauge, read in self._gauges:
            gauge.set(read())

    def ready(self) -> None:
        """Record that the process has become ready."""
        seconds = _age()
        self._cold_start.labels("ready").set(seconds)
        self._inits.labels(self._trigger).observe(seconds)
        self._coldstarts.labels(self._trigger).inc()

    def context(
        self, addresses: Sequence[Address], lifecycle: Lifecycle
    ) -> Callable[[web.Application], AsyncIterator[None]]:
        """Make the endpoint and the measurement of the loop's lag, for an app's `cleanup_ctx`.

        The endpoint has a thread of its own, so that it answers while a function blocks the loop.
        """

        async def context(_: web.Application) -> AsyncIterator[None]:
            close = self._serve(addresses)
            watch = asyncio.create_task(self._watch_loop())
            self._when_ready(lifecycle)
            yield
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            await asyncio.to_thread(close)

        return context

    def _serve(self, addresses: Sequence[Address]) -> Callable[[], None]:
        if self._shared is None:
            return serve(listening(addresses), self.registry, REGISTRY)
        return serve(self._shared.sockets, _Merged(self._shared.directory))

    def _when_ready(self, lifecycle: Lifecycle) -> None:
        def check(_: object) -> None:
            if lifecycle.phase is Phase.READY:
                self.ready()

        if lifecycle.startup is None or lifecycle.startup.done():
            check(None)
        else:
            lifecycle.startup.add_done_callback(check)

    async def _watch_loop(self) -> None:
        """Measure how much later than requested the loop resumes a sleeping task."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_TICK)
            self._lags.observe(max(0.0, time.perf_counter() - before - _TICK))
            if self._shared is not None:  # another process may be asked
                self.sample()


def listening(addresses: Sequence[Address]) -> Sequence[socket.socket]:
    """Open sockets for metrics; port 0 chooses a free one.

    Raises:
        ListenError: An address cannot be listened on.
    """
    try:
        sockets = listen(addresses)
    except ListenError:
        named = ", ".join(map(str, addresses))
        raise ListenError(
            f"{named} cannot be listened on for metrics: choose another --metrics-port"
        ) from None
    logger.info("metrics on port %d", sockets[0].getsockname()[1])
    return sockets


def serve(sockets: Sequence[socket.socket], *collectors: Collector) -> Callable[[], None]:
    """Serve metrics, each socket in a thread.

    Args:
        sockets: The listening sockets.
        collectors: The collectors of the metrics.

    Returns:
        A function that stops serving.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    app = make_wsgi_app(registry)
    servers = [_Endpoint(sock, app) for sock in sockets]
    threads = [
        threading.Thread(target=server.serve_forever, args=[_POLL], daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()

    def close() -> None:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    return close


class _Endpoint(ThreadingMixIn, WSGIServer):
    """A server on an open socket, which other processes may share.

    A connection has a thread, and `_CONNECTIONS` have one at a time: the oldest makes room for a
    new one, so that neither silent nor slow clients keep a scrape from being answered.
    """

    daemon_threads = True

    def __init__(self, sock: socket.socket, app: Any) -> None:
        super().__init__(sock.getsockname()[:2], _Silent, bind_and_activate=False)
        self.socket.close()
        self.socket = sock  # non-blocking: another process may accept first
        self.server_name, self.server_port = sock.getsockname()[:2]
        self.setup_environ()
        self.set_app(app)
        self._open: deque[socket.socket] = deque()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.append(request)
        if len(self._open) > _CONNECTIONS:
            with suppress(OSError):  # it has ended meanwhile
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with suppress(ValueError):
            self._open.remove(request)
        super().shutdown_request(request)


class _Silent(WSGIRequestHandler):
    timeout = 5  # seconds that a client may be silent

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests."""


class _Merged(Collector):
    """The metrics of all processes, including those that have ended."""

    def __init__(self, directory: str) -> None:
        self._collector = MultiProcessCollector(None, directory)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        for metric in self._collector.collect():  # type: ignore[no-untyped-call]
            metric.documentation = HELP.get(metric.name, metric.documentation)
            yield metric


class _Sampler(Collector):
    """Updates the gauges before they are collected: the first collector of its registry."""

    def __init__(self, sample: Callable[[], None]) -> None:
        self._sample = sample

    def collect(self) -> Iterable[Metric]:
        self._sample()
        return ()


def _reason(observation: Observation) -> str:
    """The reason why a request led to no invocation, as a label."""
    error = observation.error
    if isinstance(error, UnavailableError):
        return error.reason
    if getattr(error, "status", None) == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "too_large"
    name = type(error).__name__.removesuffix("Error") if error else observation.outcome
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


_LOADED = time.time()


def _age() -> float:
    """Seconds since the start of this process, or else since the import of this module."""
    try:
        with open("/proc/self/stat", "rb") as stat:  # noqa: PTH123 - no path is kept
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return time.time() - _LOADED


# All metrics, by name.
HELP: Mapping[str, str] = {
    "faas_coldstarts": "Processes that have become ready (faas.coldstarts).",
    "faas_errors": "Invocations that did not succeed (faas.errors).",
    "faas_init_duration_seconds": "Start of the process to ready (faas.init_duration).",
    "faas_invocations": "Invocations that succeeded (faas.invocations).",
    "faas_invoke_duration_seconds": "Duration of invocations (faas.invoke_duration).",
    "faas_timeouts": "Invocations that outlasted their time limit (faas.timeouts).",
    "http_server_request_body_size_bytes": "Size of request bodies.",
    "http_server_response_body_size_bytes": "Size of response bodies.",
    "pyfunc_cold_start_seconds": "Start of the process to ready, and to the first answer.",
    "pyfunc_invocations": "Invocations by outcome and event type.",
    "pyfunc_invocations_in_flight": "Invocations that are being answered.",
    "pyfunc_loop_lag_seconds": "How late the event loop is, looked at twice a second.",
    "pyfunc_pool_threads": "Threads that sync functions may use at most.",
    "pyfunc_pool_threads_busy": "Threads that sync functions use.",
    "pyfunc_queue_length": "Requests that wait for their turn.",
    "pyfunc_queue_wait_seconds": "How long requests waited for their turn.",
    "pyfunc_rejected": "Requests that led to no invocation, by reason.",
}
