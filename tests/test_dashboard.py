"""The Grafana dashboard, against a real Prometheus that scrapes a running function."""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import pytest

from pyfunc.telemetry.metrics import HELP, Metrics
from tests.support.serving import ROOT, Served
from tests.telemetry.test_metrics import port_of, post

DASHBOARD = json.loads((ROOT / "docker/grafana/pyfunc.json").read_text())
TARGETS = [(p["title"], t["expr"]) for p in DASHBOARD["panels"] for t in p["targets"]]

FUNCTION = """
    def main(event):
        if event["type"] == "bad":
            raise ValueError
        return {"type": "reply"}, "a"
"""


class Prometheus:
    """A Prometheus that scrapes one port five times a second."""

    def __init__(self, directory: Path, target: int) -> None:
        self.directory = directory
        self.target = target

    def __enter__(self) -> "Prometheus":
        configuration = {
            "global": {"scrape_interval": "200ms"},
            "scrape_configs": [
                {
                    "job_name": "function",
                    "static_configs": [{"targets": [f"127.0.0.1:{self.target}"]}],
                }
            ],
        }
        (self.directory / "prometheus.yml").write_text(json.dumps(configuration))  # YAML holds JSON
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=prometheus.yml", "--web.listen-address=127.0.0.1:0"],
            cwd=self.directory,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if match := re.search(r'msg="Listening on" address=127\.0\.0\.1:(\d+)', line):
                self.url = f"http://127.0.0.1:{match[1]}/api/v1/query"
                return self
        raise AssertionError("prometheus ended")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)

    async def has(self, session: aiohttp.ClientSession, query: str) -> bool:
        """Whether a query gives at least one number."""
        async with session.post(self.url, data={"query": query}) as response:
            if response.status == 503:  # not ready yet
                return False
            answer: dict[str, Any] = await response.json()
        assert answer["status"] == "success", (query, answer)
        return any(sample["value"][1] != "NaN" for sample in answer["data"]["result"])


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[Served, Prometheus]]:
    (tmp_path / "func.py").write_text(dedent(FUNCTION))
    with (
        Served(tmp_path, "--metrics-port", "0") as served,
        Prometheus(tmp_path, port_of(served)) as made,
    ):
        yield served, made


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed here")
async def test_every_panel_shows_numbers(prometheus: tuple[Served, Prometheus]) -> None:
    served, server = prometheus
    missing = {
        expr.replace("$__rate_interval", "10s").replace("$job", ".*"): title
        for title, expr in TARGETS
    }
    with contextlib.suppress(TimeoutError):
        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            while missing:
                await post(served.url, ["good", "bad", ""])
                for query in list(missing):
                    if await server.has(session, query):
                        del missing[query]
    assert missing == {}


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expr for _, expr in TARGETS)
    metrics = Metrics("http", 1, {"pyfunc_queue_length": lambda: 0})
    names = {metric.name for metric in metrics.registry.collect()}
    assert len(names) > 10
    assert {name for name in names if name not in shown} == set()


def test_the_dashboard_shows_nothing_that_is_not_told() -> None:
    shown = {word for _, expr in TARGETS for word in re.findall(r"(\w+)\{", expr)}
    suffix = re.compile("_(total|bucket|sum|count)$")
    assert {suffix.sub("", name) for name in shown} <= HELP.keys()


def test_dashboard_takes_its_data_source_and_job_from_variables() -> None:
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource", "job"}
    assert all('{job=~"$job"' in expr for _, expr in TARGETS)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in DASHBOARD["panels"])
