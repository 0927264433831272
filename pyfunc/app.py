"""`create_app`: the one place that lists middlewares, routes and contexts."""

from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web

from pyfunc.fastpath.late_imports import settle_client
from pyfunc.fastpath.response import name_response
from pyfunc.fastpath.route import AnyPath
from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import compile_plan
from pyfunc.function.sources import SOURCES, Source
from pyfunc.invoking.admission import Admission
from pyfunc.invoking.batches import Batches
from pyfunc.invoking.hooks import Hooks
from pyfunc.invoking.invoker import Invoker
from pyfunc.invoking.observers import observed
from pyfunc.invoking.replies import EventReplies
from pyfunc.invoking.threads import Threads
from pyfunc.lifecycle import Lifecycle
from pyfunc.middlewares.arrival import arrival_middleware
from pyfunc.middlewares.failures import (
    errors_middleware,
    events_handler,
    failure,
)
from pyfunc.middlewares.probes import Probes
from pyfunc.middlewares.webhook import Webhook
from pyfunc.request.flask import FlaskBridge, flask_is_loaded, mentions_flask
from pyfunc.server.sharing import Shared
from pyfunc.settings import Settings
from pyfunc.telemetry.setup import telemetry_for

__all__ = ["LIFECYCLE", "TAKES_EVENTS", "create_app"]

LIFECYCLE: web.AppKey[Lifecycle] = web.AppKey("lifecycle", Lifecycle)
TAKES_EVENTS: web.AppKey[bool] = web.AppKey("takes_events", bool)


def create_app(
    settings: Settings | None = None,
    loaded: Loaded | None = None,
    sources: tuple[Source, ...] = SOURCES,
    shared: Shared | None = None,
) -> web.Application:
    """An application that serves one function.

    Args:
        settings: The options; read from the environment where they are not given.
        loaded: The function; found as the settings say where it is not given.
        sources: What the function may ask for.
        shared: Where this is one process of several, what they share.

    Raises:
        StartupError: The function cannot be served; the message says why.
    """
    settings = settings or Settings.resolve()
    loaded = loaded or load(settings.search_path, settings.module_name, settings.function_name)
    settle_client()
    plan = compile_plan(loaded.function, str(loaded), sources)
    lifecycle = Lifecycle(settings.shutdown_timeout or settings.drain_timeout)
    hooks = Hooks(loaded.hooks, settings)
    threads = Threads(settings.threads, "pyfunc")
    replies = EventReplies(
        settings.reply_mode,
        settings.reply_type,
        settings.reply_source or f"/{loaded.module_name}/{loaded.function_name}",
    )
    admission = Admission(settings.concurrency, settings.queue, settings.queue_timeout)
    telemetry = telemetry_for(
        settings,
        str(loaded),
        plan.takes_events,
        lifecycle,
        _readings(lifecycle, admission, threads),
        shared,
    )
    failed = partial(failure, name=str(loaded), debug=settings.debug)
    batches = Batches(replies, settings.batch_concurrency, admission, failed)
    invoker = Invoker(
        loaded.function,
        plan,
        replies,
        threads,
        settings.timeout,
        batches,
        _flask(loaded),
        telemetry.observers,
    )
    webhook = _webhook(settings)

    reads_body = plan.takes_events or invoker.reads_body
    handler = events_handler(invoker.deliver) if plan.takes_events else invoker.handle_http
    middlewares = (
        Probes(lifecycle, hooks, admission, settings).middleware(),
        *observed(
            telemetry.observers,
            errors_middleware(str(loaded), settings.debug),
            arrival_middleware(lifecycle, admission, settings.max_body, reads_body=reads_body),
        ),
        *([webhook.middleware()] if webhook else []),
    )

    app = web.Application(client_max_size=settings.max_body)
    app[LIFECYCLE] = lifecycle
    app[TAKES_EVENTS] = plan.takes_events
    app.on_response_prepare.append(name_response)
    app.router.register_resource(AnyPath(handler, middlewares, name_response))
    if webhook is not None:
        app.cleanup_ctx.append(webhook.context)
    app.cleanup_ctx.append(hooks.context(lifecycle, threads))
    app.cleanup_ctx.extend(telemetry.contexts)
    return app


def _webhook(settings: Settings) -> Webhook | None:
    if not settings.webhook_origins:
        return None
    return Webhook(settings.webhook_origins, settings.webhook_rate)


def _flask(loaded: Loaded) -> FlaskBridge | None:
    """What `flask.request` and its like need, for functions that know Flask."""
    code = getattr(loaded.function, "__code__", None)
    if not flask_is_loaded() and (code is None or not mentions_flask(code)):
        return None
    try:
        return FlaskBridge(loaded.module_name)
    except ModuleNotFoundError:
        return None  # named and not installed: the function's own `import flask` will say so


def _readings(
    lifecycle: Lifecycle, admission: Admission, threads: Threads
) -> Mapping[str, Callable[[], float]]:
    """What metrics tell of this app, where there are metrics."""
    return {
        "pyfunc_invocations_in_flight": lambda: lifecycle.in_flight - admission.waiting,
        "pyfunc_queue_length": lambda: admission.waiting,
        "pyfunc_pool_threads": lambda: threads.limit,
        "pyfunc_pool_threads_busy": lambda: threads.busy,
    }
