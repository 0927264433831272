"""The public kit for tests of functions: `event`, `Invoke` and its `Answer`.

It imports `app` and all below, since a function is tested in the application that serves it. The
modules are internal, and serve `pyfunc invoke` too: `kit` is this public face, `samples` makes
requests, `exchange` sends them, `verdicts` judges answers as a Knative broker does.
"""

from pyfunc.testing.exchange import Answer
from pyfunc.testing.kit import Invoke, event

__all__ = ["Answer", "Invoke", "event"]
