"""What every manifest has to be, whether it is in `docker/` or printed: valid, and in step.

Expected sums come from how the platforms end a pod: Kubernetes counts the pre-stop hook into the
grace period (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination);
Knative gives a pod its revision's `timeoutSeconds` and drains for 30 s of it before the signal.
"""

import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import yaml

from pyfunc.settings import OPTIONS, Settings

__all__ = [
    "SCHEMAS",
    "Manifest",
    "check",
    "check_deployment",
    "check_knative_service",
    "load",
    "pod",
    "seconds",
    "settings_of",
]

SCHEMAS = Path(__file__).parent.parent / "schemas"
KNATIVE_DRAIN = 30
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}

Manifest = dict[str, Any]


def load(path: Path) -> Manifest:
    """The one document of a file."""
    manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(manifest, dict)
    return manifest


def pod(manifest: Manifest) -> Manifest:
    """The pod of a workload; nothing for other kinds."""
    spec: Manifest = manifest.get("spec", {}).get("template", {}).get("spec", {})
    return spec


def settings_of(manifest: Manifest) -> Settings:
    """What the function of a workload is started with."""
    [container] = pod(manifest)["containers"]
    environ = {variable["name"]: variable["value"] for variable in container.get("env", ())}
    return Settings.resolve(environ=environ)


def seconds(duration: str) -> float:
    """An ISO 8601 duration of seconds alone."""
    match = re.fullmatch(r"PT(\d+)S", duration)
    assert match, duration
    return float(match[1])


def check(manifest: Manifest) -> None:
    """The API takes it; a pod is confined, and its variables are pyfunc's."""
    if "knative.dev" in manifest["apiVersion"]:
        schema = load(SCHEMAS / "knative.yaml")
        branch = manifest["kind"][0].lower() + manifest["kind"][1:]
        chosen = {**schema, "oneOf": [{"$ref": f"#/$defs/{branch}"}]}
        jsonschema.Draft202012Validator(chosen).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, "1.30", strict=True)
    if pod(manifest):
        _check_environment(manifest)
        _check_confinement(manifest)
        _check_probes(manifest)
        _check_memory(manifest)


def _check_environment(manifest: Manifest) -> None:
    [container] = pod(manifest)["containers"]
    known = {option.variable: option for option in OPTIONS}
    for variable in container["env"]:
        known[variable["name"]].kind.parse(variable["value"])


def _check_confinement(manifest: Manifest) -> None:
    """Pod Security Standard "restricted"."""
    [container] = pod(manifest)["containers"]
    context = pod(manifest).get("securityContext", {}) | container["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod(manifest)["automountServiceAccountToken"] is False


def _check_probes(manifest: Manifest) -> None:
    [container] = pod(manifest)["containers"]
    settings, port = settings_of(manifest), container["ports"][0]
    if manifest["kind"] == "Deployment":
        assert port["containerPort"] == settings.port
    assert container["readinessProbe"]["httpGet"]["path"] in settings.ready_paths
    assert container["livenessProbe"]["httpGet"]["path"] in settings.live_paths
    asked = container["readinessProbe"]["httpGet"].get("port", port.get("name"))
    assert asked == port.get("name")
    assert container["livenessProbe"]["timeoutSeconds"] >= settings.probe_timeout
    # One second is what Kubernetes takes where nothing is said.
    assert container["readinessProbe"].get("timeoutSeconds", 1) >= settings.probe_timeout


def _check_memory(manifest: Manifest) -> None:
    [container] = pod(manifest)["containers"]
    quantity = container["resources"]["limits"]["memory"]
    limit = int(quantity[:-2]) * UNITS[quantity[-2:]]
    assert limit >= 4 * settings_of(manifest).max_body * settings_of(manifest).workers


def check_deployment(manifest: Manifest) -> None:
    """The grace period holds the whole drain."""
    settings = settings_of(manifest)
    pre_stop = pod(manifest)["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert settings.drain_delay is not None
    drain = pre_stop + settings.drain_delay + settings.drain_timeout
    assert drain + 5 <= pod(manifest)["terminationGracePeriodSeconds"]
    assert settings.timeout <= settings.drain_timeout


def check_knative_service(manifest: Manifest) -> None:
    """Knative's limits are in step with pyfunc's."""
    revision, settings = pod(manifest), settings_of(manifest)
    assert revision["containerConcurrency"] == settings.concurrency * settings.workers
    assert settings.queue_timeout + settings.timeout < revision["timeoutSeconds"]
    assert revision["timeoutSeconds"] >= KNATIVE_DRAIN + settings.drain_timeout
    assert settings.queue > 0
