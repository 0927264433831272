"""The names of a deployment."""

import pytest

from pyfunc.cli.deployment import is_name, nearest_name, trigger_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My_Func.2", "my-func-2"),
        ("--a--", "a"),
        ("9", ""),
        ("x" * 62 + "-y", "x" * 62),
        ("\u00e9t\u00e9", "t"),
    ],
)
def test_nearest_name(text: str, name: str) -> None:
    assert nearest_name(text) == name


def test_similar_types_have_different_trigger_names() -> None:
    types = ["a.b", "a-b", "A.b", "a..b", "a_b", "\u00fc", "\ud800", "x" * 62, "x" * 61]
    names = {trigger_name("greet", event_type) for event_type in types}
    assert len(names) == len(types)
    assert all(map(is_name, names))


def test_trigger_name_of_a_usual_type_is_readable() -> None:
    assert trigger_name("greet", "com.example.order") == "greet-com-example-order"
