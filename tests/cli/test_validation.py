"""The faults and warnings of a deployment."""

from typing import Any

import pytest

from pyfunc.cli.deployment import Deployment
from pyfunc.cli.sizing import size
from pyfunc.cli.validation import deployment_warnings, validate
from pyfunc.errors import SettingsError

EVENT: dict[str, Any] = {"takes_events": True, "event_types": ["com.example.order"]}


def of(**facts: Any) -> Deployment:
    return Deployment(**{"name": "greet", "image": "greet:1.0", **facts})


def validated(platform: str, deployment: Deployment) -> None:
    validate(platform, deployment, size(platform, deployment))


def warned(platform: str, deployment: Deployment) -> list[str]:
    validated(platform, deployment)
    return deployment_warnings(platform, deployment, size(platform, deployment))


@pytest.mark.parametrize(
    "image",
    [
        "greet",
        "greet:1.0",
        "localhost:5000/greet",
        "registry.example.com/a/b-c/d__e:v1.2_3-x",
        "[2001:db8::1]:5000/greet",
        "greet@sha256:" + "0" * 64,
    ],
)
def test_image_reference_is_accepted(image: str) -> None:
    validated("knative", of(image=image))


NAME = "expected up to 63 lower-case letters, digits and hyphens, starting with a letter"
REJECTED = [
    ("knative", {"name": "My Func"}, f"--name is 'My Func': {NAME}; did you mean my-func?"),
    ("knative", {"name": "9"}, f"--name is '9': {NAME}"),
    ("kubernetes", {"broker": "A"}, f"--broker is 'A': {NAME}; did you mean a?"),
    ("knative", {"dead_letter": "a.b"}, f"--dead-letter is 'a.b': {NAME}; did you mean a-b?"),
    (
        "knative",
        {"image": "greet 1.0\nevil: true"},
        "--image is 'greet 1.0\\nevil: true': expected an image reference, such as"
        " registry.example.com/team/my-function:1.0.0",
    ),
    (
        "knative",
        {"takes_events": True, "event_types": ["a\nb"]},
        "--event-type is 'a\\nb': expected no control characters, no non-characters and no"
        " surrogates",
    ),
    (
        "knative",
        {"takes_events": True, "event_types": [""]},
        "--event-type is '': expected a value, found an empty one",
    ),
    (
        "knative",
        {"event_types": ["a.b"]},
        "--event-type does not apply: this is an HTTP function, which takes no events",
    ),
    (
        "kubernetes",
        {"options": {"host": "::1"}},
        "--host does not apply: a pod listens on all interfaces",
    ),
    (
        "knative",
        {"options": {"listen_address": "*:80"}},
        "--listen-address does not apply: a pod listens on all interfaces",
    ),
    ("knative", {"options": {"port": "0"}}, "--port is 0: a pod needs a fixed port"),
    (
        "knative",
        {"options": {"metrics_port": "9090"}},
        "--metrics-port is 9090: Knative's queue-proxy, in the same pod, uses this port",
    ),
    (
        "kubernetes",
        {"options": {"metrics_port": "8080"}},
        "--metrics-port equals --port: choose another",
    ),
    (
        "knative",
        {"options": {"timeout": "0"}},
        "--timeout is 0: Knative requires a time limit",
    ),
    (
        "kubernetes",
        {**EVENT, "options": {"timeout": "0"}},
        "--timeout is 0: deliveries of a broker require a time limit",
    ),
    (
        "knative",
        {"options": {"concurrency": "1001"}},
        "--concurrency allows 1001 invocations per pod: Knative accepts at most 1000, or 0 for no"
        " limit",
    ),
    (
        "knative",
        {"options": {"concurrency": "400", "workers": "3"}},
        "--concurrency allows 1200 invocations per pod: Knative accepts at most 1000, or 0 for no"
        " limit",
    ),
    (
        "kubernetes",
        {"options": {"workers": "0"}},
        "--workers is 0: a pod needs a fixed number, since workers share its resources",
    ),
    ("func", {"options": {"port": "80"}}, "--port does not apply: func sets the port"),
    (
        "func",
        {"sink_binding": True},
        "--sink-binding does not apply: func.yaml cannot state it",
    ),
    (
        "knative",
        {"options": {"timeout": "soon"}},
        "--timeout is 'soon': expected a number of seconds",
    ),
]


@pytest.mark.parametrize(("platform", "facts", "messages"), REJECTED)
def test_fault_is_rejected(platform: str, facts: dict[str, Any], messages: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validated(platform, of(**facts))
    assert str(caught.value) == messages


PREREQUISITES = "the Triggers need Broker `default`{}; create them first"
WARNED = [
    ("knative", {}, []),
    ("kubernetes", {"takes_events": True}, []),
    ("func", {}, []),
    (
        "func",
        {**EVENT, "options": {"timeout": "290"}},
        [
            "--queue-timeout plus --timeout is 300 s: Knative waits 300 s for functions deployed by"
            " func",
            "func creates Triggers without retries and dead-letter sink: configure both in the"
            " Broker `default`, and create it first",
        ],
    ),
    (
        "kubernetes",
        {"options": {"workers": "2", "metrics_port": "9100"}},
        [],  # one port has the metrics of all workers
    ),
    (
        "knative",
        {"takes_events": True},
        ["no --event-type is given: without a Trigger, no broker sends events to the function"],
    ),
    ("knative", EVENT, [PREREQUISITES.format(" and Service `dead-letter`")]),
    ("kubernetes", {**EVENT, "dead_letter": "none"}, [PREREQUISITES.format("")]),
    (
        "knative",
        {"options": {"timeout": "600"}},
        [
            "timeoutSeconds is 615: Knative rejects more than 600, unless its"
            " max-revision-timeout-seconds is raised"
        ],
    ),
    (
        "knative",
        {"options": {"concurrency": "9", "threads": "3"}},
        ["--concurrency is 9, more than --threads 3: admitted invocations will wait for a thread"],
    ),
    ("knative", {"is_async": True, "options": {"concurrency": "9", "threads": "3"}}, []),
    (
        "kubernetes",
        {"options": {"timeout": "60", "drain_timeout": "10"}},
        ["--drain-timeout is 10 s, less than --timeout: a roll-out may interrupt invocations"],
    ),
    (
        "kubernetes",
        {"options": {"timeout": "0"}},
        ["--drain-timeout is 25 s, less than --timeout: a roll-out may interrupt invocations"],
    ),
    (
        "knative",
        {**EVENT, "options": {"reply_type": "com.example.order"}},
        [
            "--reply-type com.example.order is also an --event-type: the broker delivers each reply"
            " to the function again, endlessly",
            PREREQUISITES.format(" and Service `dead-letter`"),
        ],
    ),
]


@pytest.mark.parametrize(("platform", "facts", "messages"), WARNED)
def test_warnings_of_a_platform(platform: str, facts: dict[str, Any], messages: list[str]) -> None:
    deployment = of(**facts)
    assert warned(platform, deployment) == messages
