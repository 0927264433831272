"""Settles at start who looks on, so that what is off is neither imported nor asked."""

import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

import msgspec
from aiohttp import web

from pyfunc.errors import SettingsError
from pyfunc.invoking.observers import Observer
from pyfunc.lifecycle import Lifecycle
from pyfunc.server.sharing import Shared, shared_directory
from pyfunc.settings import Address, Settings, set_variable

__all__ = ["Telemetry", "share", "telemetry_for"]

logger = logging.getLogger("pyfunc")

Context = Callable[[web.Application], AsyncIterator[None]]
Readings = Mapping[str, Callable[[], float]]


class Telemetry(msgspec.Struct, frozen=True):
    """Who looks on, and what lives as long as the app for that."""

    observers: tuple[Observer, ...]
    contexts: tuple[Context, ...]


def telemetry_for(
    settings: Settings,
    name: str,
    takes_events: bool,
    lifecycle: Lifecycle,
    readings: Readings,
    shared: Shared | None = None,
) -> Telemetry:
    """What the options ask for.

    Args:
        settings: The options.
        name: The function's name.
        takes_events: Whether it is an event function.
        lifecycle: Knows when the app is ready.
        readings: What metrics tell of the app, by the name of the gauge.
        shared: Where this is one process of several, what they share.

    Raises:
        SettingsError: A library for it is not installed.
    """
    trigger = "pubsub" if takes_events else "http"
    # The access log is the last to look on, so that its record carries the ids of the span.
    parts = [
        *_metrics(settings, trigger, lifecycle, readings, shared),
        *_traces(settings, name, trigger),
        *_access_log(settings),
    ]
    return Telemetry(
        tuple(observer for observer, _ in parts),
        tuple(context for _, context in parts if context is not None),
    )


Part = tuple[Observer, Context | None]


def _access_log(settings: Settings) -> Iterator[Part]:
    if settings.access_log:
        from pyfunc.telemetry.access_log import AccessLog  # off unless asked for

        yield AccessLog(), None


def _metrics(
    settings: Settings,
    trigger: str,
    lifecycle: Lifecycle,
    readings: Readings,
    shared: Shared | None,
) -> Iterator[Part]:
    if settings.metrics_port is None:
        return
    room = _metrics_room()
    metrics = room.Metrics(trigger, settings.metrics_types, readings, shared)
    yield metrics, metrics.context(_addresses(settings, settings.metrics_port), lifecycle)


def _addresses(settings: Settings, port: int) -> tuple[Address, ...]:
    """The port of the metrics on the interfaces that the function listens on."""
    hosts = dict.fromkeys(address.host for address in settings.addresses)
    return tuple(Address(host, port) for host in hosts)


def _metrics_room() -> ModuleType:
    try:
        from pyfunc.telemetry import metrics  # an extra, and 30 ms of the start
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"--metrics-port needs {error.name}: install the extra `metrics` of pyfunc-invoker"
        ) from None
    return metrics


@contextmanager
def share(settings: Settings) -> Iterator[Shared | None]:
    """What the processes of one function share: one port that tells the metrics of all of them.

    To be entered before the first of them is started.

    Raises:
        ListenError: The port of the metrics cannot be listened on.
        SettingsError: The library for metrics is not installed.
    """
    if settings.metrics_port is None:
        yield None
        return
    with shared_directory() as directory:
        set_variable("PROMETHEUS_MULTIPROC_DIR", directory)  # read when the library is loaded
        room = _metrics_room()
        sockets = room.listening(_addresses(settings, settings.metrics_port))
        yield Shared(directory, sockets)


def _traces(settings: Settings, name: str, trigger: str) -> Iterator[Part]:
    """Traces where variables ask for them, or the user's module has set them up."""
    exporters = settings.traces_exporter
    if not exporters and "opentelemetry.sdk.trace" not in sys.modules:
        return
    try:
        from pyfunc.telemetry.tracing import (  # an extra, 100 ms of start
            Traces,
            flush_at_end,
            provider_for,
        )

        provider = provider_for(exporters, settings.traces_protocol, name)
    except ModuleNotFoundError as error:
        # The variables may be the platform's, meant for whoever understands them.
        logger.warning("no traces: OTEL_* asks for them, and %s is not installed", error.name)
        return
    if provider is not None:
        yield Traces(provider.get_tracer("pyfunc"), name, trigger), flush_at_end(provider)
