"""Observers that the options choose."""

from typing import Any

from pyfunc.lifecycle import Lifecycle
from pyfunc.settings import Settings
from pyfunc.telemetry.setup import Telemetry, share, telemetry_for


def telemetry(**options: Any) -> Telemetry:
    return telemetry_for(Settings(**options), "func.main", False, Lifecycle(1), {})


def names(telemetry: Telemetry) -> list[str]:
    return [type(observer).__name__ for observer in telemetry.observers]


def test_nobody_observes_unless_an_option_says_so() -> None:
    assert telemetry() == Telemetry((), ())


def test_the_access_log_observes_last() -> None:
    chosen = telemetry(access_log=True, metrics_port=0)
    assert names(chosen) == ["Metrics", "AccessLog"]
    assert len(chosen.contexts) == 1  # the port of the metrics


def test_without_metrics_processes_share_nothing() -> None:
    with share(Settings()) as shared:
        assert shared is None
