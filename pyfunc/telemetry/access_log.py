"""The access log: one line for each invocation, and for each request that led to none."""

import logging

from pyfunc.function.invocation import CURRENT, Invocation
from pyfunc.invoking.observers import Call, Observation

__all__ = ["AccessLog"]

logger = logging.getLogger("pyfunc.access")


class AccessLog:
    """An observer that logs each answered request."""

    def began(self, observation: Observation, call: Call) -> None:
        """Log no record yet."""

    def ended(self, observation: Observation, call: Call) -> None:
        """Log no record yet: the status is unknown."""

    def answered(self, observation: Observation) -> None:
        """Log one record for each invocation, with its ids."""
        for call in observation.calls:
            _write(observation, call.invocation, call.outcome, call.seconds)
        if not observation.calls:
            refused = Invocation(observation.request, b"")
            _write(observation, refused, observation.outcome, observation.seconds)


def _write(observation: Observation, invocation: Invocation, outcome: str, seconds: float) -> None:
    request = observation.request
    milliseconds = round(seconds * 1000, 3)
    status = "-" if observation.status is None else observation.status
    token = CURRENT.set(invocation)
    try:
        logger.info(
            "%s %s %s %s",
            request.method,
            request.rel_url.raw_path,  # without the query, which may hold a secret
            status,
            outcome,
            extra={
                "method": request.method,
                "path": request.rel_url.raw_path,
                "status": observation.status,
                "duration_ms": milliseconds,
                "bytes": observation.response_bytes,
                "outcome": outcome,
            },
        )
    finally:
        CURRENT.reset(token)
