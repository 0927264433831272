"""The manifests under `docker/`: valid for the cluster, and their numbers in step."""

from pathlib import Path
from typing import Any

import jsonpatch
import jsonschema
import pytest
import yaml

from pyfunc.settings import OPTIONS, Settings
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

pytestmark = pytest.mark.once

DOCKER = Path(__file__).parent.parent / "docker"
LAYERS = (
    "kubernetes/base",
    "kubernetes/overlays/example",
    "knative/base",
    "knative/overlays/example",
)


def _matches(manifest: Manifest, target: dict[str, str]) -> bool:
    found = {"kind": manifest["kind"], "name": manifest["metadata"]["name"]}
    return all(found[key] == value for key, value in target.items())


def _retag(manifest: Manifest, image: dict[str, str]) -> None:
    for container in pod(manifest).get("containers", ()):
        if container["image"] == image["name"]:
            container["image"] = f"{image['newName']}:{image['newTag']}"


def render(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize` makes of a folder, for the few features that ours use."""
    layer = load(folder / "kustomization.yaml")
    assert layer.keys() <= {"apiVersion", "kind", "namespace", "resources", "images", "patches"}
    manifests = [
        manifest
        for name in layer["resources"]
        for manifest in (
            render(folder / name) if (folder / name).is_dir() else [load(folder / name)]
        )
    ]
    for patch in layer.get("patches", ()):
        touched = [index for index, each in enumerate(manifests) if _matches(each, patch["target"])]
        assert touched, patch
        for index in touched:
            operations = yaml.safe_load(patch["patch"])
            manifests[index] = jsonpatch.apply_patch(manifests[index], operations)
    for manifest in manifests:
        for image in layer.get("images", ()):
            _retag(manifest, image)
        if "namespace" in layer:
            manifest["metadata"]["namespace"] = layer["namespace"]
    return manifests


def _cases(*layers: str) -> list[Any]:
    return [
        pytest.param(manifest, id=f"{layer}-{manifest['kind']}-{manifest['metadata']['name']}")
        for layer in layers
        for manifest in render(DOCKER / layer)
    ]


def _by_kind(layer: str, kind: str, name: str = "function") -> Manifest:
    [manifest] = [m for m in render(DOCKER / layer) if _matches(m, {"kind": kind, "name": name})]
    return manifest


MANIFESTS = _cases(*LAYERS)
WORKLOADS = [case for case in MANIFESTS if pod(case.values[0])]
KNATIVE_SERVICES = [
    case for case in _cases(*LAYERS[2:]) if case.values[0]["apiVersion"].startswith("serving.")
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_manifest_is_valid_and_confined(manifest: Manifest) -> None:
    check(manifest)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("/spec/template/spec/containerConcurency", 1, id="misspelt field"),
        pytest.param("/spec/template/spec/securityContext", {}, id="field behind a feature flag"),
        pytest.param("/spec/template/spec/timeoutSeconds", 601, id="more than Knative allows"),
        pytest.param(
            "/spec/template/spec/containers/0/env/-",
            {"name": "PORT", "value": "80"},
            id="variable that Knative sets",
        ),
        pytest.param(
            "/spec/template/spec/containers/0/ports/0/containerPort", 9090, id="port of queue-proxy"
        ),
        pytest.param(
            "/spec/template/spec/containers/0/readinessProbe/timeoutSeconds",
            1,
            id="probe time-out without a period",
        ),
    ],
)
def test_knative_schema_refuses_what_knative_refuses(path: str, value: object) -> None:
    service = _by_kind("knative/base", "Service")
    wrong = jsonpatch.apply_patch(service, [{"op": "add", "path": path, "value": value}])
    validator = jsonschema.Draft202012Validator(load(SCHEMAS / "knative.yaml"))
    validator.validate(service)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_pod_has_the_port_that_pyfunc_has(manifest: Manifest) -> None:
    [container] = pod(manifest)["containers"]
    [port] = container["ports"]
    assert port["containerPort"] == settings_of(manifest).port == Settings().port


@pytest.mark.parametrize("layer", LAYERS[:2])
def test_grace_period_holds_the_whole_drain(layer: str) -> None:
    check_deployment(_by_kind(layer, "Deployment"))


def test_kubernetes_base_states_the_drain_that_pyfunc_has_anyway() -> None:
    settings = settings_of(_by_kind("kubernetes/base", "Deployment"))
    assert settings.drain_timeout == Settings().drain_timeout
    [option] = [option for option in OPTIONS if option.name == "drain_delay"]
    assert f"default: {settings.drain_delay:g};" in option.help


def test_kubernetes_base_admits_as_many_invocations_as_there_are_threads() -> None:
    settings = settings_of(_by_kind("kubernetes/base", "Deployment"))
    assert settings.concurrency == settings.threads


@pytest.mark.parametrize("layer", LAYERS[:2])
def test_kubernetes_objects_select_the_pods_of_the_deployment(layer: str) -> None:
    deployment = _by_kind(layer, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    budget = _by_kind(layer, "PodDisruptionBudget")["spec"]
    scaler = _by_kind(layer, "HorizontalPodAutoscaler")["spec"]
    policy = _by_kind(layer, "NetworkPolicy")["spec"]
    service = _by_kind(layer, "Service")["spec"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert budget["selector"]["matchLabels"] == labels
    assert policy["podSelector"]["matchLabels"] == labels
    assert service["selector"] == labels
    assert scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert budget["maxUnavailable"] < scaler["minReplicas"] <= scaler["maxReplicas"]
    assert service["ports"][0]["targetPort"] == policy["ingress"][0]["ports"][0]["port"] == "http"


@pytest.mark.parametrize("service", KNATIVE_SERVICES)
def test_knative_limits_are_in_step_with_pyfunc(service: Manifest) -> None:
    check_knative_service(service)
    assert settings_of(service).concurrency <= settings_of(service).threads


@pytest.mark.parametrize("layer", LAYERS[2:])
def test_trigger_waits_longer_than_the_service_and_names_objects_that_exist(layer: str) -> None:
    trigger = _by_kind(layer, "Trigger")["spec"]
    subscriber = trigger["subscriber"]["ref"]
    dead_letter = trigger["delivery"]["deadLetterSink"]["ref"]
    service = _by_kind(layer, subscriber["kind"], subscriber["name"])
    assert subscriber["apiVersion"] == dead_letter["apiVersion"] == service["apiVersion"]
    assert _by_kind(layer, dead_letter["kind"], dead_letter["name"]) != service
    assert _by_kind(layer, "Broker", trigger["broker"])
    assert seconds(trigger["delivery"]["timeout"]) > pod(service)["timeoutSeconds"]
    assert trigger["delivery"]["retry"] >= 1
    assert trigger["filter"]["attributes"]["type"]


@pytest.mark.parametrize("layer", LAYERS[2:])
def test_sink_binding_leads_from_the_function_to_the_broker(layer: str) -> None:
    binding = _by_kind(layer, "SinkBinding")["spec"]
    subject, sink = binding["subject"], binding["sink"]["ref"]
    for end in (subject, sink):
        assert end["apiVersion"] == _by_kind(layer, end["kind"], end["name"])["apiVersion"]


@pytest.mark.parametrize("layer", [LAYERS[1], LAYERS[3]])
def test_overlay_names_namespace_and_images_of_its_own(layer: str) -> None:
    for manifest in render(DOCKER / layer):
        assert manifest["metadata"]["namespace"] == "functions"
        for container in pod(manifest).get("containers", ()):
            assert container["image"].startswith("registry.example.com/team/")
