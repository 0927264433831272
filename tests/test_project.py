"""The files that hosts and editors read agree with the scripts and with each other."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from tests.support.serving import ROOT

pytestmark = pytest.mark.once

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = job["steps"]
    return steps


def _jobs() -> list[dict[str, Any]]:
    return [job for path in WORKFLOWS for job in yaml.safe_load(path.read_text())["jobs"].values()]


def test_actions_are_pinned_by_full_version() -> None:
    used = [step["uses"] for job in _jobs() for step in _steps(job) if "uses" in step]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@v\d+\.\d+\.\d+", name)] == []


def test_workflows_may_only_read() -> None:
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in _jobs())


def test_workflows_run_what_contributors_run() -> None:
    commands = {step.get("run") for job in _jobs() for step in _steps(job)}
    assert {".ci/run", "scripts/docs"} <= commands


def test_commits_are_checked_by_the_script() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["scripts/check"]


def test_every_supported_python_is_tested() -> None:
    prefix = "Programming Language :: Python :: "
    classifiers = PROJECT["project"]["classifiers"]
    supported = {c.removeprefix(prefix) for c in classifiers if c.startswith(prefix)}
    script = re.search(r"for version in (.*); do", (ROOT / "scripts/test").read_text())
    assert script is not None
    assert set(script[1].split()) == supported
    hosted = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["tests"]
    [versions] = [
        s["with"]["python-version"] for s in _steps(hosted) if "python" in s.get("uses", "")
    ]
    assert set(versions.split()) == supported


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda p: p.name)
def test_forms_and_settings_are_yaml(path: Any) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)
