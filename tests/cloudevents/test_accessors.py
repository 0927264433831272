from datetime import UTC, datetime

import pytest

from pyfunc import Event

ATTRIBUTES = {
    "id": "1",
    "source": "/s",
    "type": "t",
    "specversion": "1.0",
    "subject": "s",
    "datacontenttype": "application/json",
    "dataschema": "https://example.com/s",
}
OPTIONAL = ("subject", "datacontenttype", "dataschema", "time")


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_property_and_getter_return_the_attribute(name: str) -> None:
    event = Event(ATTRIBUTES)

    assert getattr(event, name) == getattr(event, f"get_{name}")() == ATTRIBUTES[name]


def test_time_is_an_aware_datetime() -> None:
    event = Event({**ATTRIBUTES, "time": "2026-01-02T03:04:05.123456789Z"})

    assert event.time == event.get_time() == datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_attribute_that_is_not_set_is_none(name: str) -> None:
    event = Event.received({"id": "1"}, None)

    assert getattr(event, name) is None
    assert getattr(event, f"get_{name}")() is None


def test_extensions_have_a_getter() -> None:
    event = Event({**ATTRIBUTES, "region": "north"})

    assert event.get_extension("region") == "north"
    assert event.get_extension("other") is None
