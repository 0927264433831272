"""What the documentation shows, run: functions are served and asked, commands are given.

A block that cannot be run has a comment before it, `<!-- not run: why -->`; its syntax is checked
all the same. A Python block that begins with a comment such as `# test_func.py` is that file.
"""

import ast
import asyncio
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from PIL import Image

import pyfunc
from pyfunc import errors
from pyfunc.cli.parser import build_parser
from pyfunc.telemetry.metrics import HELP
from tests.support.apps import Client, Serve
from tests.support.blocks import PAGES, Block, Step, blocks, same, steps
from tests.support.serving import ROOT, environment

_FILE = re.compile(r"# (\w+\.py)\n")
_PYFUNC = re.compile(r"((?:\w+=\S+ )*)(?:\S*/)?python3? -m pyfunc (.*)", re.S)
_SERVES = re.compile(r"(?:(\w+)=(\S+) )?scripts/serve (examples/\S+)$")
_RUNS = re.compile(r"curl |\w+=|printf ")


@pytest.mark.fastpath_only("the commands would show `--plain` as an option that was changed")
@pytest.mark.parametrize("page", PAGES)
async def test_every_block_does_what_its_page_shows(
    page: str, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(serve, tmp_path / "reader", monkeypatch)
    for block in blocks(page):
        await reader.follow(block)
    reader.run_tests()


class Reader:
    """Somebody who does what a page says, from its first block to its last.

    Args:
        serve: Serves a function.
        folder: Where the files of the page are written and its commands given.
        monkeypatch: Sets the variables that commands are given.
    """

    def __init__(self, serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.serve = serve
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.client: Client | None = None
        self.tests: list[str] = []
        folder.mkdir()
        Image.new("RGB", (640, 320), "teal").save(folder / "photo.jpg")

    async def follow(self, block: Block) -> None:
        if block.language.startswith("{"):
            return  # a directive of the site, not code
        assert block.language in _READERS, f"{block.where}: no language that is known here"
        _READERS[block.language](block)
        if block.language == "python" and not block.reason:
            await self.take(block)
        if block.language == "console" and not block.reason:
            await self.give(block)

    async def take(self, block: Block) -> None:
        """Write the block's file; serve its function."""
        named = _FILE.match(block.text)
        names = [node.name for node in ast.parse(block.text).body if isinstance(node, _FUNCTIONS)]
        holds_tests = any(name.startswith("test_") for name in names)
        file = named[1] if named else ("test_page.py" if holds_tests else "func.py")
        if holds_tests:
            self.tests.append(file)
        if names or named:
            (self.folder / file).write_text(block.text)
        if holds_tests or (named and file != "func.py"):
            return
        if names:
            self.client = await self.serve(block.text)
        else:
            self.run_alone(block)

    def run_alone(self, block: Block) -> None:
        """Run a block that defines no function, beside the files of the page."""
        done = self.call([sys.executable, "-c", block.text])
        assert done.returncode == 0, f"{block.where}:\n{done.stderr}"

    def run_tests(self) -> None:
        """Run the tests that the page shows."""
        if self.tests:
            done = self.call([sys.executable, "-m", "pytest", "-q", *self.tests])
            assert done.returncode == 0, done.stdout

    def call(
        self, command: Sequence[str], variables: Mapping[str, str] = {}
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=self.folder,
            env=environment(variables),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    async def give(self, block: Block) -> None:
        """Give the commands that can be given here, and compare what they print."""
        runnable: list[Step] = []
        for step in steps(block):
            if served := _SERVES.match(step.command):
                await self.start(served)
            elif called := _PYFUNC.match(step.command.partition(" #")[0]):
                self.call_pyfunc(step, called[1], called[2], block.where)
            elif _RUNS.match(step.command):
                runnable.append(step)
            else:
                _check_command(step.command, block.where)
        if runnable and self.client is not None:
            await self.run(runnable, block.where)

    async def start(self, served: "re.Match[str]") -> None:
        if served[1]:
            self.monkeypatch.setenv(served[1], served[2])
        self.client = await self.serve((ROOT / served[3] / "func.py").read_text())

    def call_pyfunc(self, step: Step, variables: str, words: str, where: str) -> None:
        """The options exist; and where the page shows function and output, this is it."""
        arguments, piped = _first_of_pipe(words)
        if "--help" not in arguments:
            build_parser().parse_args(arguments)  # ends the process, and so the test, if it cannot
        if arguments[0] == "start" or piped or not (self.folder / "func.py").exists():
            return
        given = dict(variable.split("=", 1) for variable in variables.split())
        done = self.call([sys.executable, "-m", "pyfunc", *arguments], given)
        if step.output:
            told = done.stdout + done.stderr
            assert same(step.output, told), f"{where}: {step.command}\nsays\n{told}"
        else:
            assert done.returncode == 0, f"{where}: {step.command}\nsays\n{done.stderr}"

    async def run(self, runnable: Sequence[Step], where: str) -> None:
        """Give commands to one shell, with the server that is at hand in place of port 8080."""
        if shutil.which("curl") is None:
            pytest.skip("the console blocks need curl")
        assert self.client is not None
        here = f"{self.client.server.host}:{self.client.server.port}"
        script = "\nprintf '\\036'\n".join(_certain(step, here) for step in runnable)
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", script, cwd=self.folder, stdout=-1, stderr=-1
        )
        out, err = await process.communicate()
        assert process.returncode == 0, f"{where}: {err.decode()}\n{out.decode()}"
        for step, actual in zip(runnable, out.decode().split("\036"), strict=True):
            if step.output:
                assert same(step.output, actual), f"{where}: {step.command}\nprints\n{actual}"


PACKAGE = Path(pyfunc.__file__).parent
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _certain(step: Step, here: str) -> str:
    """The command; where no output is shown, one that fails when the answer is an error."""
    command = step.command.replace("localhost:8080", here)
    return command if step.output else re.sub(r"^curl ", "curl --fail ", command)


def _first_of_pipe(text: str) -> tuple[list[str], bool]:
    """The words of the first command, and whether its output goes on to another."""
    words = shlex.shlex(text, posix=True, punctuation_chars="|>")
    words.whitespace_split = True
    given = list(words)
    ends = [number for number, word in enumerate(given) if word in ("|", ">", ">>")]
    return (given[: ends[0]], True) if ends else (given, False)


# --- what cannot be run here is looked at ---------------------------------------------------------


def _check_command(command: str, where: str) -> None:
    words = shlex.split(command, comments=True)
    words = words[next(n for n, word in enumerate(words) if "=" not in word) :]
    program = words[0] if words[0].startswith("scripts/") else Path(words[0]).name
    known = _PROGRAMS.get(program) or (_script if program.startswith("scripts/") else None)
    assert known, f"{where}: what is {program}?"
    assert known(words), f"{where}: {command}"


def _script(words: Sequence[str]) -> bool:
    return os.access(ROOT / words[0], os.X_OK)


def _paths(*flags: str) -> Callable[[Sequence[str]], bool]:
    """Whether what follows these flags is there; `path/to` stands for something of the user's."""

    def check(words: Sequence[str]) -> bool:
        named = [words[n + 1] for n, word in enumerate(words) if word in flags]
        return all("path/to" in name or (ROOT / name).exists() for name in named)

    return check


def _anything(words: Sequence[str]) -> bool:
    return len(words) > 1


_PROGRAMS: Mapping[str, Callable[[Sequence[str]], bool]] = {
    "adev": _anything,
    "buildah": _paths("-f"),
    "cd": _anything,
    "docker": _paths("-f", "--file"),
    "docker/smoke": _script,
    "export": _anything,
    "func": _anything,
    "git": _anything,
    "gunicorn": _anything,
    "kubectl": _paths("-k", "--kustomize"),
    "pip": _anything,
    "pytest": lambda words: True,
    "python": _anything,
    "python3": _anything,
    "smoke": lambda words: (ROOT / "docker/smoke").exists(),
}


def _nothing(block: Block) -> None:
    pass


_READERS: Mapping[str, Callable[[Block], object]] = {
    "console": _nothing,
    "dockerfile": _nothing,
    "ini": lambda block: configparser.ConfigParser().read_string(block.text),
    "json": lambda block: json.loads(block.text),
    "python": lambda block: compile(block.text, block.where, "exec"),
    "text": _nothing,
    "toml": lambda block: tomllib.loads(block.text),
    "yaml": lambda block: list(yaml.safe_load_all(block.text)),
}


# --- the site -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.once
def test_site_builds_without_warnings(tmp_path: Path) -> None:
    """`scripts/docs` builds it in the same way."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-j", "2"]
    done = subprocess.run(
        [*command, "-d", tmp_path / "cache", ROOT / "docs", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    site = tmp_path / "site"
    for page in site.rglob("*.html"):
        fetched = re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)', page.read_text()
        )
        assert not fetched, f"{page.name} fetches {fetched}"


def test_every_example_is_in_the_documentation() -> None:
    text = _page("examples")
    for path in (ROOT / "examples").glob("*/README.md"):
        assert f"<!-- include ../{path.relative_to(ROOT)} -->" in text


# --- what must be on a page -----------------------------------------------------------------------


def test_every_log_line_is_explained() -> None:
    """Each message of the logger `pyfunc` has a row, and each row a message."""
    page = _page("log-lines")
    rows = re.findall(r"^\| `(.+?)` \| (\w+) \|", page, re.M)
    lines = {line for path in PACKAGE.rglob("*.py") for line in _log_lines(path.read_text())}
    lines -= {("%s", "critical")}  # an error in full, which says itself what to do
    unexplained = [line for line in lines if not any(_is_of(line, row) for row in rows)]
    assert not unexplained, f"add a row to docs/log-lines.md: {unexplained}"
    stale = [row for row in rows if not any(_is_of(line, row) for line in lines)]
    assert not stale, f"nothing logs this: {stale}"


def _log_lines(source: str) -> Iterator[tuple[str, str]]:
    """Message and level of each call of `logger`."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
            level = ast.unparse(node.func).removeprefix("logger.")
            message = node.args[0]
            if isinstance(message, ast.Name):
                message = constants[message.id]
            yield ast.literal_eval(message), "error" if level == "exception" else level


def _is_of(line: tuple[str, str], row: tuple[str, str]) -> bool:
    """Whether a row of the page tells of this line: a word in capitals for what differs."""
    message = re.escape(" ".join(line[0].replace("`", "").split()))
    pattern = re.sub(r"%[\\.\d]*[srdg]", " ?[A-Z]+", message)
    return line[1] == row[1] and re.fullmatch(pattern, row[0]) is not None


def test_every_metric_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram)", _page("metrics"), re.M)
    assert sorted(rows) == sorted(HELP)


def test_every_outcome_is_explained() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = {kind.outcome for kind in classes if issubclass(kind, errors.RequestError)}
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", _page("metrics"), re.M)
    assert set(rows) == {*raised, "success", "cancelled"}


def _page(name: str) -> str:
    return (ROOT / f"docs/{name}.md").read_text()
