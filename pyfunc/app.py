"""`create_app`: the application that serves one function, as a list of middlewares."""

from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web

from pyfunc.function.loader import Loaded, load
from pyfunc.function.signature import compile_plan
from pyfunc.function.sources import SOURCES, Source
from pyfunc.invoking.admission import Admission
from pyfunc.invoking.batches import Batches
from pyfunc.invoking.hooks import Hooks
from pyfunc.invoking.invoker import Invoker
from pyfunc.invoking.observers import observing
from pyfunc.invoking.replies import EventReplies
from pyfunc.invoking.threads import Threads
from pyfunc.invoking.wire import PLAIN, Wire
from pyfunc.lifecycle import LIFECYCLE, TAKES_EVENTS, Lifecycle
from pyfunc.middlewares.admission import admission
from pyfunc.middlewares.cloudevents import cloudevents
from pyfunc.middlewares.failures import failure, failures
from pyfunc.middlewares.probes import Probes
from pyfunc.middlewares.response_headers import add_response_headers
from pyfunc.middlewares.webhook import Webhook
from pyfunc.request.flask import flask_bridge
from pyfunc.server.sharing import Shared
from pyfunc.settings import Settings
from pyfunc.telemetry.setup import telemetry_for

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None,
    loaded: Loaded | None = None,
    sources: tuple[Source, ...] = SOURCES,
    shared: Shared | None = None,
    wire: Wire = PLAIN,
) -> web.Application:
    """Make an application that serves one function.

    Args:
        settings: The options; read from the environment by default.
        loaded: The function; loaded as the settings say by default.
        sources: The table of what the function may ask for.
        shared: What the processes of one function share, where there are several.
        wire: Reads bodies and makes responses; by aiohttp's public API by default.

    Raises:
        StartupError: The function cannot be served; the message says why.
    """
    settings = settings or Settings.resolve()
    loaded = loaded or load(settings.search_path, settings.module_name, settings.function_name)
    name = str(loaded)
    plan = compile_plan(loaded.function, name, sources)
    lifecycle = Lifecycle(
        settings.shutdown_timeout or settings.drain_timeout,
        closes_connections=not settings.keep_alive,
    )
    hooks = Hooks(loaded.hooks, settings)
    threads = Threads(settings.threads, "pyfunc")
    places = Admission(settings.concurrency, settings.queue, settings.queue_timeout)
    gauges = _gauges(lifecycle, places, threads)
    telemetry = telemetry_for(settings, name, plan.takes_events, lifecycle, gauges, shared)
    observers = telemetry.observers
    replies = EventReplies(
        settings.reply_mode,
        settings.reply_type,
        settings.reply_source or f"/{loaded.module_name}/{loaded.function_name}",
        wire.response,
    )
    batches = Batches(
        replies,
        settings.batch_concurrency,
        places,
        partial(failure, name=name, debug=settings.debug),
    )
    flask = flask_bridge(loaded.function, loaded.module_name)
    invoker = Invoker(
        loaded.function, plan, wire, replies, threads, settings.timeout, batches, flask, observers
    )
    probes = Probes(lifecycle, hooks, places, settings)
    webhook = Webhook(settings.webhook_origins, settings.webhook_rate)

    app = web.Application(
        middlewares=[
            probes.middleware(),
            *([observing(observers)] if observers else []),
            failures(name, settings.debug),
            admission(
                lifecycle,
                places,
                settings.max_body,
                reads_body=invoker.reads_body,
                is_observed=bool(observers),
            ),
            *([webhook.middleware()] if webhook.origins else []),
            *([cloudevents(wire.read_body)] if plan.takes_events else []),
        ],
        client_max_size=settings.max_body,
    )
    handler = invoker.handle_events if plan.takes_events else invoker.handle_http
    app.router.add_route("*", "/{path:.*}", handler, expect_handler=_expect_later)
    app[LIFECYCLE] = lifecycle
    app[TAKES_EVENTS] = plan.takes_events
    app.on_response_prepare.append(add_response_headers)
    app.on_startup.append(probes.mount)
    app.on_shutdown.append(lifecycle.shut_down)
    app.cleanup_ctx.extend(
        [webhook.context, hooks.context(lifecycle, threads), *telemetry.contexts]
    )
    return app


async def _expect_later(_: web.Request) -> None:
    """Leave `Expect: 100-continue` to the admission, before which aiohttp would answer it."""


def _gauges(
    lifecycle: Lifecycle, places: Admission, threads: Threads
) -> Mapping[str, Callable[[], float]]:
    return {
        "pyfunc_invocations_in_flight": lambda: lifecycle.in_flight - places.waiting,
        "pyfunc_queue_length": lambda: places.waiting,
        "pyfunc_pool_threads": lambda: threads.limit,
        "pyfunc_pool_threads_busy": lambda: threads.busy,
    }
