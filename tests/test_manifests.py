"""The manifests under `docker/`: valid for the cluster, and their numbers in step.

Expected sums come from how the platforms end a pod: Kubernetes counts the pre-stop hook into the
grace period (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination);
Knative gives a pod its revision's `timeoutSeconds` and drains for 30 s of it before the signal.
"""

import re
from pathlib import Path
from typing import Any

import jsonpatch
import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from pyfunc.probes import LIVENESS_PATHS, READINESS_PATHS
from pyfunc.settings import OPTIONS, Settings

DOCKER = Path(__file__).parent.parent / "docker"
SCHEMAS = Path(__file__).parent / "schemas"
KNATIVE_DRAIN = 30
LAYERS = (
    "kubernetes/base",
    "kubernetes/overlays/example",
    "knative/base",
    "knative/overlays/example",
)

Manifest = dict[str, Any]


def _load(path: Path) -> Manifest:
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(manifest, dict)
    return manifest


def _matches(manifest: Manifest, target: dict[str, str]) -> bool:
    found = {"kind": manifest["kind"], "name": manifest["metadata"]["name"]}
    return all(found[key] == value for key, value in target.items())


def _retag(manifest: Manifest, image: dict[str, str]) -> None:
    for container in _pod(manifest).get("containers", ()):
        if container["image"] == image["name"]:
            container["image"] = f"{image['newName']}:{image['newTag']}"


def _pod(manifest: Manifest) -> Manifest:
    spec: Manifest = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return spec


def render(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize` makes of a folder, for the few features that ours use."""
    layer = _load(folder / "kustomization.yaml")
    assert layer.keys() <= {"apiVersion", "kind", "namespace", "resources", "images", "patches"}
    manifests = [
        manifest
        for name in layer["resources"]
        for manifest in (
            render(folder / name) if (folder / name).is_dir() else [_load(folder / name)]
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


def _settings(manifest: Manifest) -> Settings:
    [container] = _pod(manifest)["containers"]
    environ = {variable["name"]: variable["value"] for variable in container.get("env", ())}
    return Settings.resolve(environ=environ)


def _seconds(duration: str) -> float:
    match = re.fullmatch(r"PT(\d+)S", duration)
    assert match, duration
    return float(match[1])


def _bytes(quantity: str) -> int:
    units = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
    return int(quantity[:-2]) * units[quantity[-2:]]


MANIFESTS = _cases(*LAYERS)
WORKLOADS = [case for case in MANIFESTS if _pod(case.values[0])]
KNATIVE_SERVICES = [
    case for case in _cases(*LAYERS[2:]) if case.values[0]["apiVersion"].startswith("serving.")
]


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_manifest_is_valid_for_its_api(manifest: Manifest) -> None:
    if "knative.dev" in manifest["apiVersion"]:
        schema = _load(SCHEMAS / "knative.yaml")
        branch = manifest["kind"][0].lower() + manifest["kind"][1:]
        chosen = {**schema, "oneOf": [{"$ref": f"#/$defs/{branch}"}]}
        jsonschema.Draft202012Validator(chosen).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, "1.30", strict=True)


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
    validator = jsonschema.Draft202012Validator(_load(SCHEMAS / "knative.yaml"))
    validator.validate(service)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(wrong)


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_environment_names_options_of_pyfunc(manifest: Manifest) -> None:
    [container] = _pod(manifest)["containers"]
    known = {option.variable: option for option in OPTIONS}
    for variable in container["env"]:
        known[variable["name"]].parse(variable["value"])


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_pod_meets_the_restricted_profile(manifest: Manifest) -> None:
    pod = _pod(manifest)
    [container] = pod["containers"]
    context = pod.get("securityContext", {}) | container["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_pod_asks_the_port_and_the_probes_that_pyfunc_has(manifest: Manifest) -> None:
    [container] = _pod(manifest)["containers"]
    [port] = container["ports"]
    assert port["containerPort"] == _settings(manifest).port == Settings().port
    assert container["readinessProbe"]["httpGet"]["path"] in READINESS_PATHS
    assert container["livenessProbe"]["httpGet"]["path"] in LIVENESS_PATHS
    asked = container["readinessProbe"]["httpGet"].get("port", port.get("name"))
    assert asked == port.get("name")


@pytest.mark.parametrize("manifest", WORKLOADS)
def test_memory_holds_several_of_the_largest_bodies(manifest: Manifest) -> None:
    [container] = _pod(manifest)["containers"]
    limit = _bytes(container["resources"]["limits"]["memory"])
    assert limit >= 4 * _settings(manifest).max_body


@pytest.mark.parametrize("layer", LAYERS[:2])
def test_grace_period_holds_the_whole_drain(layer: str) -> None:
    deployment = _by_kind(layer, "Deployment")
    settings = _settings(deployment)
    pod = _pod(deployment)
    pre_stop = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert settings.drain_delay is not None
    drain = pre_stop + settings.drain_delay + settings.drain_timeout
    assert drain + 5 <= pod["terminationGracePeriodSeconds"]
    assert settings.timeout <= settings.drain_timeout


def test_kubernetes_base_states_the_drain_that_pyfunc_has_anyway() -> None:
    settings = _settings(_by_kind("kubernetes/base", "Deployment"))
    assert settings.drain_timeout == Settings().drain_timeout
    [option] = [option for option in OPTIONS if option.name == "drain_delay"]
    assert f"default: {settings.drain_delay:g};" in option.help


def test_kubernetes_base_admits_as_many_invocations_as_there_are_threads() -> None:
    settings = _settings(_by_kind("kubernetes/base", "Deployment"))
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
    revision, settings = _pod(service), _settings(service)
    assert revision["containerConcurrency"] == settings.concurrency <= settings.threads
    assert settings.queue_timeout + settings.timeout < revision["timeoutSeconds"]
    assert revision["timeoutSeconds"] >= KNATIVE_DRAIN + settings.drain_timeout
    assert settings.queue > 0


@pytest.mark.parametrize("layer", LAYERS[2:])
def test_trigger_waits_longer_than_the_service_and_names_objects_that_exist(layer: str) -> None:
    trigger = _by_kind(layer, "Trigger")["spec"]
    subscriber = trigger["subscriber"]["ref"]
    dead_letter = trigger["delivery"]["deadLetterSink"]["ref"]
    service = _by_kind(layer, subscriber["kind"], subscriber["name"])
    assert subscriber["apiVersion"] == dead_letter["apiVersion"] == service["apiVersion"]
    assert _by_kind(layer, dead_letter["kind"], dead_letter["name"]) != service
    assert _by_kind(layer, "Broker", trigger["broker"])
    assert _seconds(trigger["delivery"]["timeout"]) > _pod(service)["timeoutSeconds"]
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
        for container in _pod(manifest).get("containers", ()):
            assert container["image"].startswith("registry.example.com/team/")
