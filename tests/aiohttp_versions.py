"""Starts the server on each aiohttp that the bounds in `pyproject.toml` allow, and calls it.

    python -m tests.aiohttp_versions

The index says which releases there are. Each is installed, one after the other, into an environment
in a temporary directory, and the server runs there from this checkout: on the path that `start`
chooses, and on the plain path. A wrong response ends the command with exit code 1.
"""

import http.client
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from tests.support.serving import ROOT, Served

__all__: list[str] = []

_STRUCTURED = {"Content-Type": "application/cloudevents+json"}
_EVENT = json.dumps(
    {
        "specversion": "1.0",
        "id": "1",
        "source": "/tests",
        "type": "test",
        "datacontenttype": "application/json",
        "data": [1],
    }
)


class _Call(NamedTuple):
    """A request, and the response that is right."""

    method: str
    body: str | None
    headers: Mapping[str, str]
    status: int
    response: bytes | None


_FUNCTIONS = {
    "async def main(body: bytes):\n    return body[::-1]\n": (
        _Call("GET", None, {}, 200, b""),
        _Call("POST", "abc", {}, 200, b"cba"),
        _Call("PUT", "def", {}, 200, b"fed"),
    ),
    "def main(data, attributes):\n    return attributes, data * 2\n": (
        _Call("POST", _EVENT, _STRUCTURED, 200, b"[1,1]"),
        _Call("POST", "{", _STRUCTURED, 400, None),
        _Call("POST", _EVENT, _STRUCTURED, 200, b"[1,1]"),
    ),
}
_PLAIN = "does not fit the fast path"


def main() -> int:
    """Call the server on each release; the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [Requirement(line) for line in project["dependencies"]]
    [aiohttp] = [each for each in requirements if each.name == "aiohttp"]
    code = 0
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "environment"
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"
        _install(python, *(str(each) for each in requirements if each is not aiohttp))
        for release in _releases(aiohttp):
            _install(python, f"aiohttp=={release}")
            for arguments in ([], ["--plain"]):
                try:
                    result = _path(python, Path(folder), arguments)
                except AssertionError as error:
                    code, result = 1, f"FAILED: {error}"
                _say(f"aiohttp {release} {' '.join(arguments) or 'by default'}: {result}")
    return code


def _releases(requirement: Requirement) -> list[str]:
    """The releases on the index, within bounds, the oldest first."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions"]
    output = subprocess.run(
        [*command, requirement.name], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    [versions] = re.findall(r"^Available versions: (.+)$", output, re.MULTILINE)
    return list(requirement.specifier.filter(reversed(versions.split(", "))))


def _install(python: Path, *requirements: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*command, *requirements], check=True)


def _path(python: Path, directory: Path, arguments: list[str]) -> str:
    """Call both kinds of function; the path on which they were served.

    Raises:
        AssertionError: A response or the exit code is wrong.
    """
    log = ""
    for function, calls in _FUNCTIONS.items():
        (directory / "func.py").write_text(function)
        served = Served(directory, *arguments, env={"PYTHONPATH": str(ROOT)})
        served.command[0] = str(python)
        with served:
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
            for call in calls:
                try:
                    connection.request(call.method, "/", call.body, call.headers)
                    response = connection.getresponse()
                    body = response.read()
                except (OSError, http.client.HTTPException) as error:
                    raise AssertionError(f"{call} met {error!r}\n{served.text}") from error
                is_right = response.status == call.status and call.response in (None, body)
                assert is_right, f"{call} met {response.status} {body!r}\n{served.text}"
            connection.close()
            code = served.terminate()
        assert code == 0, f"exit code {code}\n{served.text}"
        log += served.text
    return "plain path" if arguments or _PLAIN in log else "fast path"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main())
