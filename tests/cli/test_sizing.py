"""The numbers of a deployment."""

from typing import Any

import pytest
from msgspec.structs import replace

from pyfunc.cli.deployment import Deployment
from pyfunc.cli.sizing import (
    admitted,
    grace_period,
    memory,
    response_timeout,
    revision_timeout,
    size,
)
from pyfunc.settings import Settings


@pytest.mark.parametrize(
    ("platform", "facts", "expected"),
    [
        pytest.param(
            "knative",
            {},
            {"concurrency": 40, "queue": 10, "timeout": 45, "drain_timeout": 25},
            id="knative",
        ),
        pytest.param(
            "kubernetes",
            {},
            {"concurrency": 40, "queue": 40, "timeout": 25, "drain_timeout": 25, "drain_delay": 2},
            id="kubernetes",
        ),
        pytest.param(
            "knative",
            {"is_async": True},
            {"concurrency": 100, "threads": 40},
            id="no threads for an async function",
        ),
        pytest.param(
            "knative",
            {"options": {"concurrency": "60"}},
            {"concurrency": 60, "threads": 60},
            id="as many threads as invocations",
        ),
        pytest.param(
            "knative",
            {"options": {"concurrency": "6"}},
            {"concurrency": 6, "threads": 40},
            id="fewer invocations than threads",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"threads": "6"}},
            {"concurrency": 6, "threads": 6, "queue": 6},
            id="as many invocations as threads",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"concurrency": "0"}},
            {"concurrency": 0, "threads": 40, "queue": 0},
            id="no limit",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"timeout": "60"}},
            {"timeout": 60, "drain_timeout": 60},
            id="a drain as long as an invocation",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"timeout": "5"}},
            {"timeout": 5, "drain_timeout": 25},
            id="a drain longer than an invocation",
        ),
        pytest.param(
            "kubernetes",
            {"options": {"drain_timeout": "8"}},
            {"timeout": 8, "drain_timeout": 8},
            id="an invocation as long as the drain",
        ),
    ],
)
def test_unset_options_fit_each_other_and_the_platform(
    platform: str, facts: dict[str, Any], expected: dict[str, float]
) -> None:
    settings = size(platform, Deployment(name="greet", image="greet:1.0", **facts))
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 40),  # 5 preStop + 2 + 25 + 5
        ({"drain_timeout": 60.0}, 75),
        ({"shutdown_timeout": 11.0}, 45),
    ],
)
def test_grace_period_covers_hook_drain_and_shutdown(
    options: dict[str, float], seconds: int
) -> None:
    assert grace_period(replace(Settings(drain_delay=2.0), **options)) == seconds


def test_knative_waits_longer_than_the_function_may_take() -> None:
    settings = Settings(queue_timeout=10.0, timeout=100.0)
    assert response_timeout(settings) == 115
    assert revision_timeout(settings) == 115


def test_knative_waits_at_least_for_the_drain() -> None:
    assert revision_timeout(Settings(queue_timeout=1.0, timeout=1.0, drain_timeout=25.0)) == 55


def test_workers_multiply_invocations_and_memory() -> None:
    settings = Settings(concurrency=10, workers=3, max_body=1 << 20)
    assert (admitted(settings), memory(settings)) == (30, "780Mi")
