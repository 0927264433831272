"""Errors as problem documents (RFC 9457)."""

import json
from typing import Any

import pytest

from pyfunc.errors import DataError, RequestError, Retry
from pyfunc.middlewares.problems import problem


def document(error: RequestError) -> Any:
    body = problem(error).body
    assert isinstance(body, bytes)
    return json.loads(body)


def test_a_document_has_the_members_of_the_standard() -> None:
    assert document(RequestError("no such order", status=404)) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no such order",
    }


@pytest.mark.parametrize(
    ("status", "title"),
    [
        pytest.param(413, "Content Too Large", id="renamed in RFC 9110"),
        pytest.param(422, "Unprocessable Content", id="renamed in RFC 9110, too"),
        pytest.param(503, "Service Unavailable", id="known"),
        pytest.param(599, "Error", id="unknown"),
    ],
)
def test_the_title_and_the_reason_are_the_phrase_of_the_status(status: int, title: str) -> None:
    error = RequestError("a detail", status=status)
    assert document(error)["title"] == title
    assert (problem(error).status, problem(error).reason) == (status, title)


def test_the_faults_of_data_are_listed() -> None:
    error = DataError("the data does not fit", errors=[{"pointer": "/n"}])
    assert document(error)["errors"] == [{"pointer": "/n"}]


def test_the_headers_of_the_error_are_kept_beside_the_media_type() -> None:
    headers = problem(Retry(after=30)).headers
    assert headers["Retry-After"] == "30"
    assert headers["Content-Type"] == "application/problem+json"


def test_text_that_cannot_be_encoded_is_replaced() -> None:
    assert document(RequestError("a \ud800 surrogate"))["detail"] == "a ? surrogate"
