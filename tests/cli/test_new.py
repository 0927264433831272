"""`new`: directories whose tests pass, whose commands work, and which overwrite nothing."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import pyfunc as package
from pyfunc import __version__
from pyfunc.cli.commands import COMMANDS
from pyfunc.cli.new import TEMPLATES
from tests.support.clusters import check
from tests.support.serving import ROOT, Served, environment, pyfunc

PACKAGE = Path(package.__file__).parent
NEITHER = ("-p", "no:aiohttp", "-p", "no:asyncio")  # of the plugins for async tests
OF_EVENTS = {"event", "typed", "batch"}


@pytest.fixture(scope="module", params=TEMPLATES)
def template(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, template: str) -> Path:
    directory = tmp_path_factory.mktemp("new")
    done = pyfunc("new", "my-function", "--template", template, cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")
    return directory / "my-function"


@pytest.fixture
def made(tmp_path: Path, original: Path) -> Path:
    return shutil.copytree(original, tmp_path / "my-function")


def commands(made: Path) -> list[str]:
    """What the README says to type."""
    return re.findall(r"^\$ (.*)$", (made / "README.md").read_text(), re.M)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.slow
def test_tests_of_the_function_pass(made: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *NEITHER],
        cwd=made,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed", done.stdout)


def test_function_has_no_pitfall(made: Path) -> None:
    assert pyfunc("check", "--strict", cwd=made).returncode == 0


@pytest.mark.slow
def test_readme_s_invocation_succeeds(made: Path) -> None:
    (command,) = (line for line in commands(made) if "pyfunc invoke" in line)
    done = pyfunc(*shlex.split(command)[3:], cwd=made)
    assert done.stdout.startswith("200 OK"), done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_readme_s_curl_command_is_answered(made: Path) -> None:
    (command,) = (line for line in commands(made) if line.startswith("curl"))
    with Served(made) as served:
        here = command.replace("localhost:8080", served.url).replace("curl", "curl --fail", 1)
        assert subprocess.run(here, shell=True, capture_output=True, check=True).stdout  # noqa: S602


@pytest.mark.once
def test_readme_names_files_that_are_there(made: Path) -> None:
    named = set(re.findall(r"[\w-]+\.(?:py|txt|yaml)\b", (made / "README.md").read_text()))
    assert {name for name in named if not (made / name).exists()} == set()


@pytest.mark.once
def test_manifests_are_valid_and_have_the_name(made: Path, template: str) -> None:
    service = load(made / "service.yaml")
    assert service["metadata"]["name"] == "my-function"
    container = service["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.example.com/team/my-function"
    schema = load(ROOT / "tests/schemas/func.yaml")
    function = load(made / "func.yaml")
    function["created"] = "2026-01-01T00:00:00Z"
    jsonschema.Draft202012Validator({**schema, "$ref": "#/$defs/function"}).validate(function)
    assert function["name"] == "my-function"
    assert (function.get("invoke") == "cloudevent") == (template in OF_EVENTS)
    assert (made / "trigger.yaml").exists() == (template in OF_EVENTS)


@pytest.mark.once
def test_image_runs_as_the_manifests_ask(made: Path) -> None:
    text = (made / "Dockerfile").read_text()
    assert "\nUSER 1001:0\n" in text
    assert 'ENTRYPOINT ["python", "-P", "-m", "pyfunc"]\nCMD ["start"]\n' in text


def test_manifests_are_those_of_the_command(made: Path, template: str) -> None:
    image = ("--image", "registry.example.com/team/my-function")
    of_events = ("--event-type", "com.example.order", "--dead-letter", "none")
    flags = of_events if template in OF_EVENTS else ()
    printed = pyfunc("manifest", *image, *flags, cwd=made)
    files = ["service.yaml", "trigger.yaml"] if template in OF_EVENTS else ["service.yaml"]
    assert [*yaml.safe_load_all(printed.stdout)] == [load(made / file) for file in files]
    for file in files:
        check(load(made / file))


@pytest.mark.once
def test_requirements_are_met_by_this_version(made: Path) -> None:
    (least,) = re.findall(r"pyfunc-invoker>=(\S+)", (made / "requirements.txt").read_text())
    assert [int(part) for part in least.split(".")] <= [int(p) for p in __version__.split(".")]


def test_templates_of_the_command_line_are_those_that_are_there() -> None:
    there = {path.name for path in (PACKAGE / "templates/pyfunc").iterdir()}
    (flag,) = (flag for row in COMMANDS for flag in row.flags if flag.names == ("--template",))
    assert set(TEMPLATES) == there == set(flag.extra["choices"])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("there", "there already exists"),
        ("file", "file already exists"),
        ("My_Func", "did you mean my-func?"),
        ("9", "expected lower-case letters, digits and hyphens, starting with a letter"),
        ("file/below", "file/below cannot be created: Not a directory"),
    ],
)
def test_name_that_cannot_be_used_changes_nothing(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there/func.py").write_text("mine")
    (tmp_path / "file").write_text("mine")
    done = pyfunc("new", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "func.py", "there"]
    assert (tmp_path / "there/func.py").read_text() == "mine"


def test_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    done = pyfunc("new", ".", cwd=tmp_path / "mine")
    assert done.stdout.startswith("mine was created from the template http:\n")
    assert (tmp_path / "mine/func.py").exists()
