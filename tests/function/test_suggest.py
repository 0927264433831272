import pytest

from pyfunc.function.suggest import nearest


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        pytest.param("dta", "data", id="missing letter"),
        pytest.param("haeders", "headers", id="swapped letters"),
        pytest.param("data", "data", id="the name itself"),
        pytest.param("xyz", None, id="unlike all"),
        pytest.param("", None, id="empty"),
    ],
)
def test_most_similar_name_is_suggested(name: str, suggestion: str | None) -> None:
    assert nearest(name, ["headers", "data", "date_of_birth"]) == suggestion


def test_cutoff_is_the_least_similarity() -> None:
    assert nearest("dxxx", ["data"]) is None
    assert nearest("dxxx", ["data"], cutoff=0.2) == "data"


def test_nothing_is_suggested_of_nothing() -> None:
    assert nearest("data", []) is None
