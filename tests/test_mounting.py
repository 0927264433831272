"""The application below a prefix of another one, served by plain `web.run_app` in a process."""

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.files import write
from tests.support.serving import environment

PARENT = """
    import os

    from aiohttp import web

    from pyfunc import create_app


    @web.middleware
    async def sign(request, handler):
        response = await handler(request)
        response.headers["X-Parent"] = request.path
        return response


    async def home(request):
        return web.Response(text="home")


    parent = web.Application(middlewares=[sign])
    parent.router.add_get("/", home)
    parent.add_subapp("/fn", create_app())
    web.run_app(parent, host="127.0.0.1", port=0, print=lambda text: print(text, flush=True))
"""

FUNCTION = """
    import asyncio

    async def main(data, attributes):
        if data == "wait":
            print("waiting", flush=True)
            await asyncio.sleep(0.5)
        return {"type": "reply"}, len(data)

    def on_shutdown():
        print("shut down", flush=True)
"""

EVENT = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}


class Parent:
    """The process, and the lines that it prints."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "parent.py"],
            cwd=directory,
            env=environment({"PYFUNC_MAX_BODY": "3Mi"}),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.wait_for(r"http://127\.0\.0\.1:(\d+)")[1])

    def wait_for(self, pattern: str) -> re.Match[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"the process ended without a line like {pattern}")

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response, response.read()

    def event(self, data: str) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {**EVENT, "Content-Type": "text/plain"}
        return self.ask("POST", "/fn/orders", data.encode(), headers)


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    write(tmp_path, {"parent.py": PARENT, "func.py": FUNCTION})
    parent = Parent(tmp_path)
    yield parent
    parent.process.kill()
    parent.process.wait()
    assert parent.process.stdout is not None
    parent.process.stdout.close()


def test_both_applications_answer(parent: Parent) -> None:
    response, body = parent.event("abc")

    assert (response.status, body) == (200, b"3")
    assert response.headers["ce-type"] == "reply"
    assert response.headers["X-Request-Id"]
    assert response.headers["X-Parent"] == "/fn/orders"
    assert parent.ask("GET", "/")[1] == b"home"


def test_probes_are_below_the_prefix(parent: Parent) -> None:
    response, body = parent.ask("GET", "/fn/healthz/ready")

    assert (response.status, json.loads(body)) == (200, {"phase": "ready"})
    assert parent.ask("GET", "/healthz/ready")[0].status == 404


def test_errors_are_problem_documents(parent: Parent) -> None:
    response, body = parent.ask("POST", "/fn/", b"no event")

    assert response.status == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == 400


def test_the_limit_of_a_body_is_that_of_the_function(parent: Parent) -> None:
    """Aiohttp's own limit is 1 MiB, for the parent and all that is below it."""
    assert parent.event("a" * (2 << 20))[1] == str(2 << 20).encode()
    assert parent.event("a" * (4 << 20))[0].status == 413


def test_a_shutdown_finishes_requests_closes_connections_and_runs_the_hook(parent: Parent) -> None:
    answers: list[tuple[http.client.HTTPResponse, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(parent.event("wait")))
    client.start()
    parent.wait_for("waiting")

    parent.process.send_signal(signal.SIGTERM)
    parent.wait_for("shut down")
    client.join(timeout=20)

    [(response, body)] = answers
    assert (response.status, body) == (200, b"4")
    assert response.headers["Connection"] == "close"
    assert parent.process.wait(timeout=20) == 0
