"""Every exception of pyfunc; nothing here knows how one is shown.

PyFuncError
├── StartupError                the process cannot serve; `exit_code` 3
│   ├── SettingsError           an option or variable is wrong; `exit_code` 2
│   ├── LoadError               the module or the function is not there, or fails to import
│   ├── SignatureError          parameters that nothing can be bound to
│   ├── HookError               a hook raised, or took too long; `exit_code` 4
│   ├── WorkersError            worker processes end as soon as they start; `exit_code` 5
│   ├── ListenError             an address that cannot be listened on
│   └── UnreachableError        a server that `invoke` asks does not answer; `exit_code` 1
├── ReplyError                  what the function returned cannot be sent; answered as 500
└── RequestError                this request cannot be served; `status` says how
    ├── EventRequiredError      400  not an event, and the function takes events
    ├── InvalidEventError       400  an event that breaks the specification
    ├── MalformedBodyError      400  a body that is not what its Content-Type says
    ├── MethodError             405  a method that the function does not take
    ├── SlowRequestError        408  a request that did not arrive in time
    ├── DisconnectedError       400  the client left before its request was here, or answered
    ├── DataError               422  data that does not fit the annotation
    ├── UnsupportedFormatError  415  an event format that is not JSON
    ├── FailedError             500  the function failed, in words for the caller
    ├── BatchError              ...  events of a batch failed; the gravest outcome of them
    ├── UnavailableError        503  no place for the invocation now
    ├── DeadlineError           504  the invocation took too long
    ├── Reject                  422  raised by functions: do not send this again
    └── Retry                   503  raised by functions: send this again, later
"""

from collections.abc import Mapping, Sequence

__all__ = [
    "REPEATED",
    "BatchError",
    "DataError",
    "DeadlineError",
    "DisconnectedError",
    "EventRequiredError",
    "FailedError",
    "HookError",
    "InvalidEventError",
    "ListenError",
    "LoadError",
    "MalformedBodyError",
    "MethodError",
    "PyFuncError",
    "Reject",
    "ReplyError",
    "RequestError",
    "Retry",
    "SettingsError",
    "SignatureError",
    "SlowRequestError",
    "StartupError",
    "UnavailableError",
    "UnreachableError",
    "UnsupportedFormatError",
    "WorkersError",
]


class PyFuncError(Exception):
    """The root of every exception that pyfunc raises."""


class StartupError(PyFuncError):
    """The process cannot serve the function; found before the first request.

    Args:
        message: What was found, what was expected, what to do; may have several lines.
    """

    exit_code = 3


class SettingsError(StartupError):
    """An option on the command line or in the environment has an unusable value."""

    exit_code = 2


class LoadError(StartupError):
    """The user's module or function could not be found or imported."""


class SignatureError(StartupError):
    """At least one parameter of the function cannot be bound.

    Args:
        function: How the function is called in messages, such as `func.main`.
        faults: One sentence for each parameter that cannot be bound.
        hint: What may be asked for, told once below the faults.
    """

    def __init__(self, function: str, faults: Sequence[str], hint: str = "") -> None:
        self.function = function
        self.faults = tuple(faults)
        self.hint = hint
        lines = [f"{function} cannot be bound:", *(f"  - {fault}" for fault in faults)]
        super().__init__("\n".join([*lines, hint] if hint else lines))


class HookError(StartupError):
    """A hook of the user's module raised, or outlasted its time limit."""

    exit_code = 4


class WorkersError(StartupError):
    """Worker processes end soon after their start, again and again."""

    exit_code = 5


class ListenError(StartupError):
    """An address that the server should listen on is taken or not ours."""


class UnreachableError(StartupError):
    """A server elsewhere, which `invoke` was to ask, does not answer."""

    exit_code = 1


class ReplyError(PyFuncError):
    """What the function returned cannot be sent; the caller gets 500, the log gets this."""


class RequestError(PyFuncError):
    """A request that is answered with a problem document instead of an invocation's result.

    Args:
        detail: A sentence for the caller: what was found, expected, and what to do.
        status: The HTTP status; the class's own where it is not given.
        errors: Single faults, told as the member `errors` of the problem document.
        headers: Response headers that belong to the status, such as `Allow`.
    """

    status: int = 400
    outcome: str = "invalid"
    """How the request ended, in one word for logs, metrics and traces."""
    errors_member = "errors"

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        errors: Sequence[object] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors: tuple[object, ...] = tuple(errors)
        self.headers: dict[str, str] = dict(headers or {})
        if status is not None:
            self.status = status


class EventRequiredError(RequestError):
    """The request is not an event, and the function takes nothing else."""


class InvalidEventError(RequestError):
    """The request means to be an event, and is not a valid one (CloudEvents 1.0, section 3)."""


class MalformedBodyError(RequestError):
    """The body is not what its Content-Type says it is."""


class MethodError(RequestError):
    """The function does not take this method (RFC 9110, section 15.5.6)."""

    status = 405


class SlowRequestError(RequestError, TimeoutError):
    """The request did not arrive in time (RFC 9110, section 15.5.9)."""

    status = 408


class DisconnectedError(RequestError):
    """The client left before the whole request was here, or the whole response sent."""

    outcome = "cancelled"


class DataError(RequestError):
    """The data is well-formed and does not fit the type that the function asks for."""

    status = 422


class UnsupportedFormatError(RequestError):
    """An event format that is not spoken here (HTTP web hooks 1.0, section 2.2: 415)."""

    status = 415


class FailedError(RequestError):
    """The function raised, or returned what cannot be sent; what it was is for the log."""

    status = 500
    outcome = "failed"


class BatchError(RequestError):
    """Events of a batch failed; the delivery has the gravest outcome of them all.

    Args:
        detail: What the sender should do.
        gravest: The gravest outcome.
        outcomes: What became of each event, told as the member `outcomes` of the problem document.
        headers: Response headers that belong to the status.
    """

    errors_member = "outcomes"

    def __init__(
        self,
        detail: str,
        *,
        gravest: RequestError,
        outcomes: Sequence[object],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(detail, status=gravest.status, errors=outcomes, headers=headers)
        self.outcome = gravest.outcome


class UnavailableError(RequestError):
    """There is no place for the invocation; the sender may repeat it.

    Args:
        detail: Why there is none.
        reason: The same in a word, for metrics.
        retry_after: When to try again, in seconds.
    """

    status = 503
    outcome = "unavailable"

    def __init__(self, detail: str, *, reason: str = "unavailable", retry_after: float = 1) -> None:
        super().__init__(detail, headers={"Retry-After": _delay_seconds(retry_after)})
        self.reason = reason
        self.retry_after = retry_after


class DeadlineError(RequestError):
    """The invocation was not done within its time limit."""

    status = 504
    outcome = "timeout"


class Reject(RequestError):  # noqa: N818 - read as a verb: `raise Reject("...")`
    """Raised by a function to refuse an event for good: the sender does not repeat it.

    A Knative broker hands the event to its dead letter sink, with the reason
    (eventing data plane, "Event Acknowledgement and Delivery Retry").

    Args:
        reason: Told to the caller, and so to the dead letter.
        status: A 4xx status that is not repeated: any but 404, 408, 409 and 429.

    Raises:
        ValueError: The status is one that senders repeat, or no error.
    """

    status = 422
    outcome = "rejected"

    def __init__(self, reason: str, status: int = 422) -> None:
        if not 400 <= status < 500 or status in REPEATED:
            raise ValueError(
                f"Reject(status={status}): senders stop at 4xx other than 404, 408, 409 and 429;"
                " use Retry to have the event repeated"
            )
        super().__init__(reason, status=status)


class Retry(RequestError):  # noqa: N818 - read as a verb: `raise Retry(after=30)`
    """Raised by a function that cannot take this event now: the sender repeats it.

    Args:
        reason: Told to the caller.
        after: When to repeat, in seconds; told as `Retry-After` (whole seconds, rounded up).

    Raises:
        ValueError: `after` is negative or not finite.
    """

    status = 503
    outcome = "retry"

    def __init__(self, reason: str = "try again later", *, after: float | None = None) -> None:
        if after is not None and not 0 <= after < float("inf"):
            raise ValueError(f"Retry(after={after}): expected a number of seconds from 0 up")
        headers = {} if after is None else {"Retry-After": _delay_seconds(after)}
        super().__init__(reason, headers=headers)
        self.after = after


# The 4xx that Knative's dispatchers repeat (knative/eventing, pkg/kncloudevents/retries.go).
REPEATED = frozenset({404, 408, 409, 429})


def _delay_seconds(seconds: float) -> str:
    """`Retry-After` takes whole seconds (RFC 9110, section 10.2.3)."""
    return str(int(-(-seconds // 1)))
