"""The options: one frozen class whose fields are the table.

A field says its name, default, flag, environment variable and help text; the command line, the
reading of the environment and the README's table come from that. This is the only room that reads
`os.environ`. A flag wins over its variable.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from pyfunc.errors import SettingsError

__all__ = [
    "LIVENESS_PATHS",
    "OPTIONS",
    "READINESS_PATHS",
    "Address",
    "Option",
    "Settings",
    "export",
]


class Address(msgspec.Struct, frozen=True):
    """Where to listen; a `host` of `None` means every interface, IPv4 and IPv6."""

    host: str | None
    port: int

    def __str__(self) -> str:
        host = "*" if self.host is None else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class Option(msgspec.Struct, frozen=True):
    """One row: how a field of `Settings` is named, read and explained."""

    name: str
    default: Any
    parse: Callable[[str], Any]
    expected: str
    variable: str
    flags: tuple[str, ...]
    metavar: str
    help: str
    group: str

    @property
    def is_switch(self) -> bool:
        """Whether the flag stands alone, without a value."""
        return self.parse in (_switch, _presence)

    @property
    def long_flag(self) -> str:
        """How the flag is called in messages."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def shown_default(self) -> str:
        """The default as it would be given; empty where that cannot be."""
        text = _written(self.default)
        try:
            return text if self.parse(text) == self.default else ""
        except ValueError:
            return ""


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def _address(text: str) -> Address:
    host, colon, port = text.strip().rpartition(":")
    if not colon or (host.count(":") and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(text)
    return Address(None if host in ("", "*") else _host(host), _port(port))


def _addresses(text: str) -> tuple[Address, ...]:
    addresses = tuple(_address(part) for part in text.split(",") if part.strip())
    if not addresses:
        raise ValueError(text)
    return addresses


def _host(text: str) -> str:
    return text.strip("[]")


_SWITCHES: Mapping[str, bool] = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise ValueError(text)
    return _SWITCHES[text.lower()]


def _presence(text: str) -> bool:
    """What is set to anything counts, as https://no-color.org has it."""
    return bool(text)


def _seconds(text: str) -> float:
    seconds = float(text.removesuffix("s"))
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _positive(text: str) -> int:
    if (count := _count(text)) == 0:
        raise ValueError(text)
    return count


_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def _size(text: str) -> int:
    digits = text.rstrip("kKmMgGiI")
    unit = text[len(digits) :].lower()
    if unit not in _UNITS:
        raise ValueError(text)
    return _positive(digits) * _UNITS[unit]


LIVENESS_PATHS = ("/healthz/live", "/health/liveness")
READINESS_PATHS = ("/healthz/ready", "/health/readiness")


def _paths(text: str) -> tuple[str, ...]:
    paths = tuple(part.strip() for part in text.split(",") if part.strip())
    if not paths or not all(path.startswith("/") for path in paths):
        raise ValueError(text)
    return paths


def _text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or any(set(name) & set(" /:") for name in names):
        raise ValueError(text)
    return names


def _rate(text: str) -> int:
    return 0 if text == "*" else _positive(text)


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return parse


_rows: list[dict[str, Any]] = []  # of the fields of `Settings`, in their order


def _option(
    default: Any,
    parse: Callable[[str], Any],
    expected: str,
    help: str,
    *,
    group: str,
    variable: str = "",
    flags: tuple[str, ...] = (),
    metavar: str = "",
) -> Any:
    """Describe the field that stands here; its default."""
    row = {
        "parse": parse,
        "expected": expected,
        "help": help,
        "group": group,
        "variable": variable,
        "flags": flags,
        "metavar": metavar,
    }
    _rows.append(row)
    return default


def _exporters(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    return () if "none" in names else names


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen, once and for the life of an app; times in seconds, sizes in bytes."""

    search_path: str = _option(
        ".",
        _text,
        "a directory",
        "directory in which the module is found",
        group="function",
        flags=("-s", "--search-path", "--search_path"),
        metavar="DIR",
    )
    module_name: str = _option(
        "func",
        _text,
        "a module name",
        "module that holds the function; dots are allowed",
        group="function",
        variable="MODULE_NAME",
        flags=("-m", "--module-name", "--module_name"),
        metavar="NAME",
    )
    function_name: str | None = _option(
        None,
        _text,
        "a function name",
        "the function (default: main, or the module's only public function)",
        group="function",
        variable="FUNCTION_NAME",
        flags=("-f", "--function-name", "--function_name"),
        metavar="NAME",
    )
    port: int = _option(
        8080,
        _port,
        "a port number from 0 to 65535",
        "port to listen on; 0 takes a free one",
        group="listening",
        variable="PORT",
        flags=("-p", "--port"),
        metavar="PORT",
    )
    host: str | None = _option(
        None,
        _host,
        "a host name or address",
        "interface to listen on (default: all, IPv4 and IPv6)",
        group="listening",
        variable="HOST",
        flags=("--host",),
        metavar="HOST",
    )
    listen_address: tuple[Address, ...] = _option(
        (),
        _addresses,
        "HOST:PORT pairs separated by commas, such as [::]:8080,0.0.0.0:8080",
        "addresses to listen on, in place of host and port",
        group="listening",
        variable="LISTEN_ADDRESS",
        metavar="LIST",
    )
    concurrency: int = _option(
        0,
        _count,
        "a number from 0 up",
        "invocations at a time; 0 sets no limit",
        group="limits",
        metavar="N",
    )
    queue: int = _option(
        0,
        _count,
        "a number from 0 up",
        "invocations that may wait for their turn when the limit is reached",
        group="limits",
        metavar="N",
    )
    queue_timeout: float = _option(
        10.0,
        _seconds,
        "a number of seconds",
        "how long an invocation may wait for its turn",
        group="limits",
        metavar="SECONDS",
    )
    threads: int = _option(
        40,
        _positive,
        "a number from 1 up",
        "threads for sync functions, created as needed",
        group="limits",
        metavar="N",
    )
    timeout: float = _option(
        300.0,
        _seconds,
        "a number of seconds",
        "time limit of an invocation; 0 sets none",
        group="limits",
        metavar="SECONDS",
    )
    max_body: int = _option(
        64 << 20,
        _size,
        "a number of bytes, such as 1048576 or 64Mi",
        "largest request body",
        group="limits",
        metavar="BYTES",
    )
    max_headers: int = _option(
        128,
        _positive,
        "a number from 1 up",
        "most header fields of a request",
        group="limits",
        metavar="N",
    )
    max_head: int = _option(
        32 << 10,
        _size,
        "a number of bytes, such as 16384 or 16Ki",
        "largest head of a request: its first line and its headers",
        group="limits",
        metavar="BYTES",
    )
    read_timeout: float = _option(
        30.0,
        _seconds,
        "a number of seconds",
        "how long the head of a request, and then its body, may take to arrive; a body gets a"
        " second more for every 8 KiB of it; 0 sets no limit",
        group="limits",
        metavar="SECONDS",
    )
    keep_alive: float = _option(
        3630.0,
        _seconds,
        "a number of seconds",
        "how long a connection may be idle between requests; 0 ends each with its first answer",
        group="limits",
        metavar="SECONDS",
    )
    unready_when_full: bool = _option(
        False,
        _switch,
        "true or false",
        "be unready while the next invocation would be refused",
        group="limits",
    )
    cancel_on_disconnect: bool = _option(
        False,
        _switch,
        "true or false",
        "cancel the invocation of an HTTP function whose client has gone away",
        group="limits",
    )
    plain: bool = _option(
        False,
        _switch,
        "true or false",
        "serve with aiohttp's public API only, without the fast path",
        group="life",
    )
    workers: int = _option(
        1,
        _count,
        "a number from 0 up",
        "processes that serve, each with these limits of its own; 0: one for each CPU of the quota"
        " (needs the extra `workers` where there is more than one)",
        group="life",
        metavar="N",
    )
    worker_timeout: float = _option(
        60.0,
        _seconds,
        "a number of seconds",
        "how long the loop of one of several workers may stand still before it is replaced; 0 sets"
        " no limit",
        group="life",
        metavar="SECONDS",
    )
    startup_timeout: float = _option(
        120.0,
        _seconds,
        "a number of seconds",
        "time limit of on_startup; 0 sets none",
        group="life",
        metavar="SECONDS",
    )
    shutdown_timeout: float | None = _option(
        None,
        _seconds,
        "a number of seconds",
        "time limit of on_shutdown (default: what the drain left of its own, 2 at least)",
        group="life",
        metavar="SECONDS",
    )
    live_paths: tuple[str, ...] = _option(
        LIVENESS_PATHS,
        _paths,
        "paths separated by commas, such as /livez,/alive",
        "paths of the liveness probe",
        group="life",
        metavar="LIST",
    )
    ready_paths: tuple[str, ...] = _option(
        READINESS_PATHS,
        _paths,
        "paths separated by commas, such as /readyz",
        "paths of the readiness probe",
        group="life",
        metavar="LIST",
    )
    probe_timeout: float = _option(
        1.0,
        _seconds,
        "a number of seconds",
        "how long is_ready and is_alive may take; 0 sets no limit",
        group="life",
        metavar="SECONDS",
    )
    probe_cache: float = _option(
        1.0,
        _seconds,
        "a number of seconds",
        "how long the results of is_ready and is_alive are used again",
        group="life",
        metavar="SECONDS",
    )
    drain_delay: float | None = _option(
        None,
        _seconds,
        "a number of seconds",
        "after SIGTERM, how long new connections are still taken"
        " (default: 2; 0 where K_SERVICE is set, and on SIGINT)",
        group="life",
        metavar="SECONDS",
    )
    drain_timeout: float = _option(
        25.0,
        _seconds,
        "a number of seconds",
        "how long invocations in flight may take to finish",
        group="life",
        metavar="SECONDS",
    )
    batch_concurrency: int = _option(
        10,
        _positive,
        "a number from 1 up",
        "invocations at a time for the events of one batch",
        group="events",
        metavar="N",
    )
    reply_mode: str = _option(
        "auto",
        _one_of("auto", "binary", "structured"),
        "auto, binary or structured",
        "content mode of reply events: auto, binary or structured",
        group="events",
        metavar="MODE",
    )
    reply_type: str | None = _option(
        None,
        _text,
        "an event type",
        "type of reply events that name none (default: the received type with .reply)",
        group="events",
        metavar="TYPE",
    )
    reply_source: str | None = _option(
        None,
        _text,
        "a URI reference",
        "source of reply events that name none (default: /MODULE/FUNCTION)",
        group="events",
        metavar="URI",
    )
    webhook_origins: tuple[str, ...] = _option(
        (),
        _names,
        "DNS names separated by commas, or *",
        "origins whose web hook handshake is agreed to, others being refused; * for any",
        group="events",
        metavar="LIST",
    )
    webhook_rate: int = _option(
        0,
        _rate,
        "a number of deliveries a minute, or *",
        "deliveries a minute that the handshake allows (default: *, any number)",
        group="events",
        metavar="N",
    )
    log_level: str = _option(
        "info",
        _one_of("debug", "info", "warning", "error", "critical"),
        "debug, info, warning, error or critical",
        "least severity that is logged",
        group="logs",
        metavar="LEVEL",
    )
    log_format: str = _option(
        "auto",
        _one_of("auto", "text", "json"),
        "auto, text or json",
        "form of the log: text, json (one object a line), or auto: text on a terminal, else json",
        group="logs",
        metavar="FORMAT",
    )
    access_log: bool = _option(
        False,
        _switch,
        "true or false",
        "log one line for each invocation",
        group="logs",
    )
    no_color: bool = _option(
        False,
        _presence,
        "any text",
        "no colours in the log; any value of the variable says so",
        group="logs",
        variable="NO_COLOR",
    )
    debug: bool = _option(
        False,
        _switch,
        "true or false",
        "tell callers what went wrong in full; not for production",
        group="logs",
    )

    metrics_port: int | None = _option(
        None,
        _port,
        "a port number from 0 to 65535",
        "port for Prometheus, other than the function's (default: no metrics)",
        group="telemetry",
        metavar="PORT",
    )
    metrics_types: int = _option(
        100,
        _count,
        "a number from 0 up",
        "event types that metrics tell apart; the rest is counted as other",
        group="telemetry",
        metavar="N",
    )

    traces_exporter: tuple[str, ...] = _option(
        (),
        _exporters,
        "otlp, console or none, or several separated by commas",
        "where traces go: otlp, console, none (default: otlp where OTEL_* names an endpoint)",
        group="telemetry",
        variable="OTEL_TRACES_EXPORTER",
        metavar="NAMES",
    )
    traces_protocol: str = _option(
        "http/protobuf",
        _one_of("http/protobuf", "grpc"),
        "http/protobuf or grpc",
        "how OTLP is sent: http/protobuf or grpc",
        group="telemetry",
        variable="OTEL_EXPORTER_OTLP_PROTOCOL",
        metavar="NAME",
    )

    @classmethod
    def resolve(
        cls, flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> "Settings":
        """Settings from flags, then variables, then defaults.

        Args:
            flags: Field names to the text given on the command line.
            environ: The environment; that of the process where it is not given.

        Raises:
            SettingsError: At least one value cannot be used; every such value is told.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        faults: list[str] = []
        for option, origin, text in _chosen(flags or {}, environ):
            try:
                values[option.name] = option.parse(text.strip())
            except ValueError:
                faults.append(f"{origin} is {text!r}: expected {option.expected}")
        if faults:
            raise SettingsError("\n".join(faults))
        return cls(**{**_implied(environ), **values})

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to listen."""
        return self.listen_address or (Address(self.host, self.port),)


def _named(name: str, default: Any, row: dict[str, Any]) -> Option:
    row["variable"] = row["variable"] or f"PYFUNC_{name.upper()}"
    row["flags"] = row["flags"] or (f"--{name.replace('_', '-')}",)
    return Option(name=name, default=default, **row)


OPTIONS: tuple[Option, ...] = tuple(
    _named(name, default, row)
    for name, default, row in zip(
        Settings.__struct_fields__, Settings.__struct_defaults__, _rows, strict=True
    )
)


def set_variable(name: str, value: str) -> None:
    """Set a variable of this process and of those that it starts, for a library that reads it."""
    os.environ[name] = value


_OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def _implied(environ: Mapping[str, str]) -> dict[str, Any]:
    """What variables of the platform mean for options that nobody has set."""
    implied: dict[str, Any] = {}
    if environ.get("K_SERVICE"):
        implied["drain_delay"] = 0.0
    if any(environ.get(name) for name in _OTLP_ENDPOINTS):
        implied["traces_exporter"] = ("otlp",)
    if (protocol := environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")) is not None:
        implied["traces_protocol"] = protocol
    return implied


def _chosen(flags: Mapping[str, str], environ: Mapping[str, str]) -> list[tuple[Option, str, str]]:
    """For each option that was set: the option, where it was set, and the text."""
    chosen = []
    for option in OPTIONS:
        if option.name in flags:
            chosen.append((option, option.long_flag, flags[option.name]))
        elif environ.get(option.variable) and not _overridden(option, flags):
            chosen.append((option, option.variable, environ[option.variable]))
    return chosen


def _overridden(option: Option, flags: Mapping[str, str]) -> bool:
    """`--port` or `--host` on the command line win over LISTEN_ADDRESS in the environment."""
    return option.name == "listen_address" and ("port" in flags or "host" in flags)


def export(flags: Mapping[str, str]) -> None:
    """Hand options on to the processes that this one starts: into its environment.

    Args:
        flags: Field names to texts, as the command line has them.
    """
    os.environ.update(
        {option.variable: flags[option.name] for option in OPTIONS if option.name in flags}
    )
