"""OpenTelemetry traces, with a server span for each invocation; imported only if enabled.

Names and attributes follow OpenTelemetry's semantic conventions for FaaS spans, HTTP server spans
and CloudEvents. Exporters, sampling and the resource are configured by the standard `OTEL_*`
variables, which the SDK reads.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pyfunc.cloudevents.event import Event
from pyfunc.errors import SettingsError
from pyfunc.function.trace_context import TraceContext
from pyfunc.function.tracebacks import format_folded_traceback
from pyfunc.invoking.observers import Call, Observation
from pyfunc.invoking.user_code import text_of

__all__ = ["Traces", "flush_at_end", "provider_for"]

_FLUSH_TIMEOUT = 5.0  # seconds to wait for a collector when the process ends
_EXTENSION = TraceContextTextMapPropagator()
# HTTP spans, `http.request.method`: other methods would be labels without bound.
_METHODS = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
_CLOUDEVENT = {
    "cloudevents.event_id": "id",
    "cloudevents.event_source": "source",
    "cloudevents.event_type": "type",
    "cloudevents.event_spec_version": "specversion",
    "cloudevents.event_subject": "subject",
}


class Traces:
    """An observer that makes spans.

    Args:
        tracer: The tracer.
        name: The function's name, which the spans take.
        trigger: The cause of invocations, `http` or `pubsub` (`faas.trigger`).
    """

    def __init__(self, tracer: Tracer, name: str, trigger: str) -> None:
        self._tracer = tracer
        self._name = name
        self._trigger = trigger
        self._is_cold = True
        self._spans: dict[Call, Span] = {}

    def began(self, observation: Observation, call: Call) -> None:
        """Start the span of an invocation, and make it current for the function.

        It stays current until the task of the request ends, so that the work of a generator is
        part of it.
        """
        invocation = call.invocation
        parent, links = _ancestry(observation.request, invocation.events)
        attributes = {
            "faas.invocation_id": invocation.id,
            "faas.coldstart": self._is_cold,
            **_of_events(invocation.events),
        }
        self._is_cold = False
        first = len(observation.calls) == 1
        moment = observation.started if first else call.started
        span = self._start(observation, parent, links, attributes, moment)
        self._spans[call] = span
        attach(trace.set_span_in_context(span, parent))
        if span.get_span_context().is_valid:  # not where OTEL_SDK_DISABLED is set
            invocation.trace = _place(span)

    def ended(self, observation: Observation, call: Call) -> None:
        """Keep the span open: the status is unknown."""

    def answered(self, observation: Observation) -> None:
        """End the spans of the request."""
        for call in observation.calls:
            span = self._spans.pop(call)
            _finish(span, observation, call.outcome, call.error)
            span.end(observation.epoch(call.ended))
        if not observation.calls:  # refused: the trace shows nothing else of it
            parent, links = _ancestry(observation.request, ())
            span = self._start(observation, parent, links, {}, observation.started)
            _finish(span, observation, observation.outcome, observation.error)
            span.end(observation.epoch(observation.ended))

    def _start(
        self,
        observation: Observation,
        parent: Context,
        links: list[Link],
        attributes: Mapping[str, Any],
        moment: float,
    ) -> Span:
        return self._tracer.start_span(
            self._name,
            parent,
            SpanKind.SERVER,
            {"faas.trigger": self._trigger, **_of_request(observation.request), **attributes},
            links,
            observation.epoch(moment),
        )


def _ancestry(request: web.Request, events: Iterable[Event]) -> tuple[Context, list[Link]]:
    """The parent of a span, and its links.

    The parent comes from the headers, or else from the extension of a single event. The events of
    a batch, and an event whose trace the headers continue, are links.
    """
    parent = extract(request.headers, Context())
    starts = [_EXTENSION.extract(event.original, Context()) for event in events]
    if len(starts) == 1 and not _span_of(parent).is_valid:
        return starts[0], []
    span_ids = {_span_of(parent).span_id}
    links = []
    for start in map(_span_of, starts):
        if start.is_valid and start.span_id not in span_ids:
            span_ids.add(start.span_id)
            links.append(Link(start))
    return parent, links


def _span_of(context: Context) -> trace.SpanContext:
    return trace.get_current_span(context).get_span_context()


def _of_request(request: web.Request) -> dict[str, Any]:
    method = request.method if request.method in _METHODS else "_OTHER"
    attributes = {
        "http.request.method": method,
        "url.path": request.rel_url.raw_path,
        "url.scheme": request.scheme,
    }
    if (agent := request.headers.get("User-Agent")) is not None:
        attributes["user_agent.original"] = agent
    return attributes


def _of_events(events: Iterable[Event]) -> dict[str, Any]:
    batch = list(events)
    if len(batch) > 1:
        return {"messaging.batch.message_count": len(batch)}
    attributes = batch[0].original if batch else {}
    return {key: attributes[name] for key, name in _CLOUDEVENT.items() if name in attributes}


def _place(span: Span) -> TraceContext:
    """The trace context of a span, for logs and outgoing calls."""
    context = span.get_span_context()
    return TraceContext(
        trace.format_trace_id(context.trace_id),
        trace.format_span_id(context.span_id),
        f"{context.trace_flags:02x}",
        context.trace_state.to_header(),
    )


def _finish(
    span: Span, observation: Observation, outcome: str, error: BaseException | None
) -> None:
    """Record the outcome (HTTP spans, "Status": only 5xx are errors of a server)."""
    if not span.is_recording():
        return
    span.set_attribute("pyfunc.outcome", outcome)
    status = observation.status
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if outcome == "success" or (status is not None and status < 500 and outcome != "failed"):
        return
    span.set_attribute("error.type", type(error).__name__ if error else str(status or outcome))
    span.set_status(StatusCode.ERROR, outcome)
    if error is not None and outcome == "failed":
        # Not by `record_exception`, which raises what the exception's own `__str__` does.
        kind = type(error)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        span.add_event(
            "exception",
            {
                "exception.type": f"{module}{kind.__qualname__}",
                "exception.message": text_of(error, str),
                "exception.stacktrace": format_folded_traceback(error),
            },
        )


# --- set-up ---------------------------------------------------------------------------------------


def provider_for(exporters: Iterable[str], protocol: str, name: str) -> trace.TracerProvider | None:
    """Return the tracer provider that is set already, or make one from the variables.

    Args:
        exporters: Names of exporters as in OTEL_TRACES_EXPORTER; without any, none is made.
        protocol: The protocol of OTLP, `http/protobuf` or `grpc`.
        name: The function's name, for the resource.

    Raises:
        ModuleNotFoundError: The exporter is not installed.
        SettingsError: An exporter is unknown.
    """
    current = trace.get_tracer_provider()
    if not isinstance(current, trace.ProxyTracerProvider):
        return current  # of the user's module, or of `opentelemetry-instrument`
    if unknown := sorted(set(exporters) - _EXPORTERS.keys()):
        raise SettingsError(
            f"OTEL_TRACES_EXPORTER is {','.join(unknown)!r}: expected otlp, console or none"
        )
    pipelines = [_EXPORTERS[exporter](protocol) for exporter in exporters]
    if not pipelines:
        return None
    provider = TracerProvider(resource=_resource(name), shutdown_on_exit=False)
    for exporter in pipelines:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _instrument()
    return provider


def _resource(name: str) -> Resource:
    """The function, unless OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name something else."""
    own = Resource({"faas.name": name, "faas.instance": socket.gethostname()})
    resource = own.merge(Resource.create())
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: name}))
    return resource


def _otlp(protocol: str) -> SpanExporter:
    if protocol == "grpc":  # not in the extra: it brings a compiled library of 10 MB
        from opentelemetry.exporter.otlp.proto.grpc import (  # type: ignore[import-not-found,unused-ignore]
            trace_exporter as grpc,
        )

        exporter: SpanExporter = grpc.OTLPSpanExporter()
        return exporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # the console needs none
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


_EXPORTERS: Mapping[str, Callable[[str], SpanExporter]] = {
    "otlp": _otlp,
    "console": lambda protocol: ConsoleSpanExporter(),
}


def _instrument() -> None:
    """Make outgoing calls of the function children of its span, if the packages are installed."""
    with suppress(ModuleNotFoundError):
        from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor

        AioHttpClientInstrumentor().instrument()
    with suppress(ModuleNotFoundError):
        # No extra brings it: it and the one above pin one version of a third package, and are not
        # always released together; pip then finds no pair.
        from opentelemetry.instrumentation.requests import (  # type: ignore[import-not-found,unused-ignore]
            RequestsInstrumentor,
        )

        RequestsInstrumentor().instrument()


def flush_at_end(
    provider: trace.TracerProvider,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Send the remaining spans when the app ends, for `cleanup_ctx`; for a few seconds at most."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        yield
        flush = getattr(provider, "force_flush", None)
        if flush is None:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush_all() -> None:
            flush()
            with suppress(RuntimeError):  # the wait has ended
                loop.call_soon_threadsafe(done.set)

        # A daemon: a collector that does not answer must not keep the process from ending.
        threading.Thread(target=flush_all, name="pyfunc-flush", daemon=True).start()
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _FLUSH_TIMEOUT)

    return context
