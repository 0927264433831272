"""The fixture `invoke`, in processes of pytest with the plugins that users have."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.serving import ROOT, environment

DOCUMENTED = (ROOT / "docs/testing.md").read_text()

SCOPED = ("-o", "asyncio_default_fixture_loop_scope=function")
AIOHTTP = (*SCOPED, "-o", "asyncio_mode=auto")
ASYNCIO = (*SCOPED, "-p", "no:aiohttp")
NEITHER = ("-p", "no:aiohttp", "-p", "no:asyncio")


def files(document: str) -> Mapping[str, str]:
    """The Python files in a page: each names itself in its first line."""
    return dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", document, re.M | re.S))


def run(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments],
        cwd=directory,
        env=environment({"PYTHONDONTWRITEBYTECODE": "1"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def passed(done: "subprocess.CompletedProcess[str]") -> int:
    """How many tests passed, where none failed."""
    assert done.returncode == 0, done.stdout + done.stderr
    match = re.search(r"(\d+) passed", done.stdout)
    return int(match[1]) if match else 0


@pytest.fixture
def documented(tmp_path: Path) -> Path:
    """A directory with the files that the documentation shows."""
    for name, text in files(DOCUMENTED).items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    "plugins", [AIOHTTP, ASYNCIO], ids=["under pytest-aiohttp", "under pytest-asyncio"]
)
def test_documented_examples_pass(documented: Path, plugins: tuple[str, ...]) -> None:
    assert passed(run(documented, *plugins)) == DOCUMENTED.count("def test_") + 2


@pytest.mark.slow
def test_documented_sync_examples_pass_without_an_async_plugin(documented: Path) -> None:
    (documented / "test_async.py").unlink()
    assert passed(run(documented, *NEITHER)) == DOCUMENTED.count("\ndef test_") + 2


def test_documented_use_without_pytest(documented: Path) -> None:
    done = subprocess.run(
        [sys.executable, "plain.py"], cwd=documented, capture_output=True, text=True, check=True
    )
    assert done.stdout == "{'hello': 'world'}\n"


FAILING = """\
def main(data):
    return helper(data)


def helper(data):
    raise LookupError("this is the user's own")


async def stream():
    yield "one"
    raise LookupError("this is the user's own")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        pytest.param("def test(invoke):\n    invoke(event())", id="sync"),
        pytest.param("async def test(invoke):\n    await invoke(event())", id="async"),
        pytest.param("def test(invoke):\n    invoke('func:stream')", id="in mid-stream"),
    ],
)
def test_failure_shows_the_user_s_own_traceback(tmp_path: Path, call: str) -> None:
    (tmp_path / "func.py").write_text(FAILING)
    (tmp_path / "test_func.py").write_text(f"from pyfunc.testing import event\n{call}\n")
    done = run(tmp_path, *AIOHTTP, "--show-capture=no")
    assert done.returncode == 1
    assert 'raise LookupError("this is the user\'s own")' in done.stdout
    assert "\nfunc.py:" in done.stdout
    assert "invoke(" in done.stdout
    assert not re.search(r"^\S*pyfunc/\w+\.py:\d+", done.stdout, re.M), done.stdout


@pytest.mark.slow
def test_answer_that_was_not_awaited_fails_the_test(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main():\n    return ''\n")
    (tmp_path / "test_func.py").write_text("async def test(invoke):\n    invoke()\n")
    done = run(tmp_path, *AIOHTTP)
    assert done.returncode == 1
    assert "invoke(...) was not awaited" in done.stdout


@pytest.mark.slow
def test_backend_of_the_test_s_own_loop_can_be_called(tmp_path: Path) -> None:
    (tmp_path / "test_func.py").write_text(
        "from aiohttp import ClientSession, web\n"
        "async def test(invoke, aiohttp_server):\n"
        "    async def handler(request):\n"
        "        return web.Response(text='from the backend')\n"
        "    app = web.Application()\n"
        "    app.router.add_get('/', handler)\n"
        "    backend = await aiohttp_server(app)\n"
        "    async def main(path):\n"
        "        async with ClientSession() as client:\n"
        "            async with client.get(backend.make_url('/')) as response:\n"
        "                return await response.text()\n"
        "    assert (await invoke(main)).text == 'from the backend'\n"
    )
    assert passed(run(tmp_path, *AIOHTTP)) == 1


@pytest.mark.slow
def test_fixture_of_a_user_s_own_wins(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef invoke():\n    return 'mine'\n"
    )
    (tmp_path / "test_it.py").write_text("def test(invoke):\n    assert invoke == 'mine'\n")
    assert passed(run(tmp_path, *NEITHER)) == 1


@pytest.mark.slow
def test_suite_that_does_not_ask_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test():\n"
        "    loaded = {name for name in sys.modules if name.split('.')[0] == 'pyfunc'}\n"
        "    assert loaded <= {'pyfunc', 'pyfunc.pytest_plugin'}\n"
        "    assert 'aiohttp' not in sys.modules and 'msgspec' not in sys.modules\n"
    )
    assert passed(run(tmp_path, *NEITHER)) == 1


@pytest.mark.slow
def test_function_is_found_beside_the_test(tmp_path: Path) -> None:
    inner = tmp_path / "functions/one"
    (inner / "tests").mkdir(parents=True)
    (inner / "func.py").write_text("def main(path):\n    return 'one'\n")
    (inner / "tests/test_func.py").write_text(
        "def test(invoke):\n    assert invoke().text == 'one'\n"
    )
    assert passed(run(tmp_path, *NEITHER, "--rootdir", str(tmp_path), "functions/one/tests")) == 1
