"""Settles at start who looks on, so that what is off is neither imported nor asked."""

from pyfunc.observers import Observer
from pyfunc.settings import Settings

__all__ = ["observers_for"]


def observers_for(settings: Settings) -> tuple[Observer, ...]:
    """The observers that the options ask for."""
    observers: list[Observer] = []
    if settings.access_log:
        from pyfunc.accesslog import AccessLog  # off unless asked for

        observers.append(AccessLog())
    return tuple(observers)
