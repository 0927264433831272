import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pyfunc.errors import RequestError
from pyfunc.request.multidicts import BadRequestKeyError, Headers, MultiDict


@pytest.fixture
def multi() -> MultiDict[int]:
    return MultiDict([("a", 1), ("a", 2), ("b", 3)], "thing")


def test_a_multi_dict_is_a_dict_of_first_values(multi: MultiDict[int]) -> None:
    assert multi == MultiDict([("a", 1), ("a", 2), ("b", 3)])
    assert multi != MultiDict([("a", 1), ("b", 3)])
    assert dict(multi) == {**multi} == multi.copy() == {"a": 1, "b": 3}
    assert dict(multi) == multi
    assert json.loads(json.dumps(multi)) == msgspec.json.decode(msgspec.json.encode(multi))
    assert list(multi.listvalues()) == [[1, 2], [3]]
    assert repr(multi) == "MultiDict([('a', 1), ('a', 2), ('b', 3)])"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda multi: multi.update(a=2), id="update"),
        pytest.param(lambda multi: multi.pop("a"), id="pop"),
        pytest.param(lambda multi: multi.setdefault("z", 1), id="setdefault"),
        pytest.param(lambda multi: multi.clear(), id="clear"),
        pytest.param(lambda multi: multi.__setitem__("a", 2), id="set"),
        pytest.param(lambda multi: multi.__delitem__("a"), id="del"),
        pytest.param(lambda multi: multi.getlist("a").append(4) or multi.popitem(), id="popitem"),
        pytest.param(lambda multi: multi.__ior__({"c": 1}), id="ior"),
    ],
)
def test_a_multi_dict_cannot_be_changed(
    change: Callable[[Any], Any], multi: MultiDict[int]
) -> None:
    with pytest.raises(TypeError, match="cannot be changed"):
        change(multi)
    assert multi.getlist("a") == [1, 2]


def test_a_multi_dict_can_be_copied_and_pickled(multi: MultiDict[int]) -> None:
    for twin in (copy.deepcopy(multi), copy.copy(multi), pickle.loads(pickle.dumps(multi))):  # noqa: S301 - our own bytes
        assert twin == multi
        with pytest.raises(BadRequestKeyError, match="the request has no thing 'c'"):
            twin["c"]


def test_a_missing_key_is_a_key_error_and_a_bad_request(multi: MultiDict[int]) -> None:
    with pytest.raises(KeyError) as caught:
        multi["c"]
    error = caught.value
    assert isinstance(error, RequestError)
    assert error.status == 400
    assert str(error) == error.detail == "the request has no thing 'c'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes


def test_headers_are_equal_by_what_they_hold() -> None:
    headers = Headers([("x-a", "1")])
    assert headers == Headers([("X-A", "1")])
    assert headers != Headers([("X-A", "2")])
    assert headers.to_wsgi_list() == [("X-A", "1")]
    assert repr(headers) == "Headers([('X-A', '1')])"
    assert str(headers) == "X-A: 1\r\n\r\n"
