"""`manifest`: what it prints is taken by a cluster, is in step, and is what `docker/` shows."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pyfunc.cli.deployment import Deployment
from pyfunc.cli.manifest import PLATFORMS, documents
from pyfunc.settings import Settings
from tests.support.clusters import (
    SCHEMAS,
    Manifest,
    check,
    check_deployment,
    check_knative_service,
    load,
    pod,
    seconds,
    settings_of,
)
from tests.support.serving import ROOT, pyfunc

EVENT = "def main(data, attributes):\n    return attributes, data\n"
ASYNC = "async def main(event):\n    return event\n"
HTTP = "def main(req):\n    return req.method\n"
IMAGE = ("--image", "registry.example.com/team/greet:1.0.0")
TYPE = ("--event-type", "com.example.order")
CORE = [
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
]


class Printed:
    """What the command printed for a function in a directory called `greet`."""

    def __init__(
        self, folder: Path, code: str, *flags: str, env: Mapping[str, str] | None = None
    ) -> None:
        (folder / "greet").mkdir()
        (folder / "greet/func.py").write_text(code)
        done = pyfunc("manifest", *flags, cwd=folder / "greet", env=env)
        self.code, self.text, self.told = done.returncode, done.stdout, done.stderr
        self.manifests: list[Manifest] = [*yaml.safe_load_all(done.stdout)]

    @property
    def kinds(self) -> list[str]:
        return [manifest["kind"] for manifest in self.manifests]

    def one(self, kind: str) -> Manifest:
        (manifest,) = (each for each in self.manifests if each["kind"] == kind)
        return manifest

    def container(self) -> Any:
        (container,) = pod(self.manifests[0])["containers"]
        return container


# --- what is printed ------------------------------------------------------------------------------

OPTIONS_IN_STEP = [
    pytest.param({}, id="none"),
    pytest.param({"timeout": "90"}, id="timeout"),
    pytest.param({"concurrency": "7"}, id="concurrency"),
    pytest.param({"concurrency": "80"}, id="more than threads"),
    pytest.param({"threads": "12"}, id="threads"),
    pytest.param({"queue_timeout": "33.5"}, id="queue timeout"),
    pytest.param({"drain_timeout": "120"}, id="drain timeout"),
    pytest.param({"drain_delay": "15", "shutdown_timeout": "20"}, id="drain delay"),
    pytest.param({"max_body": "1Gi"}, id="largest body"),
    pytest.param({"port": "9000", "metrics_port": "9900"}, id="ports"),
    pytest.param({"live_paths": "/alive", "ready_paths": "/a b#c,/ready"}, id="paths"),
    pytest.param({"workers": "3"}, id="workers"),
    pytest.param({"probe_timeout": "4.5"}, id="slow probe"),
    pytest.param({"reply_source": 'x"\\: #é\u2028', "debug": "true"}, id="texts"),
]


def printed(platform: str, **chosen: Any) -> dict[str, Manifest]:
    deployment = Deployment(name="greet", image="registry.example.com/team/greet:1.0.0", **chosen)
    found = [yaml.safe_load(text) for _, text in documents(platform, deployment)]
    return {manifest["kind"]: manifest for manifest in found}


@pytest.mark.once
@pytest.mark.parametrize("options", OPTIONS_IN_STEP)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_knative_takes_what_is_printed(is_async: bool, options: dict[str, str]) -> None:
    manifests = printed(
        "knative",
        takes_events=True,
        is_async=is_async,
        event_types=["com.example.order"],
        sink_binding=True,
        options=options,
    )
    assert [*manifests] == ["Service", "Trigger", "SinkBinding"]
    for manifest in manifests.values():
        check(manifest)
    check_knative_service(manifests["Service"])
    wait = seconds(manifests["Trigger"]["spec"]["delivery"]["timeout"])
    assert wait > pod(manifests["Service"])["timeoutSeconds"]
    for name, text in options.items():
        if name != "port":
            expected = getattr(Settings.resolve({name: text}, environ={}), name)
            assert getattr(settings_of(manifests["Service"]), name) == expected


@pytest.mark.once
@pytest.mark.parametrize("options", OPTIONS_IN_STEP)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_kubernetes_takes_what_is_printed(is_async: bool, options: dict[str, str]) -> None:
    manifests = printed("kubernetes", is_async=is_async, options=options)
    assert [*manifests] == CORE
    for manifest in manifests.values():
        check(manifest)
    check_deployment(manifests["Deployment"])
    for name, text in options.items():
        expected = getattr(Settings.resolve({name: text}, environ={}), name)
        assert getattr(settings_of(manifests["Deployment"]), name) == expected


@pytest.mark.parametrize("takes_events", [False, True], ids=["http", "event"])
def test_func_takes_what_is_printed(takes_events: bool) -> None:
    types = ["com.example.order", "no"] if takes_events else []
    deployment = Deployment(
        name="greet",
        image="registry.example.com/team/greet:1.0.0",
        takes_events=takes_events,
        event_types=types,
        options={"timeout": "60", "workers": "2", "max_body": "1Gi"},
    )
    ((_, text),) = documents("func", deployment)
    function = yaml.safe_load(text.replace("created: 2", "created: at 2"))
    schema = load(SCHEMAS / "func.yaml")
    jsonschema.Draft202012Validator({**schema, "$ref": "#/$defs/function"}).validate(function)
    assert (function["name"], function["image"]) == (deployment.name, deployment.image)
    assert function.get("invoke") == ("cloudevent" if takes_events else None)
    asked = function["deploy"].get("subscriptions", [])
    assert asked == [{"source": "default", "filters": {"type": each}} for each in types]
    assert function["deploy"]["options"]["resources"]["limits"] == {
        "cpu": "2",
        "memory": f"{2 * (256 + 4096)}Mi",
        "concurrency": 80,
    }
    environ = {variable["name"]: variable["value"] for variable in function["run"]["envs"]}
    settings = Settings.resolve(environ=environ)
    assert (settings.concurrency, settings.timeout, settings.workers) == (40, 60, 2)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_nothing_is_told_where_nothing_is_doubtful(tmp_path: Path, platform: str) -> None:
    printed = Printed(tmp_path, HTTP, "--for", platform, *IMAGE)
    assert (printed.code, printed.told) == (0, "")


def test_http_function_on_knative_is_a_service_that_the_world_may_reach(tmp_path: Path) -> None:
    printed = Printed(tmp_path, HTTP, *IMAGE)
    check(printed.one("Service"))
    assert printed.kinds == ["Service"]
    assert printed.one("Service")["metadata"]["labels"] == {"app.kubernetes.io/name": "greet"}


def test_each_event_type_has_a_trigger_with_retry_and_dead_letter_sink(tmp_path: Path) -> None:
    types = ("com.example.a", "com.example.A", "no", "über: #1", "com.example.a", "x" * 300)
    flags = [word for event_type in types for word in ("--event-type", event_type)]
    printed = Printed(tmp_path, EVENT, *IMAGE, *flags, "--broker", "orders", "--dead-letter", "dl")
    triggers = printed.manifests[1:]
    asked = [trigger["spec"]["filter"]["attributes"]["type"] for trigger in triggers]
    assert asked == list(dict.fromkeys(types))
    assert len({trigger["metadata"]["name"] for trigger in triggers}) == len(triggers)
    for trigger in triggers:
        check(trigger)
        assert trigger["spec"]["broker"] == "orders"
        assert trigger["spec"]["subscriber"]["ref"]["name"] == "greet"
        assert trigger["spec"]["delivery"]["retry"] == 5
        assert trigger["spec"]["delivery"]["deadLetterSink"]["ref"]["name"] == "dl"


def test_trigger_on_kubernetes_leads_to_the_service_there(tmp_path: Path) -> None:
    printed = Printed(tmp_path, EVENT, "--for", "kubernetes", *IMAGE, *TYPE, "--sink-binding")
    assert printed.kinds == [*CORE, "Trigger", "SinkBinding"]
    trigger, binding = printed.one("Trigger"), printed.one("SinkBinding")
    check(trigger)
    check(binding)
    service, deployment = printed.one("Service"), printed.one("Deployment")
    ref = trigger["spec"]["subscriber"]["ref"]
    assert (ref["apiVersion"], ref["kind"]) == (service["apiVersion"], "Service")
    subject = binding["spec"]["subject"]
    assert (subject["apiVersion"], subject["kind"]) == (deployment["apiVersion"], "Deployment")
    settings = settings_of(deployment)
    wait = seconds(trigger["spec"]["delivery"]["timeout"])
    assert wait > settings.queue_timeout + settings.timeout


def test_trigger_without_dead_letter_sink_says_so(tmp_path: Path) -> None:
    printed = Printed(tmp_path, EVENT, *IMAGE, *TYPE, "--dead-letter", "none")
    check(printed.one("Trigger"))
    assert "deadLetterSink" not in printed.one("Trigger")["spec"]["delivery"]
    assert "are lost, unless a `deadLetterSink`" in printed.text


def test_options_of_the_command_line_are_those_of_the_pod(tmp_path: Path) -> None:
    flags = ("-m", "app.main", "-f", "greet", "--reply-type", "a.b", "--timeout", "30s")
    (tmp_path / "greet/app").mkdir(parents=True)
    (tmp_path / "greet/app/main.py").write_text("def greet(data): ...\ndef other(): ...\n")
    done = pyfunc("manifest", "-s", "greet", *IMAGE, *flags, cwd=tmp_path)
    service = yaml.safe_load(done.stdout)
    check(service)
    (container,) = pod(service)["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "PYFUNC_CONCURRENCY": "40",
        "PYFUNC_QUEUE": "10",
        "PYFUNC_TIMEOUT": "30s",
        "MODULE_NAME": "app.main",
        "FUNCTION_NAME": "greet",
        "PYFUNC_REPLY_TYPE": "a.b",
    }


def test_environment_of_this_machine_is_not_that_of_the_pod(tmp_path: Path) -> None:
    here = {"PORT": "1234", "HOST": "127.0.0.1", "PYFUNC_DEBUG": "1", "PYFUNC_TIMEOUT": "9"}
    printed = Printed(tmp_path, HTTP, *IMAGE, env=here)
    assert printed.container()["ports"] == [{"containerPort": 8080}]
    assert settings_of(printed.one("Service")).timeout == 45
    assert "PYFUNC_DEBUG" not in printed.text


def test_metrics_port_can_be_reached_on_kubernetes(tmp_path: Path) -> None:
    printed = Printed(tmp_path, HTTP, "--for", "kubernetes", *IMAGE, "--metrics-port", "9900")
    assert {"name": "metrics", "containerPort": 9900} in printed.container()["ports"]
    (ingress,) = printed.one("NetworkPolicy")["spec"]["ingress"]
    assert ingress["ports"] == [{"port": "http"}, {"port": "metrics"}]


def test_first_line_tells_what_the_function_is(tmp_path: Path) -> None:
    printed = Printed(tmp_path, ASYNC, *IMAGE, *TYPE)
    assert printed.text.startswith("# func.py:1 main: async event function; receives event\n")


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        pytest.param("My_Func.2", "my-func-2", id="letters"),
        pytest.param("7", "function", id="nothing left"),
        pytest.param("on", "on", id="a word of YAML"),
        pytest.param("é" + "x" * 80, "x" * 63, id="long"),
    ],
)
def test_name_is_that_of_the_directory(tmp_path: Path, directory: str, name: str) -> None:
    (tmp_path / directory).mkdir()
    (tmp_path / directory / "func.py").write_text(HTTP)
    done = pyfunc("manifest", cwd=tmp_path / directory)
    service = yaml.safe_load(done.stdout)
    check(service)
    assert service["metadata"]["name"] == name
    assert done.stderr == f"pyfunc: no --image is given: using {name}:latest\n"


# --- what is told ---------------------------------------------------------------------------------


def test_doubts_are_told_beside_the_manifests(tmp_path: Path) -> None:
    code = "def on_startup(a, b): ...\ndef main(data): ...\n"
    printed = Printed(tmp_path, code, *IMAGE, "--timeout", "600")
    assert printed.code == 0
    assert printed.kinds == ["Service"]
    knative, types, known = printed.told.splitlines()
    assert knative.startswith("pyfunc: timeoutSeconds is 615: Knative rejects more than 600,")
    assert types.startswith("pyfunc: no --event-type is given")
    assert known.startswith("pyfunc: the hook on_startup has the parameters a, b")


def test_everything_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    printed = Printed(tmp_path, HTTP, "--name", "A", "--image", "B", "--port", "0")
    assert (printed.code, printed.text) == (2, "")
    assert [line.split(" is ")[0] for line in printed.told.splitlines()] == [
        "pyfunc: --name",
        "--image",
        "--port",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("def main(unknown):\n    ...\n", "cannot be bound", id="signature"),
        pytest.param("import nothing_of_that_name\n", "nothing_of_that_name", id="import"),
    ],
)
def test_function_that_cannot_be_served_has_no_manifests(
    tmp_path: Path, code: str, told: str
) -> None:
    printed = Printed(tmp_path, code, *IMAGE)
    assert (printed.code, printed.text) == (3, "")
    assert "pyfunc/cli/manifest.py" not in printed.told
    assert told in printed.told


# --- docker/ --------------------------------------------------------------------------------------

BASES = {
    "knative-service": "knative/base/service.yaml",
    "trigger": "knative/base/trigger.yaml",
    "sinkbinding": "knative/base/sinkbinding.yaml",
    "kubernetes-deployment": "kubernetes/base/deployment.yaml",
    "kubernetes-service": "kubernetes/base/service.yaml",
    "kubernetes-horizontalpodautoscaler": "kubernetes/base/horizontalpodautoscaler.yaml",
    "kubernetes-poddisruptionbudget": "kubernetes/base/poddisruptionbudget.yaml",
    "kubernetes-networkpolicy": "kubernetes/base/networkpolicy.yaml",
}
SHOWN = Deployment(
    name="function",
    image="function",
    takes_events=True,
    event_types=("com.example.order.created",),
    broker="events",
    sink_binding=True,
)


@pytest.mark.parametrize("name", BASES)
def test_bases_are_what_is_printed_where_nothing_is_chosen(name: str) -> None:
    """Two copies, because a wheel has no `docker` directory; they stay the same."""
    platform = "kubernetes" if name.startswith("kubernetes") else "knative"
    text = dict(documents(platform, SHOWN))[name]
    # The example overlay changes the type of the base's one Trigger, which is not called after it.
    text = text.replace("name: function-com-example-order-created", "name: function")
    assert text == (ROOT / "docker" / BASES[name]).read_text()


def test_func_yaml_of_docker_is_what_is_printed_but_for_its_head() -> None:
    """It has a date of its own, and an introduction."""
    ((_, text),) = documents("func", replace(SHOWN, image="", event_types=(), sink_binding=False))
    shown = (ROOT / "docker/knative/func.yaml").read_text()
    _, _, after = text.partition("created: ")
    _, _, expected = shown.partition("created: ")
    assert after.partition("\n")[2] == expected.partition("\n")[2]
    assert "specVersion: 0.35.0\nname: function\nruntime: pyfunc\n" in text
    assert "specVersion: 0.35.0\nname: function\nruntime: pyfunc\n" in shown
