"""What a function is to have on a cluster, and the numbers that follow: all of them in step.

Options that were chosen stay as they are; the others follow the platform's rules. Texts are
`manifest`'s.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from pyfunc.cloudevents.attributes import check_text
from pyfunc.errors import SettingsError
from pyfunc.settings import Settings

__all__ = [
    "NOWHERE",
    "PRE_STOP",
    "RULES",
    "Deployment",
    "admitted",
    "doubts",
    "grace",
    "is_name",
    "memory",
    "near",
    "patience",
    "revision_timeout",
    "settle",
    "trigger_name",
]

PRE_STOP = 5
"""Seconds for which a pod on Kubernetes gets new connections after it was told to end."""
QUEUE_PROXY_DRAIN = 30
"""Seconds that Knative's queue-proxy drains before the function gets the signal."""
LONGEST = 600
"""Seconds: Knative's `max-revision-timeout-seconds`, unless an operator changed it."""
MOST = 1000
"""Invocations: Knative's `container-concurrency-max-limit`, unless an operator changed it."""
USUAL = 300
"""Seconds: the `timeoutSeconds` of a Knative service that says none, as `func` makes it."""
QUEUE_PROXY_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})

NOWHERE = "none"
"""In place of the name of a dead-letter service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What is to run on a cluster, and what it is to get."""

    name: str
    image: str
    takes_events: bool = False
    is_async: bool = False
    event_types: Sequence[str] = ()
    broker: str = "default"
    dead_letter: str = "dead-letter"
    """The service that gets events which could not be delivered; `none` for no such service."""
    sink_binding: bool = False
    """Whether the function gets K_SINK, the broker's address."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The text of each option that was chosen, by field of `Settings`."""

    def chose(self, name: str) -> bool:
        """Whether this option is not ours to settle."""
        return name in self.options


Preset = Callable[[Settings, Deployment], Mapping[str, Any]]
Find = Callable[[Settings, Deployment], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Rules:
    """A row: how one platform wants its numbers.

    Args:
        preset: The options that nobody chose.
        faults: What it would refuse.
        doubts: What it would take, to the user's harm.
    """

    preset: Preset
    faults: tuple[Find, ...]
    doubts: tuple[Find, ...]


def settle(platform: str, deployment: Deployment) -> Settings:
    """What the function is started with there.

    Args:
        platform: A name of `RULES`.
        deployment: What is to run.

    Raises:
        SettingsError: Something cannot be used; everything of that kind is told.
    """
    settings = Settings.resolve(deployment.options, environ={})
    for preset in (_in_step, RULES[platform].preset):
        wanted = preset(settings, deployment)
        free = {name: value for name, value in wanted.items() if not deployment.chose(name)}
        settings = replace(settings, **free)
    found = [fault for find in RULES[platform].faults for fault in find(settings, deployment)]
    if found:
        raise SettingsError("\n".join(found))
    return settings


def doubts(platform: str, deployment: Deployment, settings: Settings) -> list[str]:
    """What the user should know of what was settled."""
    return [doubt for find in RULES[platform].doubts for doubt in find(settings, deployment)]


# --- options --------------------------------------------------------------------------------------


def _in_step(chosen: Settings, deployment: Deployment) -> Mapping[str, Any]:
    """An invocation of a `def` must not wait for a thread; one of an `async def` needs none."""
    if deployment.is_async:
        return {"concurrency": 100}
    return {"threads": max(chosen.threads, chosen.concurrency), "concurrency": chosen.threads}


def _on_kubernetes(chosen: Settings, deployment: Deployment) -> Mapping[str, Any]:
    """A roll-out cuts no invocation short: the drain lasts as long as one may."""
    drain = chosen.drain_timeout
    if deployment.chose("timeout") and not deployment.chose("drain_timeout"):
        drain = max(drain, chosen.timeout)
    return {
        "queue": chosen.concurrency,
        "timeout": drain,
        "drain_delay": 2.0,
        "drain_timeout": drain,
    }


def _on_knative(chosen: Settings, deployment: Deployment) -> Mapping[str, Any]:
    return {"queue": 10, "timeout": 45.0}


def _by_func(chosen: Settings, deployment: Deployment) -> Mapping[str, Any]:
    return {"queue": 10, "timeout": 285.0}


# --- what follows from them -----------------------------------------------------------------------


def grace(settings: Settings) -> int:
    """Seconds that Kubernetes waits for the end of a pod: the hook, the drain, `on_shutdown`."""
    ending = max(5.0, settings.shutdown_timeout or 0.0)
    return _above(PRE_STOP + (settings.drain_delay or 0.0) + settings.drain_timeout + ending)


def patience(settings: Settings) -> int:
    """Seconds to wait for an answer: more than pyfunc takes, so that the answer is pyfunc's own."""
    return _above(settings.queue_timeout + settings.timeout + 1)


def revision_timeout(settings: Settings) -> int:
    """Seconds to wait for an answer, and for the end of a pod: on Knative they are one number."""
    drain = QUEUE_PROXY_DRAIN + (settings.drain_delay or 0.0) + settings.drain_timeout
    return max(patience(settings), _above(drain))


def admitted(settings: Settings) -> int:
    """Invocations at a time in a pod; each worker has limits of its own."""
    return settings.concurrency * settings.workers


def memory(settings: Settings) -> str:
    """256 MiB for the function and its libraries, and four of the largest bodies."""
    return f"{(256 + math.ceil(4 * settings.max_body / 2**20)) * settings.workers}Mi"


def _above(seconds: float) -> int:
    return math.ceil(seconds / 5) * 5


# --- names ----------------------------------------------------------------------------------------

is_name = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch
"""Whether a service may be called so (RFC 1035, section 2.3.1): Knative makes a host name of it."""
_PLAIN_TYPE = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)*").fullmatch
# https://github.com/distribution/reference, regexp.go.
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/|\[[0-9A-Fa-f:]+\](?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,})?"
).fullmatch


def near(text: str) -> str:
    """The nearest name that a service may have; empty where there is none."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).lstrip("-0123456789")[:63].rstrip("-")


def trigger_name(name: str, event_type: str) -> str:
    """The name of the Trigger for a type: the same whatever other types there are.

    A type that loses something in a name, or is too long for one, is told apart by a digest.
    """
    whole = f"{name}-{event_type.replace('.', '-')}"
    if _PLAIN_TYPE(event_type) and len(whole) <= 63:
        return whole
    digest = sha256(event_type.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{name}-{event_type.lower()}")
    return f"{readable[:54].rstrip('-')}-{digest}"


# --- what is refused ------------------------------------------------------------------------------


def _bad_names(settings: Settings, deployment: Deployment) -> Iterator[str]:
    names = {
        "name": deployment.name,
        "broker": deployment.broker,
        "dead-letter": deployment.dead_letter,
    }
    for flag, name in names.items():
        if not is_name(name):
            meant = f"; did you mean {near(name)}?" if near(name) else ""
            yield (
                f"--{flag} is {name!r}: expected up to 63 lower-case letters, digits and hyphens,"
                f" a letter first{meant}"
            )


def _bad_image(settings: Settings, deployment: Deployment) -> Iterator[str]:
    ours = ("", f"{deployment.name}:latest")
    if deployment.image not in ours and not _IMAGE(deployment.image):
        yield (
            f"--image is {deployment.image!r}: expected the reference of an image, such as"
            " registry.example.com/team/my-function:1.0.0"
        )


def _bad_types(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for event_type in deployment.event_types:
        faults: dict[str, str] = {}
        check_text("type", event_type, faults)
        yield from (f"--event-type is {event_type!r}: {fault}" for fault in faults.values())
    if deployment.event_types and not deployment.takes_events:
        yield "--event-type is of no use: this is an HTTP function, which takes no events"


def _bad_ports(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for flag, port in (("port", settings.port), ("metrics-port", settings.metrics_port)):
        if port == 0:
            yield f"--{flag} is 0: on a cluster the port has to be known"
    if settings.port and settings.port == settings.metrics_port:
        yield "--metrics-port is that of the function: choose another"


def _queue_proxys_ports(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for flag, port in (("port", settings.port), ("metrics-port", settings.metrics_port)):
        if port in QUEUE_PROXY_PORTS:
            yield f"--{flag} is {port}: Knative's queue-proxy, in the same pod, has this port"


def _addresses(settings: Settings, deployment: Deployment) -> Iterator[str]:
    for name in ("host", "listen_address"):
        if deployment.chose(name):
            yield f"--{name.replace('_', '-')} is not for a pod, which listens on every interface"


def _endless_here(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.timeout == 0:
        yield "--timeout is 0: Knative takes no invocation without an end"


def _endless_for_a_broker(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.timeout == 0 and deployment.event_types:
        yield "--timeout is 0: a broker waits for no invocation without an end"


def _too_many(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if (many := admitted(settings)) > MOST:
        yield f"--concurrency makes {many} in a pod: Knative takes {MOST} at most, 0 for any"


def _unknown_workers(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.workers == 0:
        yield "--workers is 0: how many share the limits of a pod has to be known"


def _funcs_own(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.chose("port"):
        yield "--port is not for func, which says where to listen"
    if deployment.sink_binding:
        yield "--sink-binding is not for func, whose file has no place for it"


# --- what is doubtful -----------------------------------------------------------------------------


def _cut_short(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.timeout == 0 or settings.timeout > settings.drain_timeout:
        yield (
            f"--drain-timeout is {settings.drain_timeout:g} s and less than --timeout: a roll-out"
            " may cut invocations short"
        )


def _too_long(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if (seconds := revision_timeout(settings)) > LONGEST:
        yield (
            f"timeoutSeconds is {seconds}: Knative refuses more than {LONGEST} unless its"
            " max-revision-timeout-seconds is raised"
        )


def _longer_than_usual(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if (seconds := settings.queue_timeout + settings.timeout) >= USUAL:
        yield (
            f"--queue-timeout and --timeout make {seconds:g} s: Knative waits {USUAL} s for an"
            " answer where func deployed"
        )


def _few_threads(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if not deployment.is_async and settings.concurrency > settings.threads:
        yield (
            f"--concurrency {settings.concurrency} is more than --threads {settings.threads}:"
            " admitted invocations will wait for a thread"
        )


def _nothing_comes(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.takes_events and not deployment.event_types:
        yield "no --event-type is named: without a Trigger, no broker sends it events"


def _comes_back(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if settings.reply_type in deployment.event_types:
        yield (
            f"--reply-type {settings.reply_type} is an --event-type, too: the broker brings each"
            " reply back, without an end"
        )


def _has_to_be_there(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.event_types:
        needed = [f"the Broker {deployment.broker}"]
        if deployment.dead_letter != NOWHERE:
            needed.append(f"the service {deployment.dead_letter}")
        yield f"a Trigger is ready once {' and '.join(needed)}, not printed here, are there"


def _funcs_triggers(settings: Settings, deployment: Deployment) -> Iterator[str]:
    if deployment.event_types:
        yield (
            f"func makes Triggers that leave retries and a dead-letter sink to the Broker"
            f" {deployment.broker}, which has to be there"
        )


_NAMES = (_bad_names, _bad_image, _bad_types, _bad_ports, _addresses, _unknown_workers)
_SERVING = (_queue_proxys_ports, _endless_here, _too_many)
_DOUBTS = (_few_threads, _comes_back)

RULES: Mapping[str, Rules] = {
    "knative": Rules(
        _on_knative, (*_NAMES, *_SERVING), (_too_long, _nothing_comes, *_DOUBTS, _has_to_be_there)
    ),
    "kubernetes": Rules(
        _on_kubernetes, (*_NAMES, _endless_for_a_broker), (_cut_short, *_DOUBTS, _has_to_be_there)
    ),
    "func": Rules(
        _by_func,
        (*_NAMES, *_SERVING, _funcs_own),
        (_longer_than_usual, _nothing_comes, *_DOUBTS, _funcs_triggers),
    ),
}
