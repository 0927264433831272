"""The repository as a language pack of Knative's `func`, and `func.yaml` for a function of its own.

The contract is docs/language-packs/language-pack-contract.md of knative/func, and what its
pkg/functions/repository.go reads: a folder of runtimes, each with folders of templates.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pyfunc.middlewares.probes import LIVENESS_PATHS, READINESS_PATHS
from pyfunc.settings import Settings

ROOT = Path(__file__).parent.parent
KNATIVE = ROOT / "docker/knative"


def _load(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def _validate(document: dict[str, Any], definition: str) -> None:
    schema = _load(Path(__file__).parent / "schemas/func.yaml")
    jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{definition}"}).validate(document)


@pytest.fixture
def manifest() -> dict[str, Any]:
    return _load(ROOT / "manifest.yaml")


@pytest.fixture
def function() -> dict[str, Any]:
    return _load(KNATIVE / "func.yaml")


def test_manifest_has_the_fields_that_func_reads(manifest: dict[str, Any]) -> None:
    _validate(manifest, "manifest")


def test_func_yaml_has_the_fields_that_func_reads(function: dict[str, Any]) -> None:
    _validate(function, "function")


def test_templates_are_where_the_manifest_says(manifest: dict[str, Any]) -> None:
    package, _, folder = manifest["templates"].partition("/")
    assert resources.files(package).joinpath(folder).is_dir()


def test_probes_of_both_are_paths_that_pyfunc_answers(
    manifest: dict[str, Any], function: dict[str, Any]
) -> None:
    asked = manifest["healthEndpoints"]
    assert asked["liveness"] in LIVENESS_PATHS
    assert asked["readiness"] in READINESS_PATHS
    assert function["deploy"]["healthEndpoints"] == asked


def test_a_function_with_func_yaml_is_built_as_a_created_one(
    manifest: dict[str, Any], function: dict[str, Any]
) -> None:
    build = function["build"]
    assert build["builderImages"] == manifest["builderImages"]
    assert build["buildEnvs"] == manifest["buildEnvs"] == manifest["envs"]


def test_runtime_is_not_one_that_func_wraps_in_a_server_of_its_own(
    function: dict[str, Any],
) -> None:
    assert function["runtime"] == "pyfunc"


def test_func_yaml_says_what_the_knative_service_says(function: dict[str, Any]) -> None:
    service = _load(KNATIVE / "base/service.yaml")["spec"]["template"]
    [container] = service["spec"]["containers"]
    options = function["deploy"]["options"]
    limits = dict(options["resources"]["limits"])
    settings = Settings.resolve(environ={e["name"]: e["value"] for e in function["run"]["envs"]})
    assert limits.pop("concurrency") == service["spec"]["containerConcurrency"]
    assert limits == container["resources"]["limits"]
    assert options["resources"]["requests"] == container["resources"]["requests"]
    assert settings.concurrency == service["spec"]["containerConcurrency"]
    scale = {name: str(value) for name, value in options["scale"].items()}
    annotations = service["metadata"]["annotations"]
    assert scale == {
        name: annotations[f"autoscaling.knative.dev/{name}-scale"] for name in ("min", "max")
    }
