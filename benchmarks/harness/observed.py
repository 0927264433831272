"""What it costs to be looked at: the access log, metrics and traces, one at a time, beside none."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from harness import environments, load, tools
from harness.cases import EVENT_ASYNC, Case
from harness.options import Options
from harness.results import Section
from harness.runtimes import PYFUNC

ENVIRONMENT = "pyfunc-observed"


def measure(options: Options) -> Section:
    """Samples as in `load`, in interleaved rounds."""
    tools.require("wrk")
    environments.prepare(options.cache, [ENVIRONMENT])
    with _collector() as traces:
        cases = (
            _case("nothing", {}),
            _case("access log", {"PYFUNC_ACCESS_LOG": "true"}),
            _case("metrics", {"PYFUNC_METRICS_PORT": "0"}),
            _case("traces", {"OTEL_EXPORTER_OTLP_ENDPOINT": traces}),
        )
        return load.rounds(cases, options)


def _case(name: str, variables: Mapping[str, str]) -> Case:
    runtime = replace(PYFUNC, environment=ENVIRONMENT, variables={**PYFUNC.variables, **variables})
    return replace(EVENT_ASYNC, name=f"observed: {name}", runtime=runtime)


class _Collector(BaseHTTPRequestHandler):
    """Takes spans and forgets them."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _collector() -> Iterator[str]:
    """The address of a collector, which runs on the clients' core."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
