"""The command `manifest`: documents for `kubectl apply`, or for `func`.

The folder `manifests` has the templates. Their values come from the deployment, whose numbers
`sizing` calculates and `validation` checks.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from pyfunc.cli.deployment import NO_DEAD_LETTER, Deployment, nearest_name, trigger_name
from pyfunc.cli.sizing import (
    PRE_STOP,
    admitted,
    grace_period,
    memory,
    response_timeout,
    revision_timeout,
    size,
)
from pyfunc.cli.validation import deployment_warnings, validate
from pyfunc.cli.warnings import warnings
from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import Plan, compile_plan
from pyfunc.options import format_value
from pyfunc.settings import OPTIONS, Option, Settings

__all__ = ["PLATFORMS", "documents", "fill", "manifest"]

_TEMPLATES = Path(__file__).parent / "manifests"
Values = Mapping[str, str]


def manifest(
    settings: Settings,
    options: Mapping[str, str],
    echo: Callable[[str], None],
    warn: Callable[[str], None],
    *,
    platform: str,
    name: str | None = None,
    image: str | None = None,
    event_types: Sequence[str] | None = None,
    **flags: Any,
) -> int:
    """Print the manifests of the function that `start` would serve.

    Args:
        settings: The options that locate the function.
        options: The texts of the options on the command line; the environment of this machine is
            not that of the pod.
        echo: Prints the documents.
        warn: Prints a warning.
        platform: A key of `PLATFORMS`.
        name: The name of the service, by default that of the function's directory.
        image: The image, by default the name with `:latest`, and a warning.
        event_types: The event types to subscribe to at the broker.
        flags: Other fields of `Deployment`.

    Returns:
        The exit code, 0.

    Raises:
        StartupError: The function cannot be served.
        SettingsError: A flag or an option is invalid.
    """
    loaded = load(settings.search_path, settings.module_name, settings.function_name)
    plan = compile_plan(loaded.function, str(loaded))
    name = name or nearest_name(Path(settings.search_path).resolve().name) or "function"
    objects = PLATFORMS[platform].objects
    deployment = Deployment(
        name=name,
        image=image or (f"{name}:latest" if objects else ""),
        takes_events=plan.takes_events,
        is_async=plan.is_async,
        event_types=tuple(dict.fromkeys(event_types or ())),
        options={**_location(settings), **options},
        **flags,
    )
    sized = size(platform, deployment)
    texts = [text for _, text in documents(platform, deployment)]
    echo(_headline(loaded, plan) + "---\n".join(texts).rstrip())
    messages = [] if image or not objects else [f"no --image is given: using {name}:latest"]
    messages += deployment_warnings(platform, deployment, sized)
    messages += [warning.message for warning in warnings(loaded, plan, sized)]
    for message in messages:
        warn(f"pyfunc: {message}")
    return 0


def _location(settings: Settings) -> dict[str, str]:
    """The options with which the pod serves the same function, even if a variable named it here."""
    names = {"module_name": settings.module_name, "function_name": settings.function_name}
    return {n: v for n, v in names.items() if v and v != getattr(Settings(), n)}


def _headline(loaded: Loaded, plan: Plan) -> str:
    words = ["async" if plan.is_async else "sync", *(["streaming"] if plan.is_generator else [])]
    kind = "event" if plan.takes_events else "HTTP"
    sources = ", ".join(b.source.name for b in plan.bindings if b.source) or "nothing"
    subject = f"{loaded.place} {loaded.function_name}: {' '.join(words)} {kind} function"
    return "# " + re.sub(r"[^ -~]", "?", f"{subject}; receives {sources}") + "\n"


def documents(platform: str, deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Yield the documents, each with the name of its template.

    Args:
        platform: A key of `PLATFORMS`.
        deployment: The deployment.

    Raises:
        SettingsError: The deployment is invalid; the message lists all faults.
    """
    row = PLATFORMS[platform]
    settings = size(platform, deployment)
    validate(platform, deployment, settings)
    values = {**_values(deployment, settings, row.environment), **row.values(deployment, settings)}
    if row.objects and deployment.dead_letter != NO_DEAD_LETTER:
        values["undelivered"] = fill("dead-letter-sink", values).rstrip()
    for template in row.templates:
        yield template, fill(template, values)
    for event_type in deployment.event_types if row.objects else ():
        trigger = trigger_name(deployment.name, event_type)
        yield "trigger", fill("trigger", {**values, **_scalars(trigger=trigger, type=event_type)})
    if deployment.sink_binding:
        yield "sinkbinding", fill("sinkbinding", values)


def fill(template: str, values: Values) -> str:
    """Substitute the placeholders of a template.

    Each line of a value is indented like its placeholder; empty lines are removed.
    """
    lines = (_TEMPLATES / f"{template}.yaml").read_text(encoding="utf-8").splitlines()
    return "".join(filter(str.strip, (_line(line, values) for line in lines)))


def _line(line: str, values: Values) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return Template(line).substitute(values).replace("\n", f"\n{indent}") + "\n"


# --- values ---------------------------------------------------------------------------------------


def _values(deployment: Deployment, settings: Settings, environment: Mapping[str, str]) -> Values:
    probe = math.ceil(settings.probe_timeout) or 1
    return {
        **_scalars(
            name=deployment.name,
            image=deployment.image,
            broker=deployment.broker,
            dead_letter=deployment.dead_letter,
            live=settings.live_paths[0],
            ready=settings.ready_paths[0],
        ),
        "ready_timeout": str(probe),
        "live_timeout": str(probe + 1),
        "memory": memory(settings),
        "concurrency": str(admitted(settings)),
        "cpu": str(settings.workers),
        "together": "PYFUNC_CONCURRENCY in each worker" if settings.workers > 1 else _SAME,
        "env": _environment(deployment, settings, environment),
        "undelivered": _LOST,
    }


def _kubernetes(deployment: Deployment, settings: Settings) -> Values:
    named = {"http": settings.port, "metrics": settings.metrics_port}
    ports = {name: port for name, port in named.items() if port}
    startup = settings.startup_timeout if deployment.sets("startup_timeout") else 0
    return {
        "grace": str(grace_period(settings)),
        "pre_stop": str(PRE_STOP),
        "startup": str(math.ceil(startup) or 30),
        "ports": "\n".join(f"- name: {name}\n  containerPort: {ports[name]}" for name in ports),
        "reachable": "\n".join(f"- port: {name}" for name in ports),
        "wait": str(response_timeout(settings) + 5),
        "api": "v1",
        "workload_api": "apps/v1",
        "workload": "Deployment",
    }


def _knative(deployment: Deployment, settings: Settings) -> Values:
    probe = math.ceil(settings.probe_timeout)
    return {
        "slow": f"periodSeconds: {probe}\ntimeoutSeconds: {probe}" if probe > 1 else "",
        "visibility": _INSIDE if deployment.takes_events else "",
        "patience": str(revision_timeout(settings)),
        "port": str(settings.port),
        "wait": str(revision_timeout(settings) + 5),
        "api": _SERVING,
        "workload_api": _SERVING,
        "workload": "Service",
    }


_SAME = "The same as PYFUNC_CONCURRENCY"
_LOST = "# Events that still fail are lost, unless a `deadLetterSink` is set here or at the broker."


def _func(deployment: Deployment, settings: Settings) -> Values:
    identity = {"invoke": "cloudevent"} if deployment.takes_events else {}
    identity |= {"image": _scalar(deployment.image)} if deployment.image else {}
    subscriptions = [
        f"  - source: {_scalar(deployment.broker)}\n    filters:\n      type: {_scalar(event_type)}"
        for event_type in deployment.event_types
    ]
    return {
        "created": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "identity": "\n".join(f"{name}: {text}" for name, text in identity.items()),
        "live": _scalar(settings.live_paths[-1]),
        "ready": _scalar(settings.ready_paths[-1]),
        "subscriptions": "\n".join(["subscriptions:" * bool(subscriptions), *subscriptions]),
    }


_SERVING = "serving.knative.dev/v1"
_INSIDE = (
    "# The broker is inside the cluster. Without this label, anyone may send events.\n"
    "networking.knative.dev/visibility: cluster-local"
)


# --- the environment ------------------------------------------------------------------------------

_BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}
# The image sets the search path, and the manifest itself states the port.
_OMITTED = frozenset({"search_path", "port"})
_THREADS = "The number of threads, so that an invocation of a `def` never waits for one."
_NO_THREADS = "An `async def` needs no thread, but each waiting invocation takes memory."


def _environment(deployment: Deployment, settings: Settings, always: Mapping[str, str]) -> str:
    others = (name for name in _BY_NAME if name not in _OMITTED and _differs(name, settings))
    names = dict.fromkeys([*always, *others])
    return "\n".join(_variable(name, deployment, settings, always.get(name, "")) for name in names)


def _differs(name: str, settings: Settings) -> bool:
    return bool(getattr(settings, name) != _BY_NAME[name].default)


def _variable(name: str, deployment: Deployment, settings: Settings, reason: str) -> str:
    text = deployment.options.get(name) or format_value(getattr(settings, name))
    if reason == _THREADS and deployment.is_async:
        reason = _NO_THREADS
    comment = f"# {reason}\n" if reason else ""
    return f"{comment}- name: {_BY_NAME[name].variable}\n  value: {_quoted(text)}"


# --- YAML -----------------------------------------------------------------------------------------

_is_plain = re.compile(r"[A-Za-z/][A-Za-z0-9._/@:-]*[A-Za-z0-9]", re.ASCII).fullmatch
# Words that are not strings in YAML 1.1.
_WORDS = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})


def _scalars(**texts: str) -> Values:
    return {name: _scalar(text) for name, text in texts.items()}


def _scalar(text: str) -> str:
    return text if _is_plain(text) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    """Quote a text, escaping all but printable ASCII."""
    return '"' + re.sub(r"[^ !#-\[\]-~]", lambda match: f"\\U{ord(match[0]):08X}", text) + '"'


@dataclass(frozen=True, slots=True)
class Platform:
    """The documents for a platform.

    Args:
        templates: The names of the templates.
        values: Calculates the values that only these templates use.
        environment: Options that are always stated, each with a comment.
        objects: True for Kubernetes objects; the file of `func` needs no image.
    """

    templates: tuple[str, ...]
    values: Callable[[Deployment, Settings], Values]
    environment: Mapping[str, str]
    objects: bool = True


PLATFORMS: Mapping[str, Platform] = {
    "knative": Platform(
        ("knative-service",),
        _knative,
        {
            "concurrency": _THREADS,
            "queue": "Knative may send the next request a moment before pyfunc has closed the last"
            " one.",
            "timeout": "",
        },
    ),
    "func": Platform(
        ("func",),
        _func,
        {
            "concurrency": "",
            "queue": "",
            "timeout": "With PYFUNC_QUEUE_TIMEOUT less than the 300 s that Knative waits, so that"
            " the answer is pyfunc's.",
        },
        objects=False,
    ),
    "kubernetes": Platform(
        (
            "kubernetes-deployment",
            "kubernetes-service",
            "kubernetes-horizontalpodautoscaler",
            "kubernetes-poddisruptionbudget",
            "kubernetes-networkpolicy",
        ),
        _kubernetes,
        {
            "port": "",
            "concurrency": _THREADS,
            "queue": "A burst waits here, up to PYFUNC_QUEUE_TIMEOUT, until more pods are there.",
            "timeout": "Not above PYFUNC_DRAIN_TIMEOUT, so that a roll-out cuts no invocation"
            " short.",
            "drain_delay": "Clients with a kept-alive connection are told to open another one"
            " during this time.",
            "drain_timeout": "",
        },
    ),
}
