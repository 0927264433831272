"""The command `invoke`: send one request to the function, and show the response.

The function runs in this process, behind the real application. Alternatively a running server gets
the request, or nothing is sent and the equivalent `curl` command is printed.
"""

import asyncio
import contextlib
import io
from collections.abc import Callable, Iterator

from pyfunc.app import create_app
from pyfunc.cli.invoke_output import as_document, as_json, curl_command, describe
from pyfunc.cli.invoke_request import InvokeFlags, build_request
from pyfunc.errors import StartupError
from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import Plan, compile_plan
from pyfunc.settings import Settings
from pyfunc.telemetry import logs
from pyfunc.testing.exchange import Answer, ask, ask_server
from pyfunc.testing.samples import Outgoing

__all__ = ["invoke"]


def invoke(settings: Settings, echo: Callable[[str], None], flags: InvokeFlags) -> int:
    """Invoke the function once.

    Args:
        settings: The options, as for `start`.
        echo: Prints a text.
        flags: The flags of the command.

    Returns:
        The exit code: 0 if the invocation succeeded, else 1.

    Raises:
        SettingsError: A flag is invalid.
        StartupError: The function cannot be served, or the server does not respond.
    """
    loaded, plan = _load(settings, optional=flags.url is not None)
    outgoing = build_request(flags, plan)
    if flags.curl:
        echo(curl_command(flags.url or f"http://localhost:{settings.port}/", outgoing))
        return 0
    with _captured(flags.json) as lines:
        answer = _send(settings, loaded, flags.url, outgoing)
    document = as_document(outgoing, answer, lines())
    echo(as_json(document) if flags.json else "\n".join(describe(document, answer)))
    return 0 if document["ok"] else 1


def _load(settings: Settings, optional: bool) -> tuple[Loaded | None, Plan | None]:
    try:
        loaded = load(settings.search_path, settings.module_name, settings.function_name)
        return loaded, compile_plan(loaded.function, str(loaded))
    except StartupError:
        if optional:  # a server elsewhere has the function
            return None, None
        raise


def _send(settings: Settings, loaded: Loaded | None, url: str | None, outgoing: Outgoing) -> Answer:
    if url is not None:
        return asyncio.run(ask_server(url, outgoing))
    logs.configure(
        settings.log_level,
        "text" if settings.log_format == "auto" else settings.log_format,
        debug=settings.debug,
        color=not settings.no_color,
    )
    return asyncio.run(ask(create_app(settings, loaded), outgoing))


@contextlib.contextmanager
def _captured(capture: bool) -> Iterator[Callable[[], list[str]]]:
    """Capture output and log lines, which are a member of the JSON; without it leave them alone."""
    if not capture:
        yield list
        return
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        yield lambda: output.getvalue().splitlines()
