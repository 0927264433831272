"""A function on a cluster: its deployment, and the names that Kubernetes accepts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

__all__ = ["NO_DEAD_LETTER", "Deployment", "is_name", "nearest_name", "trigger_name"]

NO_DEAD_LETTER = "none"
"""Instead of the name of a dead-letter service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A function, and how it is deployed."""

    name: str
    image: str
    takes_events: bool = False
    is_async: bool = False
    event_types: Sequence[str] = ()
    broker: str = "default"
    dead_letter: str = "dead-letter"
    """The service for undeliverable events, or `NO_DEAD_LETTER`."""
    sink_binding: bool = False
    """Set `K_SINK` to the address of the broker."""
    options: Mapping[str, str] = field(default_factory=dict)
    """The texts of the options that the user set, by field of `Settings`."""

    def sets(self, name: str) -> bool:
        """Return true if the user set this option."""
        return name in self.options


is_name = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?").fullmatch
"""Match the name of a service, from which Knative makes a host name (RFC 1035, section 2.3.1)."""
_READABLE_TYPE = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)*").fullmatch


def nearest_name(text: str) -> str:
    """Return the most similar name that `is_name` accepts, or an empty text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).lstrip("-0123456789")[:63].rstrip("-")


def trigger_name(name: str, event_type: str) -> str:
    """Return the name of the Trigger for an event type, independent of other types.

    A type that is too long, or has characters that a name cannot have, adds a digest.
    """
    whole = f"{name}-{event_type.replace('.', '-')}"
    if _READABLE_TYPE(event_type) and len(whole) <= 63:
        return whole
    digest = sha256(event_type.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{name}-{event_type.lower()}")
    return f"{readable[:54].rstrip('-')}-{digest}"
