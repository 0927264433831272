"""The numbers of a deployment: limits and times that fit each other and the platform.

Options that the user set stay as they are; the others follow the rules of the platform.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from pyfunc.cli.deployment import Deployment
from pyfunc.settings import Settings

__all__ = [
    "PRESETS",
    "PRE_STOP",
    "admitted",
    "grace_period",
    "memory",
    "response_timeout",
    "revision_timeout",
    "size",
]

PRE_STOP = 5
"""Seconds for which a pod on Kubernetes still gets new connections after the order to terminate."""
QUEUE_PROXY_DRAIN = 30
"""Seconds that Knative's queue-proxy drains before it forwards the signal to the function."""

Preset = Callable[[Settings, Deployment], Mapping[str, Any]]


def size(platform: str, deployment: Deployment) -> Settings:
    """Resolve the options of the deployed function.

    Args:
        platform: A key of `PRESETS`.
        deployment: The deployment.

    Raises:
        SettingsError: An option is invalid.
    """
    settings = Settings.resolve(deployment.options, environ={})
    for preset in (_limits, PRESETS[platform]):
        values = preset(settings, deployment)
        unset = {name: value for name, value in values.items() if not deployment.sets(name)}
        settings = replace(settings, **unset)
    return settings


def _limits(settings: Settings, deployment: Deployment) -> Mapping[str, Any]:
    """Invocations of a `def` must not wait for threads; those of an `async def` need none."""
    if deployment.is_async:
        return {"concurrency": 100}
    return {"threads": max(settings.threads, settings.concurrency), "concurrency": settings.threads}


def _on_kubernetes(settings: Settings, deployment: Deployment) -> Mapping[str, Any]:
    """A roll-out interrupts no invocation: the drain lasts as long as one may."""
    drain = settings.drain_timeout
    if deployment.sets("timeout") and not deployment.sets("drain_timeout"):
        drain = max(drain, settings.timeout)
    return {
        "queue": settings.concurrency,
        "timeout": drain,
        "drain_delay": 2.0,
        "drain_timeout": drain,
    }


def _on_knative(settings: Settings, deployment: Deployment) -> Mapping[str, Any]:
    return {"queue": 10, "timeout": 45.0}


def _on_func(settings: Settings, deployment: Deployment) -> Mapping[str, Any]:
    return {"queue": 10, "timeout": 285.0}


PRESETS: Mapping[str, Preset] = {
    "knative": _on_knative,
    "kubernetes": _on_kubernetes,
    "func": _on_func,
}
"""The defaults of each platform, where they differ from those of `start`."""


def grace_period(settings: Settings) -> int:
    """Seconds for a pod to terminate: the `preStop` hook, the drain, `on_shutdown`."""
    ending = max(5.0, settings.shutdown_timeout or 0.0)
    return _round_up(PRE_STOP + (settings.drain_delay or 0.0) + settings.drain_timeout + ending)


def response_timeout(settings: Settings) -> int:
    """Seconds to wait for a response: more than pyfunc's own limits, so that it responds."""
    return _round_up(settings.queue_timeout + settings.timeout + 1)


def revision_timeout(settings: Settings) -> int:
    """Seconds to wait for a response, and for a pod to terminate: one number on Knative."""
    drain = QUEUE_PROXY_DRAIN + (settings.drain_delay or 0.0) + settings.drain_timeout
    return max(response_timeout(settings), _round_up(drain))


def admitted(settings: Settings) -> int:
    """Concurrent invocations in a pod; each worker has its own limit."""
    return settings.concurrency * settings.workers


def memory(settings: Settings) -> str:
    """256 MiB for the function and its libraries, plus four bodies of the maximum size."""
    return f"{(256 + math.ceil(4 * settings.max_body / 2**20)) * settings.workers}Mi"


def _round_up(seconds: float) -> int:
    return math.ceil(seconds / 5) * 5
