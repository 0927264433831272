"""The access log: one line for each invocation, and for each request that led to none."""

import logging

from pyfunc.errors import RequestError
from pyfunc.function.invocation import CURRENT, Invocation
from pyfunc.invoking.observers import Call, Observation

__all__ = ["AccessLog"]

logger = logging.getLogger("pyfunc.access")

_REASON = 500  # characters of a reason that are logged


class AccessLog:
    """An observer that logs each answered request."""

    def began(self, observation: Observation, call: Call) -> None:
        """Log no record yet."""

    def ended(self, observation: Observation, call: Call) -> None:
        """Log no record yet: the status is unknown."""

    def answered(self, observation: Observation) -> None:
        """Log one record for each invocation, with its ids."""
        for call in observation.calls:
            _write(observation, call.invocation, call)
        if not observation.calls:
            _write(observation, Invocation(observation.request, b""), observation)


def _write(observation: Observation, invocation: Invocation, end: Call | Observation) -> None:
    request = observation.request
    status = "-" if end.status is None else end.status
    error = end.error
    reason = {"reason": error.detail[:_REASON]} if isinstance(error, RequestError) else {}
    token = CURRENT.set(invocation)
    try:
        logger.info(
            "%s %s %s %s",
            request.method,
            request.rel_url.raw_path,  # without the query, which may hold a secret
            status,
            end.outcome,
            extra={
                "method": request.method,
                "path": request.rel_url.raw_path,
                "status": end.status,
                "duration_ms": round(end.seconds * 1000, 3),
                "bytes": observation.response_bytes,
                "outcome": end.outcome,
                **reason,
            },
        )
    finally:
        CURRENT.reset(token)
