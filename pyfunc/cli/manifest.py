"""The manifests of a function: documents for `kubectl apply`.

Their texts are in `manifests`; what is filled in there comes from `cluster` and from what `check`
knows of the function.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from pyfunc.cli.cluster import (
    NOWHERE,
    PRE_STOP,
    Deployment,
    admitted,
    doubts,
    grace,
    memory,
    near,
    patience,
    revision_timeout,
    settle,
    trigger_name,
)
from pyfunc.cli.warnings import warnings
from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import Plan, compile_plan
from pyfunc.options import format_value
from pyfunc.settings import OPTIONS, Option, Settings

__all__ = ["PLATFORMS", "documents", "fill", "run"]

_TEXTS = Path(__file__).parent / "manifests"
Say = Callable[[str], None]
Values = Mapping[str, str]


def run(
    settings: Settings,
    options: Mapping[str, str],
    say: Say,
    warn: Say,
    *,
    platform: str,
    name: str | None = None,
    image: str | None = None,
    event_types: Sequence[str] | None = None,
    **flags: Any,
) -> int:
    """Print the manifests of the function that `start` would serve.

    Args:
        settings: Say where the function is.
        options: The text of each option on the command line. The environment is that of this
            machine, and says nothing of the pod's.
        say: Prints what `kubectl apply` takes.
        warn: Prints a line beside that.
        platform: A name of `PLATFORMS`.
        name: Of the service (default: that of the function's directory).
        image: Where the image is (default: the name with `:latest`, and a warning).
        event_types: The types of events that it gets from the broker.
        flags: Other fields of `Deployment`.

    Returns:
        The exit code, 0.

    Raises:
        StartupError: The function cannot be served, or something cannot be used.
    """
    loaded = load(settings.search_path, settings.module_name, settings.function_name)
    plan = compile_plan(loaded.function, str(loaded))
    name = name or near(Path(settings.search_path).resolve().name) or "function"
    objects = PLATFORMS[platform].objects
    deployment = Deployment(
        name=name,
        image=image or (f"{name}:latest" if objects else ""),
        takes_events=plan.takes_events,
        is_async=plan.is_async,
        event_types=tuple(dict.fromkeys(event_types or ())),
        options={**_served(settings), **options},
        **flags,
    )
    settled = settle(platform, deployment)
    texts = [text for _, text in documents(platform, deployment)]
    say(_headline(loaded, plan) + "---\n".join(texts).rstrip())
    unnamed = () if image or not objects else (f"no --image is named: {name}:latest stands there",)
    found = [finding.message for finding in warnings(loaded, plan, settled)]
    for doubt in (*unnamed, *doubts(platform, deployment, settled), *found):
        warn(f"pyfunc: {doubt}")
    return 0


def _served(settings: Settings) -> dict[str, str]:
    """The function that was loaded is the one that the pod serves, whoever chose it."""
    chosen = {"module_name": settings.module_name, "function_name": settings.function_name}
    return {n: v for n, v in chosen.items() if v and v != getattr(Settings(), n)}


def _headline(loaded: Loaded, plan: Plan) -> str:
    words = ["async" if plan.is_async else "sync", *(["streaming"] if plan.is_generator else [])]
    kind = "event" if plan.takes_events else "HTTP"
    received = ", ".join(b.source.name for b in plan.bindings if b.source) or "nothing"
    told = f"{loaded.place} {loaded.function_name}: {' '.join(words)} {kind} function"
    return "# " + re.sub(r"[^ -~]", "?", f"{told}; receives {received}") + "\n"


def documents(platform: str, deployment: Deployment) -> Iterator[tuple[str, str]]:
    """Each document: what it is called in `manifests`, and its text.

    Args:
        platform: A name of `PLATFORMS`.
        deployment: What is to run.

    Raises:
        SettingsError: Something cannot be used; everything of that kind is told.
    """
    row = PLATFORMS[platform]
    settings = settle(platform, deployment)
    values = {**_values(deployment, settings, row.environment), **row.values(deployment, settings)}
    if row.objects and deployment.dead_letter != NOWHERE:
        values["undelivered"] = fill("dead-letter-sink", values).rstrip()
    for text in row.texts:
        yield text, fill(text, values)
    for event_type in deployment.event_types if row.objects else ():
        trigger = trigger_name(deployment.name, event_type)
        yield "trigger", fill("trigger", {**values, **_scalars(trigger=trigger, type=event_type)})
    if deployment.sink_binding:
        yield "sinkbinding", fill("sinkbinding", values)


def fill(text: str, values: Values) -> str:
    """A text of `manifests` with values for its placeholders.

    A value of several lines is indented as its placeholder is; a line without anything is left out.
    """
    template = Template((_TEXTS / f"{text}.yaml").read_text(encoding="utf-8"))
    lines = template.template.splitlines()
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
        "together": "PYFUNC_CONCURRENCY in each worker" if settings.workers > 1 else _TOGETHER,
        "env": _environment(deployment, settings, environment),
        "undelivered": _LOST,
    }


def _kubernetes(deployment: Deployment, settings: Settings) -> Values:
    named = {"http": settings.port, "metrics": settings.metrics_port}
    ports = {name: port for name, port in named.items() if port}
    startup = settings.startup_timeout if deployment.chose("startup_timeout") else 0
    return {
        "grace": str(grace(settings)),
        "pre_stop": str(PRE_STOP),
        "startup": str(math.ceil(startup) or 30),
        "ports": "\n".join(f"- name: {name}\n  containerPort: {ports[name]}" for name in ports),
        "reachable": "\n".join(f"- port: {name}" for name in ports),
        "wait": str(patience(settings) + 5),
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


_TOGETHER = "The same as PYFUNC_CONCURRENCY"
_LOST = (
    "# What is still not taken then is lost, unless a `deadLetterSink` is here or at the broker."
)


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
    "# The broker is inside the cluster. Without this label the world may send events too.\n"
    "networking.knative.dev/visibility: cluster-local"
)


# --- the environment ------------------------------------------------------------------------------

_BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}
# The image knows where its files are, and the manifest itself which port it serves.
_NEVER = frozenset({"search_path", "port"})
_THREADS = "As many as there are threads, so that an invocation of a `def` never waits for one."
_NO_THREADS = "An `async def` waits without a thread; what waits takes memory."


def _environment(deployment: Deployment, settings: Settings, always: Mapping[str, str]) -> str:
    others = (name for name in _BY_NAME if name not in _NEVER and _differs(name, settings))
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
# What YAML 1.1 takes for something else than a text.
_WORDS = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})


def _scalars(**texts: str) -> Values:
    return {name: _scalar(text) for name, text in texts.items()}


def _scalar(text: str) -> str:
    return text if _is_plain(text) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    """In double quotes, with whatever is not plain ASCII escaped."""
    return '"' + re.sub(r"[^ !#-\[\]-~]", lambda found: f"\\U{ord(found[0]):08X}", text) + '"'


@dataclass(frozen=True, slots=True)
class Platform:
    """A row: what is said to one platform.

    Args:
        texts: Which texts of `manifests`.
        values: What is filled in there alone.
        environment: Options that are always said, and why they are what they are.
    """

    texts: tuple[str, ...]
    values: Callable[[Deployment, Settings], Values]
    environment: Mapping[str, str]
    objects: bool = True
    """Whether documents for `kubectl`; else one for a tool, which needs no image yet."""


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
