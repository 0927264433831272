from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from pyfunc.cloudevents.data import JSON_TYPE, Payload, media_type
from pyfunc.cloudevents.event import Event
from pyfunc.errors import DataError
from pyfunc.function.annotations import UnsupportedTypeError
from pyfunc.function.invocation import Invocation
from pyfunc.function.readers import reader
from pyfunc.function.sources import SOURCES

TABLE = {source.parameters[0]: source for source in SOURCES if source.parameters}


def invocation(data: bytes = b"", path: str = "/", body: bytes = b"") -> Invocation:
    payload = Payload(data, media_type(JSON_TYPE))
    request = make_mocked_request("POST", path, headers={"Content-Type": JSON_TYPE})
    return Invocation(request, body, [Event.received({"id": "1"}, payload)])


@pytest.mark.parametrize(
    ("source", "annotation", "default", "value", "type_name"),
    [
        pytest.param("data", Any, ..., {"n": "1"}, "", id="any data"),
        pytest.param("data", bytes, ..., b'{"n": "1"}', "bytes", id="octets"),
        pytest.param(
            "data", dict[str, int | str], ..., {"n": "1"}, "dict[str, int | str]", id="dict"
        ),
        pytest.param("query", Any, ..., {"a": "1"}, "", id="any query"),
        pytest.param("query", str, ..., "a=1", "str", id="raw query"),
        pytest.param("query", dict[str, int], ..., {"a": 1}, "dict[str, int]", id="numbers"),
        pytest.param("query", dict, ..., {"a": "1"}, "dict", id="strings"),
        pytest.param("body", bytes, ..., b"[1]", "bytes", id="body"),
        pytest.param("body", list[int], ..., [1], "list[int]", id="JSON body"),
        pytest.param("method", str, ..., "POST", "", id="method"),
    ],
)
def test_value_is_converted_to_the_annotation(
    source: str, annotation: Any, default: Any, value: Any, type_name: str
) -> None:
    read, converted_to, warning = reader(TABLE[source], source, annotation, default)

    assert read(invocation(b'{"n": "1"}', "/?a=1", b"[1]")) == value
    assert (converted_to, warning) == (type_name, "")


@pytest.mark.parametrize("annotation", [Any, dict])
def test_absent_data_gives_way_to_the_default(annotation: Any) -> None:
    read = reader(TABLE["data"], "data", annotation, {"n": 0}).read

    assert read(invocation()) == {"n": 0}
    assert read(invocation(b'{"n": 1}')) == {"n": 1}


def test_data_that_does_not_fit_is_an_error_with_the_name() -> None:
    read = reader(TABLE["data"], "order", dict[str, int], ...).read

    with pytest.raises(DataError, match="order"):
        read(invocation(b'{"n": "x"}'))


def test_type_that_nothing_converts_to_is_refused() -> None:
    with pytest.raises(UnsupportedTypeError):
        reader(TABLE["data"], "data", type("Plain", (), {}), ...)


@pytest.mark.parametrize(
    ("source", "annotation", "is_warned"),
    [
        ("method", int, True),
        ("headers", list, True),
        ("headers", Mapping, False),
        ("attributes", dict, False),
        ("events", list, False),
    ],
)
def test_annotation_of_another_type_is_a_warning(
    source: str, annotation: Any, is_warned: bool
) -> None:
    assert bool(reader(TABLE[source], source, annotation, ...).warning) is is_warned
