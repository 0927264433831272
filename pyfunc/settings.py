"""Settings: the table of options, and their values from flags and environment variables.

To add an option, add a field to `Settings`, whose annotation states the type of its values, and a
row to the table below it. `--help` and the tables of the documentation are made from both. No other
module reads `os.environ`.
"""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from pyfunc.errors import SettingsError
from pyfunc.options import (
    ADDRESSES,
    COUNT,
    DIRECTORY,
    EVENT_TYPE,
    EXPORTERS,
    FUNCTION,
    HOST,
    LOG_FORMAT,
    LOG_LEVEL,
    MODULE,
    NUMBER,
    ORIGINS,
    PATHS,
    PORT,
    PRESENCE,
    PROTOCOL,
    RATE,
    REPLY_MODE,
    SECONDS,
    SIZE,
    SWITCH,
    URI,
    Address,
    Opt,
    Option,
    options_of,
)

__all__ = [
    "LIVENESS_PATHS",
    "OPTIONS",
    "READINESS_PATHS",
    "Address",
    "Option",
    "Settings",
    "export",
    "set_variable",
    "unknown_variables",
]

LIVENESS_PATHS = ("/healthz/live", "/health/liveness")
READINESS_PATHS = ("/healthz/ready", "/health/readiness")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The value of each option; times in seconds, sizes in bytes."""

    search_path: str = "."
    module_name: str = "func"
    function_name: str | None = None

    port: int = 8080
    host: str | None = None
    listen_address: tuple[Address, ...] = ()

    concurrency: int = 0
    queue: int = 0
    queue_timeout: float = 10.0
    threads: int = 40
    timeout: float = 300.0
    max_body: int = 64 << 20
    max_headers: int = 128
    max_head: int = 32 << 10
    read_timeout: float = 30.0
    keep_alive: float = 3630.0
    unready_when_full: bool = False
    cancel_on_disconnect: bool = False

    plain: bool = False
    workers: int = 1
    worker_timeout: float = 60.0
    startup_timeout: float = 120.0
    shutdown_timeout: float | None = None
    live_paths: tuple[str, ...] = LIVENESS_PATHS
    ready_paths: tuple[str, ...] = READINESS_PATHS
    probe_timeout: float = 1.0
    probe_cache: float = 1.0
    drain_delay: float | None = None
    drain_timeout: float = 25.0

    batch_concurrency: int = 10
    reply_mode: str = "auto"
    reply_type: str | None = None
    reply_source: str | None = None
    webhook_origins: tuple[str, ...] = ()
    webhook_rate: int = 0

    log_level: str = "info"
    log_format: str = "auto"
    access_log: bool = False
    no_color: bool = False
    debug: bool = False

    metrics_port: int | None = None
    metrics_types: int = 100
    traces_exporter: tuple[str, ...] = ()
    traces_protocol: str = "http/protobuf"

    @classmethod
    def resolve(
        cls, flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> "Settings":
        """Read the options from flags, else from environment variables, else use the defaults.

        Args:
            flags: The texts given on the command line, by field name.
            environ: The environment variables, by default those of the process.

        Raises:
            SettingsError: A value is invalid; the message lists all invalid ones.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        faults: list[str] = []
        for option, origin, text in _texts(flags or {}, environ):
            try:
                values[option.name] = option.kind.parse(text.strip())
            except ValueError:
                faults.append(f"{origin} is {text!r}: expected {option.kind.expected}")
        if faults:
            raise SettingsError("\n".join(faults))
        return cls(**{**_implied(environ), **values})

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses to listen on."""
        return self.listen_address or (Address(self.host, self.port),)


_TABLE: Mapping[str, Mapping[str, Opt]] = {
    "function": {
        "search_path": Opt(
            DIRECTORY,
            "directory that contains the module",
            flags=("-s", "--search-path", "--search_path"),
        ),
        "module_name": Opt(
            MODULE,
            "module that contains the function; may be dotted",
            variable="MODULE_NAME",
            flags=("-m", "--module-name", "--module_name"),
        ),
        "function_name": Opt(
            FUNCTION,
            "name of the function (default: main, or the module's only public function)",
            variable="FUNCTION_NAME",
            flags=("-f", "--function-name", "--function_name"),
        ),
    },
    "listening": {
        "port": Opt(
            PORT,
            "port to listen on; 0 for a free one",
            variable="PORT",
            flags=("-p", "--port"),
        ),
        "host": Opt(HOST, "interface to listen on (default: all, IPv4 and IPv6)", variable="HOST"),
        "listen_address": Opt(
            ADDRESSES,
            "addresses to listen on, instead of host and port",
            variable="LISTEN_ADDRESS",
        ),
    },
    "limits": {
        "concurrency": Opt(COUNT, "maximum number of concurrent invocations; 0 for no limit"),
        "queue": Opt(COUNT, "maximum number of invocations waiting while the limit is reached"),
        "queue_timeout": Opt(SECONDS, "maximum time an invocation waits for its turn"),
        "threads": Opt(NUMBER, "maximum number of threads for sync functions, started as needed"),
        "timeout": Opt(SECONDS, "time limit of an invocation; 0 for none"),
        "max_body": Opt(SIZE, "maximum size of a request body"),
        "max_headers": Opt(NUMBER, "maximum number of header fields in a request"),
        "max_head": Opt(SIZE, "maximum size of a request's head: its first line and its headers"),
        "read_timeout": Opt(
            SECONDS,
            "time limit for receiving the head of a request, and again for its body, which gets"
            " an extra second per 8 KiB; 0 for none",
        ),
        "keep_alive": Opt(
            SECONDS,
            "maximum idle time of a connection between requests; 0 closes it after the first"
            " response",
        ),
        "unready_when_full": Opt(SWITCH, "be unready while another invocation would be rejected"),
        "cancel_on_disconnect": Opt(SWITCH, "cancel an HTTP function when its client disconnects"),
    },
    "life": {
        "plain": Opt(SWITCH, "serve with aiohttp's public API only, without the fast path"),
        "workers": Opt(
            COUNT,
            "number of server processes, each with its own limits; 0 for one per CPU of the"
            " quota (more than one needs the extra `workers`)",
        ),
        "worker_timeout": Opt(
            SECONDS,
            "maximum time the event loop of one of several workers may be blocked before the"
            " worker is replaced; 0 for no limit",
        ),
        "startup_timeout": Opt(SECONDS, "time limit of on_startup; 0 for none"),
        "shutdown_timeout": Opt(
            SECONDS,
            "time limit of on_shutdown (default: what remains of drain-timeout, at least 2)",
        ),
        "live_paths": Opt(PATHS, "paths of the liveness probe"),
        "ready_paths": Opt(PATHS, "paths of the readiness probe"),
        "probe_timeout": Opt(SECONDS, "time limit of is_ready and is_alive; 0 for none"),
        "probe_cache": Opt(SECONDS, "how long to reuse results of is_ready and is_alive"),
        "drain_delay": Opt(
            SECONDS,
            "how long to accept new connections after SIGTERM (default: 2; 0 if K_SERVICE is"
            " set, and on SIGINT)",
        ),
        "drain_timeout": Opt(SECONDS, "time limit for invocations in flight to finish"),
    },
    "events": {
        "batch_concurrency": Opt(NUMBER, "maximum number of concurrent invocations per batch"),
        "reply_mode": Opt(REPLY_MODE, "content mode of reply events: auto, binary or structured"),
        "reply_type": Opt(
            EVENT_TYPE, "type of reply events without one (default: received type plus .reply)"
        ),
        "reply_source": Opt(URI, "source of reply events without one (default: /MODULE/FUNCTION)"),
        "webhook_origins": Opt(
            ORIGINS, "origins that may deliver by webhook, or *; others are rejected"
        ),
        "webhook_rate": Opt(
            RATE, "deliveries per minute that a webhook may make (default: *, no limit)"
        ),
    },
    "logs": {
        "log_level": Opt(LOG_LEVEL, "minimum severity of log records"),
        "log_format": Opt(
            LOG_FORMAT,
            "text, json (one object per line), or auto: text on a terminal, json elsewhere",
        ),
        "access_log": Opt(SWITCH, "log one line per invocation"),
        "no_color": Opt(
            PRESENCE,
            "log without colours; any value of the variable counts",
            variable="NO_COLOR",
        ),
        "debug": Opt(SWITCH, "include exception details in error responses; not for production"),
    },
    "telemetry": {
        "metrics_port": Opt(PORT, "port for Prometheus, not the function's (default: no metrics)"),
        "metrics_types": Opt(
            COUNT, "event types with a label of their own; all others count as other"
        ),
        "traces_exporter": Opt(
            EXPORTERS,
            "where to send traces: otlp, console or none (default: otlp if OTEL_* sets an"
            " endpoint)",
            variable="OTEL_TRACES_EXPORTER",
        ),
        "traces_protocol": Opt(
            PROTOCOL,
            "protocol for OTLP: http/protobuf or grpc",
            variable="OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
    },
}

OPTIONS: tuple[Option, ...] = options_of(Settings, _TABLE)


_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def _implied(environ: Mapping[str, str]) -> dict[str, Any]:
    """Defaults that follow from variables of the platform."""
    implied: dict[str, Any] = {}
    if environ.get("K_SERVICE"):
        implied["drain_delay"] = 0.0
    if any(environ.get(name) for name in _OTLP_ENDPOINTS):
        implied["traces_exporter"] = ("otlp",)
    if (protocol := environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")) is not None:
        implied["traces_protocol"] = protocol
    return implied


def _texts(flags: Mapping[str, str], environ: Mapping[str, str]) -> list[tuple[Option, str, str]]:
    """List the options that are set, with the flag or variable that sets each, and its text."""
    texts = []
    for option in OPTIONS:
        if option.name in flags:
            texts.append((option, option.long_flag, flags[option.name]))
        elif environ.get(option.variable) and not _overridden(option, flags):
            texts.append((option, option.variable, environ[option.variable]))
    return texts


def _overridden(option: Option, flags: Mapping[str, str]) -> bool:
    """`--port` and `--host` take precedence over `LISTEN_ADDRESS`."""
    return option.name == "listen_address" and ("port" in flags or "host" in flags)


def unknown_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """List the variables that begin as those of options do, and belong to none.

    Args:
        environ: The environment variables; those of the process by default.
    """
    known = {option.variable for option in OPTIONS}
    names = os.environ if environ is None else environ
    return sorted(name for name in names if name.startswith("PYFUNC_") and name not in known)


def export(flags: Mapping[str, str]) -> None:
    """Set the variables of options, so that processes started by this one use them.

    Args:
        flags: The texts given on the command line, by field name.
    """
    os.environ.update(
        {option.variable: flags[option.name] for option in OPTIONS if option.name in flags}
    )


def set_variable(name: str, value: str) -> None:
    """Set an environment variable for a library that reads it, and for child processes."""
    os.environ[name] = value
