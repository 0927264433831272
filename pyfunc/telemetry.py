"""Settles at start who looks on, so that what is off is neither imported nor asked."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from pyfunc.errors import SettingsError
from pyfunc.observers import Observer
from pyfunc.settings import Address, Settings

__all__ = ["Telemetry", "telemetry_for"]

Context = Callable[[web.Application], AsyncIterator[None]]
Readings = Mapping[str, Callable[[], float]]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Who looks on, and what lives as long as the app for that."""

    observers: tuple[Observer, ...]
    contexts: tuple[Context, ...]


def telemetry_for(settings: Settings, takes_events: bool, readings: Readings) -> Telemetry:
    """What the options ask for.

    Args:
        settings: The options.
        takes_events: Whether it is an event function.
        readings: What metrics tell of the app, by the name of the gauge.

    Raises:
        SettingsError: A library for it is not installed.
    """
    observers: list[Observer] = []
    contexts: list[Context] = []
    if settings.access_log:
        from pyfunc.accesslog import AccessLog  # off unless asked for

        observers.append(AccessLog())
    if settings.metrics_port is not None:
        try:
            from pyfunc.metrics import Metrics  # an extra, and 30 ms of the start
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"--metrics-port needs {error.name}: install the extra `metrics` of pyfunc-invoker"
            ) from None
        metrics = Metrics("pubsub" if takes_events else "http", settings.metrics_types, readings)
        observers.append(metrics)
        contexts.append(metrics.context(Address(settings.host, settings.metrics_port)))
    return Telemetry(tuple(observers), tuple(contexts))
