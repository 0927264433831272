"""Events to send, and the traces that they belong to."""

__all__ = ["EVENT", "EXTENSION", "HEADER", "TRACE", "event_headers"]

EVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
"""The headers of an event without data."""

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{TRACE}-00f067aa0ba902b7-01"
"""A `traceparent` header of that trace."""

EXTENSION = "00-11111111111111111111111111111111-2222222222222222-01"
"""A `traceparent` attribute of another trace."""


def event_headers(**attributes: str) -> dict[str, str]:
    """Make the headers of an event in binary mode; a `content_type` is that of the data."""
    content_type = attributes.pop("content_type", "application/json")
    given = {"id": "1", "source": "/tests", "type": "test", "specversion": "1.0", **attributes}
    return {"Content-Type": content_type, **{f"ce-{name}": value for name, value in given.items()}}
