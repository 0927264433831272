"""Options: the types of their values, and what describes one.

The table of all options is in `pyfunc.settings`, which also reads the environment.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = [
    "ADDRESSES",
    "COUNT",
    "DIRECTORY",
    "EVENT_TYPE",
    "EXPORTERS",
    "FUNCTION",
    "HOST",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "MODULE",
    "NUMBER",
    "ORIGINS",
    "PATHS",
    "PORT",
    "PRESENCE",
    "PROTOCOL",
    "RATE",
    "REPLY_MODE",
    "SECONDS",
    "SIZE",
    "SWITCH",
    "URI",
    "Address",
    "Kind",
    "Opt",
    "Option",
    "format_value",
    "options_of",
]


class Address(msgspec.Struct, frozen=True):
    """An address to listen on; a `host` of `None` stands for all interfaces, IPv4 and IPv6."""

    host: str | None
    port: int

    def __str__(self) -> str:
        host = "*" if self.host is None else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class Kind(msgspec.Struct, frozen=True):
    """A type of option value.

    Args:
        parse: Converts a text, or raises `ValueError`.
        expected: The texts that `parse` accepts, in words, for error messages and documentation.
        metavar: The placeholder in `--help`; empty for a switch, whose flag may stand alone.
    """

    parse: Callable[[str], Any]
    expected: str
    metavar: str = ""


class Opt(msgspec.Struct, frozen=True):
    """A row of the table of options.

    Args:
        kind: The type of its value.
        help: Its meaning, in a line.
        variable: Its environment variable, `PYFUNC_<NAME>` by default.
        flags: Its command-line flags, `--<name>` by default.
    """

    kind: Kind
    help: str
    variable: str = ""
    flags: tuple[str, ...] = ()


class Option(msgspec.Struct, frozen=True):
    """An option: its row, completed with its name, group and default."""

    name: str
    default: Any
    kind: Kind
    group: str
    help: str
    variable: str
    flags: tuple[str, ...]

    @property
    def long_flag(self) -> str:
        """The flag that messages and documentation use."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def default_text(self) -> str:
        """The default as a text that `kind` accepts; empty if there is none."""
        text = format_value(self.default)
        try:
            return text if self.kind.parse(text) == self.default else ""
        except ValueError:
            return ""


def options_of(
    settings: type[msgspec.Struct], table: Mapping[str, Mapping[str, Opt]]
) -> tuple[Option, ...]:
    """List the options whose defaults are the fields of a class.

    Args:
        settings: The class.
        table: The rows, by group and by field.
    """
    fields = zip(settings.__struct_fields__, settings.__struct_defaults__, strict=True)
    defaults: dict[str, Any] = dict(fields)
    return tuple(
        _option(name, defaults[name], group, row)
        for group, rows in table.items()
        for name, row in rows.items()
    )


def _option(name: str, default: Any, group: str, row: Opt) -> Option:
    return Option(
        name,
        default,
        row.kind,
        group,
        row.help,
        row.variable or f"PYFUNC_{name.upper()}",
        row.flags or (f"--{name.replace('_', '-')}",),
    )


def format_value(value: Any) -> str:
    """Format the value of an option as its variable would state it."""
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


# --- parsers --------------------------------------------------------------------------------------


def _text(text: str) -> str:
    if not text:
        raise ValueError(text)
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _number(text: str) -> int:
    if (count := _count(text)) == 0:
        raise ValueError(text)
    return count


def _port(text: str) -> int:
    if (port := _count(text)) > 65535:
        raise ValueError(text)
    return port


def _host(text: str) -> str:
    return text.strip("[]")


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or (host.count(":") and not (host.startswith("[") and host.endswith("]"))):
        raise ValueError(text)
    return Address(None if host in ("", "*") else _host(host), _port(port))


def _addresses(text: str) -> tuple[Address, ...]:
    addresses = tuple(_address(item) for item in _items(text))
    if not addresses:
        raise ValueError(text)
    return addresses


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _seconds(text: str) -> float:
    seconds = float(text.removesuffix("s"))
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def _size(text: str) -> int:
    digits = text.rstrip("kKmMgGiI")
    unit = text[len(digits) :].lower()
    if unit not in _UNITS:
        raise ValueError(text)
    return _number(digits) * _UNITS[unit]


_SWITCHES = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise ValueError(text)
    return _SWITCHES[text.lower()]


def _paths(text: str) -> tuple[str, ...]:
    paths = _items(text)
    if not paths or not all(path.startswith("/") for path in paths):
        raise ValueError(text)
    return paths


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(","))
    if not all(origins) or any(set(origin) & set(" /:") for origin in origins):
        raise ValueError(text)
    return origins


def _rate(text: str) -> int:
    return 0 if text == "*" else _number(text)


def _exporters(text: str) -> tuple[str, ...]:
    exporters = _items(text.lower())
    return () if "none" in exporters else exporters


def _choice(metavar: str, *choices: str) -> Kind:
    """Make a kind that accepts these names, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(text)
        return text.lower()

    return Kind(parse, f"{', '.join(choices[:-1])} or {choices[-1]}", metavar)


# --- kinds ----------------------------------------------------------------------------------------

ADDRESSES = Kind(
    _addresses, "HOST:PORT pairs separated by commas, such as [::]:8080,0.0.0.0:8080", "LIST"
)
COUNT = Kind(_count, "a number from 0 up", "N")
DIRECTORY = Kind(_text, "a directory", "DIR")
EVENT_TYPE = Kind(_text, "an event type", "TYPE")
EXPORTERS = Kind(_exporters, "otlp, console or none, or several separated by commas", "NAMES")
FUNCTION = Kind(_text, "a function name", "NAME")
HOST = Kind(_host, "a host name or address", "HOST")
LOG_FORMAT = _choice("FORMAT", "auto", "text", "json")
LOG_LEVEL = _choice("LEVEL", "debug", "info", "warning", "error", "critical")
MODULE = Kind(_text, "a module name", "NAME")
NUMBER = Kind(_number, "a number from 1 up", "N")
ORIGINS = Kind(_origins, "DNS names separated by commas, or *", "LIST")
PATHS = Kind(_paths, "paths separated by commas, such as /livez,/alive", "LIST")
PORT = Kind(_port, "a port number from 0 to 65535", "PORT")
PRESENCE = Kind(bool, "any text")  # as https://no-color.org defines it
PROTOCOL = _choice("NAME", "http/protobuf", "grpc")
RATE = Kind(_rate, "a number of deliveries a minute, or *", "N")
REPLY_MODE = _choice("MODE", "auto", "binary", "structured")
SECONDS = Kind(_seconds, "a number of seconds", "SECONDS")
SIZE = Kind(_size, "a number of bytes, such as 1048576 or 64Mi", "BYTES")
SWITCH = Kind(_switch, "true or false")
URI = Kind(_text, "a URI reference", "URI")
