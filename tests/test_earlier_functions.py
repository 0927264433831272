"""Functions written for the earlier, Flask-based pyfunc run unchanged."""

import json
import subprocess
import sys

import pytest

from tests.support.earlier import answers, asked, asked_with_flask
from tests.support.serving import ROOT

pytestmark = pytest.mark.usefixtures("_modules")


@pytest.mark.parametrize("function", dict.fromkeys(one.function for one in asked()))
async def test_function_that_does_not_import_flask(function: str) -> None:
    requests = [one for one in asked() if one.function == function]

    assert await answers(requests) == [None] * len(requests)


@pytest.mark.parametrize("function", dict.fromkeys(one.function for one in asked_with_flask()))
async def test_function_that_imports_flask(function: str) -> None:
    requests = [one for one in asked_with_flask() if one.function == function]

    assert await answers(requests) == [None] * len(requests)


def test_functions_that_do_not_import_flask_run_where_it_is_not_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.earlier"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [None] * len(asked())
