import inspect
import re

import pytest

from pyfunc import errors
from pyfunc.errors import PyFuncError, Reject, RequestError, Retry, SignatureError, StartupError


def classes() -> dict[str, type[PyFuncError]]:
    found = inspect.getmembers(errors, inspect.isclass)
    return {name: cls for name, cls in found if issubclass(cls, PyFuncError)}


def drawn() -> list[tuple[int, str, str]]:
    """The lines of the tree in the module's docstring: depth, name, remark."""
    lines = re.findall(r"^([│├└─ ]*)(\w+)(?: +(.*))?$", errors.__doc__ or "", re.MULTILINE)
    return [(len(indent) // 4, name, remark) for indent, name, remark in lines if name in classes()]


def test_tree_in_the_docstring_is_that_of_the_classes() -> None:
    parents: dict[int, str] = {}
    tree = {}
    for depth, name, _ in drawn():
        parents[depth] = name
        tree[name] = parents.get(depth - 1, "Exception")

    assert tree == {name: cls.__mro__[1].__name__ for name, cls in classes().items()}


def test_statuses_in_the_docstring_are_those_of_the_classes() -> None:
    told = {name: remark[:3] for _, name, remark in drawn() if remark[3:5] == "  "}
    statuses = {
        name: str(cls.status)
        for name, cls in classes().items()
        if issubclass(cls, RequestError) and cls is not RequestError
    }

    assert told.pop("BatchError") == "..."  # that of the gravest outcome
    assert told.items() <= statuses.items()
    assert statuses.keys() - told.keys() == {"BatchError"}


def test_exit_codes_in_the_docstring_are_those_of_the_classes() -> None:
    codes = {
        name: cls.exit_code for name, cls in classes().items() if issubclass(cls, StartupError)
    }
    told = {name: re.search(r"`exit_code` (\d)", remark) for _, name, remark in drawn()}

    for name, code in codes.items():
        found = told[name] or told["StartupError"]
        assert found is not None
        assert code == int(found[1]), name


def test_every_class_is_public() -> None:
    assert set(classes()) <= set(errors.__all__)


def test_signature_error_lists_its_faults_above_the_hint() -> None:
    error = SignatureError("func.main", ["a: no", "b: no"], "What may be asked for.")

    assert str(error) == (
        "func.main cannot be bound:\n  - a: no\n  - b: no\nWhat may be asked for."
    )
    assert error.faults == ("a: no", "b: no")


@pytest.mark.parametrize("status", [400, 401, 403, 410, 422, 451, 499])
def test_reject_takes_a_status_that_is_not_repeated(status: int) -> None:
    assert Reject("no", status).status == status


@pytest.mark.parametrize("status", [200, 302, 399, 404, 408, 409, 429, 500, 503])
def test_reject_refuses_a_status_that_senders_repeat(status: int) -> None:
    with pytest.raises(ValueError, match="use Retry to have the event repeated"):
        Reject("no", status)


@pytest.mark.parametrize(
    ("after", "header"),
    [(None, None), (0, "0"), (30, "30"), (0.2, "1"), (1.5, "2"), (1e9, "1000000000")],
)
def test_retry_says_when_in_whole_seconds(after: float | None, header: str | None) -> None:
    assert Retry(after=after).headers.get("Retry-After") == header


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf")])
def test_retry_refuses_what_is_no_time(after: float) -> None:
    with pytest.raises(ValueError, match="expected a number of seconds from 0 up"):
        Retry(after=after)
