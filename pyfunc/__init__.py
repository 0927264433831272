"""Serve one plain Python function over HTTP and CloudEvents.

A function needs nothing of this package; these are the names for those who want types, outcomes or
the application itself. They are loaded when they are first used, so that `import pyfunc` and
`from pyfunc import Reject` cost next to nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyfunc.app import create_app
    from pyfunc.cloudevents.event import Event
    from pyfunc.errors import Reject, Retry
    from pyfunc.function.invocation import Context
    from pyfunc.request.view import Request

__all__ = ["Context", "Event", "Reject", "Request", "Retry", "__version__", "create_app"]

__version__ = "1.0.0"

_HOMES = {
    "Context": "pyfunc.function.invocation",
    "Event": "pyfunc.cloudevents.event",
    "Reject": "pyfunc.errors",
    "Request": "pyfunc.request.view",
    "Retry": "pyfunc.errors",
    "create_app": "pyfunc.app",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pyfunc' has no attribute {name!r}")
    return getattr(_import_module(_HOMES[name]), name)
