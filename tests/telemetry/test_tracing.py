"""Spans, as a collector gets them."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.events import EVENT, EXTENSION, HEADER, TRACE
from tests.support.serving import Served, environment

BATCH = "application/cloudevents-batch+json"


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, Any]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource_spans in request.resource_spans:
            self.resources.append(attributes(resource_spans.resource.attributes))
            for scope_spans in resource_spans.scope_spans:
                self.spans += scope_spans.spans

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def of_server(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]


def value(any_value: AnyValue) -> Any:
    return getattr(any_value, any_value.WhichOneof("value") or "string_value")


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: value(pair.value) for pair in pairs}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


class Traced(Served):
    """A function whose spans go to a collector; all are there when the block is left."""

    def __init__(
        self, directory: Path, source: str, collector: Collector, *arguments: str, **env: str
    ) -> None:
        (directory / "func.py").write_text(dedent(source))
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **env}
        super().__init__(directory, *arguments, env=variables)

    async def post(self, headers: dict[str, str], data: bytes | None = None) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/a?b=c", headers=headers, data=data) as response,
        ):
            return response.status, response.headers.copy(), await response.read()


EVENTS = """
    import logging

    def main(event):
        logging.info("seen")
        if event["id"] == "bad":
            raise ValueError("no good")
        return {"type": "reply"}, "done"
"""


async def test_an_event_is_a_span_of_the_conventions(tmp_path: Path, collector: Collector) -> None:
    with Traced(tmp_path, EVENTS, collector) as traced:
        status, headers, _ = await traced.post({**EVENT, "ce-subject": "x", "traceparent": HEADER})
        assert status == 200
        traced.terminate()
    (span,) = collector.spans
    assert span.name == "func.main"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, "00f067aa0ba902b7")
    assert (
        attributes(span.attributes).items()
        >= {
            "faas.trigger": "pubsub",
            "faas.coldstart": True,
            "faas.invocation_id": headers["X-Request-Id"],
            "cloudevents.event_id": "1",
            "cloudevents.event_source": "/s",
            "cloudevents.event_type": "t",
            "cloudevents.event_spec_version": "1.0",
            "cloudevents.event_subject": "x",
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "url.path": "/a",
            "url.scheme": "http",
            "pyfunc.outcome": "success",
        }.items()
    )
    assert span.status.code == 0
    assert 0 < span.start_time_unix_nano < span.end_time_unix_nano
    assert collector.resources[0]["faas.name"] == "func.main"
    assert collector.resources[0]["service.name"] == "func.main"
    # The reply continues the trace from the span, and the log names it.
    assert headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert headers["ce-traceparent"] == headers["traceparent"]
    (seen,) = [json.loads(line) for line in traced.log if '"seen"' in line]
    assert (seen["trace_id"], seen["span_id"]) == (TRACE, span.span_id.hex())


async def test_an_event_continues_the_trace_of_its_extension(
    tmp_path: Path, collector: Collector
) -> None:
    with Traced(tmp_path, EVENTS, collector) as traced:
        await traced.post({**EVENT, "ce-traceparent": EXTENSION})
        await traced.post({**EVENT, "ce-traceparent": EXTENSION, "traceparent": HEADER})
        traced.terminate()
    alone, hop = collector.spans
    assert (alone.trace_id.hex(), alone.parent_span_id.hex()) == ("1" * 32, "2" * 16)
    assert not alone.links
    assert hop.trace_id.hex() == TRACE
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in hop.links] == [
        ("1" * 32, "2" * 16)
    ]


async def test_an_error_is_recorded(tmp_path: Path, collector: Collector) -> None:
    with Traced(tmp_path, EVENTS, collector) as traced:
        await traced.post({**EVENT, "ce-id": "bad"})
        traced.terminate()
    (span,) = collector.spans
    assert span.status.code == 2
    told = attributes(span.attributes)
    assert told["error.type"] == "ValueError"
    assert told["http.response.status_code"] == 500
    assert told["pyfunc.outcome"] == "failed"
    (event,) = span.events
    exception = attributes(event.attributes)
    assert (exception["exception.type"], exception["exception.message"]) == (
        "ValueError",
        "no good",
    )
    assert "func.py" in exception["exception.stacktrace"]
    assert "invoker.py" not in exception["exception.stacktrace"]


async def test_an_error_that_has_no_text_is_recorded(tmp_path: Path, collector: Collector) -> None:
    source = """
class Odd(Exception):
    def __str__(self):
        raise SystemExit(3)

def main(event):
    raise Odd
"""
    with Traced(tmp_path, source, collector) as traced:
        await traced.post(EVENT)
        traced.terminate()
    (span,) = collector.spans
    (event,) = span.events
    exception = attributes(event.attributes)
    assert exception["exception.type"] == "func.Odd"
    assert "SystemExit" in exception["exception.message"]


async def test_a_refused_request_is_a_span(tmp_path: Path, collector: Collector) -> None:
    with Traced(tmp_path, EVENTS, collector) as traced:
        await traced.post({**EVENT, "ce-id": "", "traceparent": HEADER})
        traced.terminate()
    (span,) = collector.spans
    assert span.trace_id.hex() == TRACE
    told = attributes(span.attributes)
    assert (told["http.response.status_code"], told["pyfunc.outcome"]) == (400, "invalid")
    assert span.status.code == 0


def batch(*parents: str) -> bytes:
    return json.dumps(
        [
            {
                "specversion": "1.0",
                "id": str(number),
                "source": "/s",
                "type": "t",
                "traceparent": f"00-{parent * 32}-{parent * 16}-01",
            }
            for number, parent in enumerate(parents)
        ]
    ).encode()


async def test_a_batch_is_a_span_with_links(tmp_path: Path, collector: Collector) -> None:
    function = "def main(events): ..."
    with Traced(tmp_path, function, collector) as traced:
        sent = {"Content-Type": BATCH, "traceparent": HEADER}
        await traced.post(sent, batch("1", "2"))
        traced.terminate()
    (span,) = collector.spans
    assert span.trace_id.hex() == TRACE
    assert [link.trace_id.hex() for link in span.links] == ["1" * 32, "2" * 32]
    assert attributes(span.attributes)["messaging.batch.message_count"] == 2


async def test_each_event_of_a_batch_is_a_span_where_each_is_an_invocation(
    tmp_path: Path, collector: Collector
) -> None:
    with Traced(tmp_path, EVENTS, collector) as traced:
        await traced.post({"Content-Type": BATCH}, batch("1", "2"))
        traced.terminate()
    ids = {attributes(span.attributes)["cloudevents.event_id"]: span for span in collector.spans}
    assert [ids[name].trace_id.hex() for name in "01"] == ["1" * 32, "2" * 32]


async def test_outgoing_calls_are_children(tmp_path: Path, collector: Collector) -> None:
    function = f"""
        import aiohttp, requests
        requests_url = "{collector.url}/v1/traces"

        async def streams():
            async with aiohttp.ClientSession() as session:
                async with session.post(requests_url, data=b"") as response:
                    yield str(response.status)

        async def main(query, context):
            if query.get("b") == "c":
                return streams()
    """
    with Traced(tmp_path, function, collector) as traced:
        status, _, _ = await traced.post({})
        assert status == 200
        traced.terminate()
    (server,) = collector.of_server
    (client,) = [span for span in collector.spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert client.trace_id == server.trace_id
    assert client.parent_span_id == server.span_id


async def test_outgoing_calls_in_a_thread_are_children(
    tmp_path: Path, collector: Collector
) -> None:
    function = f"""
        import requests

        def main(query):
            return requests.post("{collector.url}/v1/traces", data=b"", timeout=20).status_code
    """
    with Traced(tmp_path, function, collector) as traced:
        await traced.post({})
        traced.terminate()
    (server,) = collector.of_server
    (client,) = [span for span in collector.spans if span.kind == Span.SPAN_KIND_CLIENT]
    assert client.parent_span_id == server.span_id


async def test_standard_variables_say_what_the_service_is_called(
    tmp_path: Path, collector: Collector
) -> None:
    env = {
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "faas.name=orders,deployment.environment=test",
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    with Traced(tmp_path, EVENTS, collector, **env) as traced:
        await traced.post(EVENT)
        traced.terminate()
    (resource,) = collector.resources
    assert resource["service.name"] == "shop"
    assert resource["faas.name"] == "orders"
    assert resource["deployment.environment"] == "test"


async def test_a_trace_that_is_not_sampled_is_not_sent(
    tmp_path: Path, collector: Collector
) -> None:
    with Traced(tmp_path, EVENTS, collector) as traced:
        _, headers, _ = await traced.post({**EVENT, "traceparent": f"{HEADER[:-2]}00"})
        traced.terminate()
    assert collector.spans == []
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith("-00")


async def test_a_provider_of_the_users_module_is_taken(
    tmp_path: Path, collector: Collector
) -> None:
    function = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

        provider = TracerProvider()
        exporter = ConsoleSpanExporter(out=open("spans", "w"))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)

        def main(query): ...
    """
    (tmp_path / "func.py").write_text(dedent(function))
    with Served(tmp_path) as served:
        async with aiohttp.ClientSession() as session, session.get(served.url) as response:
            assert response.status == 204
        served.terminate()
    span = json.loads((tmp_path / "spans").read_text())
    assert span["name"] == "func.main"


async def test_a_collector_that_is_not_there_costs_spans_only(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(query): ...")
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    with Served(tmp_path, env=variables) as served:
        async with aiohttp.ClientSession() as session, session.get(served.url) as response:
            assert response.status == 204
        assert served.terminate() == 0


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="nothing set"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "none"}, id="none"
        ),
    ],
)
def test_nothing_of_opentelemetry_is_loaded_unless_configured(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    (tmp_path / "func.py").write_text("def main(): ...")
    code = "import sys; from pyfunc.app import create_app; create_app(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = run.stdout.split()
    assert "pyfunc.telemetry.setup" in loaded
    assert not [name for name in loaded if name.startswith("opentelemetry")]
    assert "pyfunc.telemetry.tracing" not in loaded


def test_an_exporter_that_is_unknown_is_told(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(): ...")
    run = subprocess.run(
        [sys.executable, "-m", "pyfunc", "start", "--port", "0"],
        cwd=tmp_path,
        env=environment({"OTEL_TRACES_EXPORTER": "smoke"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "OTEL_TRACES_EXPORTER is 'smoke': expected otlp, console or none" in run.stderr
