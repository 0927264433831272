"""The image's parts, as far as they can be seen without a container engine.

`docker/smoke` sees the rest: it builds the image and runs it.
"""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pyfunc.middlewares.probes import READINESS_PATHS
from pyfunc.settings import OPTIONS, Settings

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
EXTRAS_OF_CONTRIBUTORS = {"dev", "docs", "test"}


@pytest.fixture(scope="module")
def assemble() -> ModuleType:
    spec = importlib.util.spec_from_file_location("assemble", DOCKER / "assemble.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _instructions(stage: str) -> list[str]:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    stages = re.split(r"^(?=FROM )", text, flags=re.MULTILINE)
    [wanted] = [each for each in stages if each.splitlines()[0].endswith(stage)]
    return [line for line in wanted.splitlines() if re.match(r"[A-Z]+ ", line)]


def _pins() -> dict[str, str]:
    lines = (DOCKER / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    return {
        canonicalize_name(name): version for name, _, version in (p.partition("==") for p in pins)
    }


def _needed(name: str, extras: frozenset[str]) -> set[str]:
    """Names of all that a distribution needs on this interpreter, with these extras."""
    found: set[str] = set()
    for line in importlib.metadata.requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            continue
        found |= {requirement.name} | _needed(requirement.name, frozenset(requirement.extras))
    return {canonicalize_name(each) for each in found}


@pytest.mark.once
def test_dockerfile_pleases_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_every_pin_is_one_exact_version_without_an_address() -> None:
    for name, version in _pins().items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", f"{name}=={version}")


def test_everything_the_image_may_hold_is_pinned() -> None:
    extras = set(importlib.metadata.metadata("pyfunc-invoker").get_all("Provides-Extra") or ())
    needed = _needed("pyfunc-invoker", frozenset(extras - EXTRAS_OF_CONTRIBUTORS))
    assert needed <= _pins().keys(), "write the missing pins into docker/constraints.txt"


def test_python_is_process_one_and_the_user_is_a_number() -> None:
    final = _instructions("FROM ${BASE_IMAGE}")
    assert 'ENTRYPOINT ["/opt/pyfunc/bin/python", "-P", "-m", "pyfunc"]' in final
    assert 'CMD ["start"]' in final
    assert "USER 1001:0" in final
    assert not [line for line in final if line.startswith("RUN ")]


def test_final_image_takes_nothing_that_check_has_not_passed() -> None:
    [check] = [line for line in _instructions("AS build") if "pyfunc check" in line]
    assert check.startswith("RUN ")
    copied = [line for line in _instructions("FROM ${BASE_IMAGE}") if line.startswith("COPY ")]
    assert copied
    assert all(line.startswith("COPY --from=build ") for line in copied)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, [], id="a file alone"),
        pytest.param(
            {"requirements.txt": "flask\n", "pyproject.toml": "[project]\ndependencies = ['x']\n"},
            ["--requirement", "requirements.txt"],
            id="requirements.txt first",
        ),
        pytest.param(
            {"pyproject.toml": "[project]\ndependencies = ['flask>=3', 'attrs']\n"},
            ["flask>=3", "attrs"],
            id="dependencies of loose files",
        ),
        pytest.param(
            {"pyproject.toml": "[build-system]\nrequires = []\n[project]\ndependencies = ['x']\n"},
            ["."],
            id="a package",
        ),
        pytest.param({"pyproject.toml": "[tool.ruff]\n"}, [], id="settings of tools only"),
    ],
)
def test_requirements_are_found_where_python_projects_write_them(
    assemble: ModuleType, tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert assemble.requirements(tmp_path) == expected


def test_any_user_can_read_a_function_whose_author_kept_it_private(
    assemble: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "package"
    folder.mkdir(mode=0o700)
    (folder / "func.py").touch(mode=0o600)
    (folder / "tool").touch(mode=0o777)
    (folder / "dangling").symlink_to("nowhere")
    assemble.tidy(tmp_path)
    modes = {path.name: path.lstat().st_mode & 0o777 for path in (folder, *folder.glob("[ft]*"))}
    assert modes == {"package": 0o755, "func.py": 0o644, "tool": 0o755}


def test_history_environments_and_caches_stay_out_of_the_image(
    assemble: ModuleType, tmp_path: Path
) -> None:
    for name in (".git", ".venv", "package/__pycache__"):
        (tmp_path / name).mkdir(parents=True)
    assemble.tidy(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["package"]


def test_smoke_says_what_it_lacks_where_it_cannot_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, DOCKER / "smoke"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    missing = "buildah, debootstrap, unshare, setpriv, chroot"
    told = f"smoke: cannot run here: no container engine answers; missing: {missing}\n"
    assert (done.stdout, done.stderr, done.returncode) == (told, "", 77)


@pytest.fixture
def compose() -> dict[str, Any]:
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    specification = PyCompose.from_yaml(text)
    specification.validate()
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded


def test_compose_builds_the_image_of_this_repository(compose: dict[str, Any]) -> None:
    build = compose["services"]["function"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).samefile(DOCKER / "Dockerfile")
    _, _, example = build["additional_contexts"]["function"].rpartition(":-")
    assert (DOCKER / example.rstrip("}") / "func.py").is_file()
    extras = importlib.metadata.metadata("pyfunc-invoker").get_all("Provides-Extra") or ()
    assert build["args"]["EXTRAS"] in extras


def test_prometheus_scrapes_the_port_that_compose_opens(compose: dict[str, Any]) -> None:
    [variable] = compose["services"]["function"]["environment"]
    assert variable in {option.variable for option in OPTIONS}
    port = compose["services"]["function"]["environment"][variable]
    scraping = yaml.safe_load((DOCKER / "prometheus.yml").read_text(encoding="utf-8"))
    [job] = scraping["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"function:{port}"]}]


def test_compose_waits_for_the_drain_and_asks_for_readiness(compose: dict[str, Any]) -> None:
    function = compose["services"]["function"]
    settings = Settings.resolve(environ={**function["environment"], "PYFUNC_DRAIN_DELAY": "2"})
    assert settings.drain_delay is not None
    patience = float(function["stop_grace_period"].removesuffix("s"))
    assert patience >= settings.drain_delay + settings.drain_timeout + 5
    assert any(path in function["healthcheck"]["test"][-1] for path in READINESS_PATHS)
