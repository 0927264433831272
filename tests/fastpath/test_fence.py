"""The table of private names of aiohttp, and its check against the installed release."""

from types import MappingProxyType
from typing import Any

import pytest
from aiohttp import web

from pyfunc.fastpath import fence


def test_the_installed_release_fits() -> None:
    fence.check()


def test_a_name_that_is_missing_is_reported_with_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {web.Server: {"_connections": "there", "_gone": "not there", "_lost": "not there"}}
    monkeypatch.setattr(fence, "NAMES", MappingProxyType(names))
    with pytest.raises(LookupError, match=r"^Server has no _gone, _lost$"):
        fence.check()


@pytest.mark.parametrize(
    ("expected", "fits"),
    [
        pytest.param(("self", "handler"), True, id="the first ones"),
        pytest.param(("self", "other"), False, id="another name"),
        pytest.param(("handler", "self"), False, id="another order"),
    ],
)
def test_parameters_are_compared_by_name_and_order(
    expected: tuple[str, ...], fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    signatures: Any = {web.Server.__init__: expected}
    monkeypatch.setattr(fence, "SIGNATURES", MappingProxyType(signatures))
    if fits:
        fence.check()
    else:
        with pytest.raises(LookupError, match=r"^Server\.__init__ has other parameters$"):
            fence.check()
