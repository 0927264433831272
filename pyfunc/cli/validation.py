"""The checks of a deployment: faults that the platform would reject, and warnings."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyfunc.cli.deployment import NO_DEAD_LETTER, Deployment, is_name, nearest_name
from pyfunc.cli.sizing import admitted, revision_timeout
from pyfunc.cloudevents.attributes import check_text
from pyfunc.errors import SettingsError
from pyfunc.settings import Settings

__all__ = ["CHECKS", "deployment_warnings", "validate"]

MAX_TIMEOUT = 600
"""Seconds: the default of Knative's `max-revision-timeout-seconds`."""
MAX_CONCURRENCY = 1000
"""Invocations: the default of Knative's `container-concurrency-max-limit`."""
FUNC_TIMEOUT = 300
"""Seconds: the default `timeoutSeconds` of a Knative service, which `func` does not set."""
QUEUE_PROXY_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})

Check = Callable[[Settings, Deployment], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The checks for a platform; each yields messages."""

    faults: tuple[Check, ...]
    warnings: tuple[Check, ...]


def validate(platform: str, deployment: Deployment, settings: Settings) -> None:
    """Check that the platform accepts a deployment.

    Args:
        platform: A key of `CHECKS`.
        deployment: The deployment.
        settings: Its options.

    Raises:
        SettingsError: The platform would reject it; the message lists all faults.
    """
    checks = CHECKS[platform].faults
    faults = [fault for check in checks for fault in check(settings, deployment)]
    if faults:
        raise SettingsError("\n".join(faults))


def deployment_warnings(platform: str, deployment: Deployment, settings: Settings) -> list[str]:
    """List what the platform accepts, but the user may not intend."""
    checks = CHECKS[platform].warnings
    return [warning for check in checks for warning in check(settings, deployment)]


# --- faults ---------------------------------------------------------------------------------------

# https://github.com/distribution/reference, regexp.go.
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/|\[[0-9A-Fa-f:]+\](?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,})?"
).fullmatch


def _bad_names(settings: Settings, deployment: Deployment) -> Iterator[str]:
    names = {
        "name": deployment.name,
        "broker": deployment.broker,
        "dead-letter": deployment.dead_letter,
    }
    for flag, name in names.items():
        if not is_name(name):
            nearest = nearest_name(name)
            hint = f"; did you mean {nearest}?" if nearest else ""
            yield (
                f"--{flag} is {name!r}: expected up to 63 lower-case letters, digits and hyphens,"
                f" starting with a letter{hint}"
            )


def _bad_image(settings: Settings, deployment: Deployment) -> Iterator[str]:
    defaults = ("", f"{deployment.name}:latest")
    if deployment.image not in defaults and not _IMAGE(deployment.image):
        yield (
            f"--image is {deployment.image!r}: expected an image reference, such as"
            " registry.example.com/team/my-function:1.0.0"
        )


def _bad_types(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for event_type in deployment.event_types:
        faults: dict[str, str] = {}
        check_text("type", event_type, faults)
        yield from (f"--event-type is {event_type!r}: {fault}" for fault in faults.values())
    if deployment.event_types and not deployment.takes_events:
        yield "--event-type does not apply: this is an HTTP function, which takes no events"


def _bad_ports(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for flag, port in (("port", settings.port), ("metrics-port", settings.metrics_port)):
        if port == 0:
            yield f"--{flag} is 0: a pod needs a fixed port"
    if settings.port and settings.port == settings.metrics_port:
        yield "--metrics-port equals --port: choose another"


def _queue_proxy_ports(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for flag, port in (("port", settings.port), ("metrics-port", settings.metrics_port)):
        if port in QUEUE_PROXY_PORTS:
            yield f"--{flag} is {port}: Knative's queue-proxy, in the same pod, uses this port"


def _addresses(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for name in ("host", "listen_address"):
        if deployment.sets(name):
            yield f"--{name.replace('_', '-')} does not apply: a pod listens on all interfaces"


def _no_time_limit(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.timeout == 0:
        yield "--timeout is 0: Knative requires a time limit"


def _no_time_limit_for_broker(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.timeout == 0 and deployment.event_types:
        yield "--timeout is 0: deliveries of a broker require a time limit"


def _high_concurrency(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if (total := admitted(settings)) > MAX_CONCURRENCY:
        yield (
            f"--concurrency allows {total} invocations per pod: Knative accepts at most"
            f" {MAX_CONCURRENCY}, or 0 for no limit"
        )


def _unknown_workers(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.workers == 0:
        yield "--workers is 0: a pod needs a fixed number, since workers share its resources"


def _unsupported_by_func(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.sets("port"):
        yield "--port does not apply: func sets the port"
    if deployment.sink_binding:
        yield "--sink-binding does not apply: func.yaml cannot state it"


# --- warnings -------------------------------------------------------------------------------------


def _short_drain(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.timeout == 0 or settings.timeout > settings.drain_timeout:
        yield (
            f"--drain-timeout is {settings.drain_timeout:g} s, less than --timeout: a roll-out may"
            " interrupt invocations"
        )


def _long_timeout(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if (seconds := revision_timeout(settings)) > MAX_TIMEOUT:
        yield (
            f"timeoutSeconds is {seconds}: Knative rejects more than {MAX_TIMEOUT}, unless its"
            " max-revision-timeout-seconds is raised"
        )


def _timeout_above_func(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if (seconds := settings.queue_timeout + settings.timeout) >= FUNC_TIMEOUT:
        yield (
            f"--queue-timeout plus --timeout is {seconds:g} s: Knative waits {FUNC_TIMEOUT} s for"
            " functions deployed by func"
        )


def _few_threads(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if not deployment.is_async and settings.concurrency > settings.threads:
        yield (
            f"--concurrency is {settings.concurrency}, more than --threads {settings.threads}:"
            " admitted invocations will wait for a thread"
        )


def _no_event_types(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.takes_events and not deployment.event_types:
        yield "no --event-type is given: without a Trigger, no broker sends events to the function"


def _reply_loop(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.reply_type in deployment.event_types:
        yield (
            f"--reply-type {settings.reply_type} is also an --event-type: the broker delivers each"
            " reply to the function again, endlessly"
        )


def _prerequisites(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.event_types:
        objects = [f"Broker `{deployment.broker}`"]
        if deployment.dead_letter != NO_DEAD_LETTER:
            objects.append(f"Service `{deployment.dead_letter}`")
        yield f"the Triggers need {' and '.join(objects)}; create them first"


def _triggers_of_func(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.event_types:
        yield (
            "func creates Triggers without retries and dead-letter sink: configure both in the"
            f" Broker `{deployment.broker}`, and create it first"
        )


_NAMES = (_bad_names, _bad_image, _bad_types, _bad_ports, _addresses, _unknown_workers)
_KNATIVE = (_queue_proxy_ports, _no_time_limit, _high_concurrency)
_COMMON = (_few_threads, _reply_loop)

CHECKS: Mapping[str, Checks] = {
    "knative": Checks(
        faults=(*_NAMES, *_KNATIVE),
        warnings=(_long_timeout, _no_event_types, *_COMMON, _prerequisites),
    ),
    "kubernetes": Checks(
        faults=(*_NAMES, _no_time_limit_for_broker),
        warnings=(_short_drain, *_COMMON, _prerequisites),
    ),
    "func": Checks(
        faults=(*_NAMES, *_KNATIVE, _unsupported_by_func),
        warnings=(_timeout_above_func, _no_event_types, *_COMMON, _triggers_of_func),
    ),
}
