"""`cluster`: the numbers of a function on a platform, what is refused and what is doubtful."""

from typing import Any

import pytest

from pyfunc.cli.cluster import Deployment, doubts, near, settle, trigger_name
from pyfunc.errors import SettingsError

EVENT: dict[str, Any] = {"takes_events": True, "event_types": ["com.example.order"]}


def of(**facts: Any) -> Deployment:
    return Deployment(**{"name": "greet", "image": "greet:1.0", **facts})


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "facts", "expected"),
    [
        pytest.param(
            "knative",
            {},
            {"concurrency": 40, "queue": 10, "timeout": 45, "drain_timeout": 25},
            id="knative",
        ),
        pytest.param(
            "kubernetes",
            {},
            {"concurrency": 40, "queue": 40, "timeout": 25, "drain_timeout": 25, "drain_delay": 2},
            id="kubernetes",
        ),
        pytest.param(
            "knative",
            {"is_async": True},
            {"concurrency": 100, "threads": 40},
            id="no threads for an async function",
        ),
        pytest.param(
            "knative",
            {"options": {"concurrency": "60"}},
            {"concurrency": 60, "threads": 60},
            id="as many threads as invocations",
        ),
        pytest.param(
            "knative",
            {"options": {"concurrency": "6"}},
            {"concurrency": 6, "threads": 40},
            id="fewer invocations than threads",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"threads": "6"}},
            {"concurrency": 6, "threads": 6, "queue": 6},
            id="as many invocations as threads",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"concurrency": "0"}},
            {"concurrency": 0, "threads": 40, "queue": 0},
            id="no limit",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"timeout": "60"}},
            {"timeout": 60, "drain_timeout": 60},
            id="a drain as long as an invocation",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"timeout": "5"}},
            {"timeout": 5, "drain_timeout": 25},
            id="a drain longer than an invocation",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"drain_timeout": "8"}},
            {"timeout": 8, "drain_timeout": 8},
            id="an invocation as long as the drain",
        ),
    ],
)
def test_options_that_nobody_chose_are_in_step(
    platform: str, facts: dict[str, Any], expected: dict[str, float]
) -> None:
    settings = settle(platform, of(**facts))
    assert {name: getattr(settings, name) for name in expected} == expected


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My_Func.2", "my-func-2"),
        ("--a--", "a"),
        ("9", ""),
        ("x" * 62 + "-y", "x" * 62),
        ("\u00e9t\u00e9", "t"),
    ],
)
def test_nearest_name(text: str, name: str) -> None:
    assert near(text) == name


def test_triggers_of_types_that_look_alike_have_names_of_their_own() -> None:
    types = ["a.b", "a-b", "A.b", "a..b", "a_b", "\u00fc", "\ud800", "x" * 62, "x" * 61]
    names = {trigger_name("greet", event_type) for event_type in types}
    assert len(names) == len(types)
    for name in names:
        settle("knative", of(name=name))


def test_trigger_of_a_usual_type_can_be_read() -> None:
    assert trigger_name("greet", "com.example.order") == "greet-com-example-order"


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
def test_reference_of_an_image_may_be(image: str) -> None:
    settle("knative", of(image=image))


# --- what is told ---------------------------------------------------------------------------------

NAME = "expected up to 63 lower-case letters, digits and hyphens, a letter first"
REFUSED = [
    ("knative", {"name": "My Func"}, f"--name is 'My Func': {NAME}; did you mean my-func?"),
    ("knative", {"name": "9"}, f"--name is '9': {NAME}"),
    ("kubernetes", {"broker": "A"}, f"--broker is 'A': {NAME}; did you mean a?"),
    ("knative", {"dead_letter": "a.b"}, f"--dead-letter is 'a.b': {NAME}; did you mean a-b?"),
    (
        "knative",
        {"image": "greet 1.0\nevil: true"},
        "--image is 'greet 1.0\\nevil: true': expected the reference of an image, such as"
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
        "--event-type is of no use: this is an HTTP function, which takes no events",
    ),
    (
        "kubernetes",
        {"options": {"host": "::1"}},
        "--host is not for a pod, which listens on every interface",
    ),
    (
        "knative",
        {"options": {"listen_address": "*:80"}},
        "--listen-address is not for a pod, which listens on every interface",
    ),
    ("knative", {"options": {"port": "0"}}, "--port is 0: on a cluster the port has to be known"),
    (
        "knative",
        {"options": {"metrics_port": "9090"}},
        "--metrics-port is 9090: Knative's queue-proxy, in the same pod, has this port",
    ),
    (
        "kubernetes",
        {"options": {"metrics_port": "8080"}},
        "--metrics-port is that of the function: choose another",
    ),
    (
        "knative",
        {"options": {"timeout": "0"}},
        "--timeout is 0: Knative takes no invocation without an end",
    ),
    (
        "kubernetes",
        {**EVENT, "options": {"timeout": "0"}},
        "--timeout is 0: a broker waits for no invocation without an end",
    ),
    (
        "knative",
        {"options": {"concurrency": "1001"}},
        "--concurrency makes 1001 in a pod: Knative takes 1000 at most, 0 for any",
    ),
    (
        "knative",
        {"options": {"concurrency": "400", "workers": "3"}},
        "--concurrency makes 1200 in a pod: Knative takes 1000 at most, 0 for any",
    ),
    (
        "kubernetes",
        {"options": {"workers": "0"}},
        "--workers is 0: how many share the limits of a pod has to be known",
    ),
    ("func", {"options": {"port": "80"}}, "--port is not for func, which says where to listen"),
    (
        "func",
        {"sink_binding": True},
        "--sink-binding is not for func, whose file has no place for it",
    ),
    (
        "knative",
        {"options": {"timeout": "soon"}},
        "--timeout is 'soon': expected a number of seconds",
    ),
]


@pytest.mark.parametrize(("platform", "facts", "told"), REFUSED)
def test_what_cannot_be_used_is_refused(platform: str, facts: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settle(platform, of(**facts))
    assert str(caught.value) == told


NOT_PRINTED = "a Trigger is ready once the Broker default{}, not printed here, are there"
DOUBTFUL = [
    ("knative", {}, []),
    ("kubernetes", {"takes_events": True}, []),
    ("func", {}, []),
    (
        "func",
        {**EVENT, "options": {"timeout": "290"}},
        [
            "--queue-timeout and --timeout make 300 s: Knative waits 300 s for an answer where"
            " func deployed",
            "func makes Triggers that leave retries and a dead-letter sink to the Broker default,"
            " which has to be there",
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
        ["no --event-type is named: without a Trigger, no broker sends it events"],
    ),
    ("knative", EVENT, [NOT_PRINTED.format(" and the service dead-letter")]),
    ("kubernetes", {**EVENT, "dead_letter": "none"}, [NOT_PRINTED.format("")]),
    (
        "knative",
        {"options": {"timeout": "600"}},
        [
            "timeoutSeconds is 615: Knative refuses more than 600 unless its"
            " max-revision-timeout-seconds is raised"
        ],
    ),
    (
        "knative",
        {"options": {"concurrency": "9", "threads": "3"}},
        ["--concurrency 9 is more than --threads 3: admitted invocations will wait for a thread"],
    ),
    ("knative", {"is_async": True, "options": {"concurrency": "9", "threads": "3"}}, []),
    (
        "kubernetes",
        {"options": {"timeout": "60", "drain_timeout": "10"}},
        ["--drain-timeout is 10 s and less than --timeout: a roll-out may cut invocations short"],
    ),
    (
        "kubernetes",
        {"options": {"timeout": "0"}},
        ["--drain-timeout is 25 s and less than --timeout: a roll-out may cut invocations short"],
    ),
    (
        "knative",
        {**EVENT, "options": {"reply_type": "com.example.order"}},
        [
            "--reply-type com.example.order is an --event-type, too: the broker brings each reply"
            " back, without an end",
            NOT_PRINTED.format(" and the service dead-letter"),
        ],
    ),
]


@pytest.mark.parametrize(("platform", "facts", "told"), DOUBTFUL)
def test_what_is_doubtful_is_told(platform: str, facts: dict[str, Any], told: list[str]) -> None:
    deployment = of(**facts)
    assert doubts(platform, deployment, settle(platform, deployment)) == told
