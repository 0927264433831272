"""Responses for whatever goes wrong, and the id that every response carries."""

from typing import Any

import pytest
from aiohttp import web

from tests.support.apps import Serve
from tests.support.events import event_headers

ERRORS = [
    "Exception('secret')",
    "BaseException('secret')",
    "SystemExit(0)",
    "SystemExit('secret')",
    "KeyboardInterrupt()",
    "StopIteration('secret')",
    "StopAsyncIteration('secret')",
    "asyncio.CancelledError()",
    "TimeoutError('secret')",
    "asyncio.TimeoutError()",
    "RecursionError()",
    "MemoryError()",
    "AssertionError()",
    "ConnectionResetError()",
    "type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()",
]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("word", ["def", "async def"])
async def test_whatever_a_function_raises_is_500_and_the_process_goes_on(
    serve: Serve, word: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(f"import asyncio\n{word} main():\n    raise {error}\n")

    for _ in range(2):
        answer = await client.get("/")
        text = await answer.text()

        assert (answer.status, answer.content_type) == (500, "application/problem+json")
        assert "secret" not in text
        assert "Traceback" not in text
    assert "func.main failed" in caplog.text
    assert (await client.get("/healthz/live")).status == 200


async def test_exception_is_told_to_the_caller_in_debug_mode_only(serve: Serve) -> None:
    client = await serve("def main():\n    raise ValueError('secret')\n", debug=True)

    assert "ValueError('secret')" in (await (await client.get("/")).json())["detail"]


@pytest.mark.parametrize("method", ["__str__", "__repr__"])
@pytest.mark.parametrize("raised", ["ValueError", "SystemExit", "KeyboardInterrupt"])
async def test_an_exception_that_has_no_text_is_500_and_the_process_goes_on(
    serve: Serve, raised: str, method: str
) -> None:
    """As in Azure/azure-functions-python-worker#225, where the worker ended."""
    source = f"""
class Odd(Exception):
    def {method}(self):
        raise {raised}

def main():
    raise Odd
"""
    client = await serve(source, debug=True)

    for _ in range(2):
        answer = await client.get("/")
        assert answer.status == 500
        assert (await answer.json())["detail"] != "the server failed"
    assert (await client.get("/healthz/live")).status == 200


async def test_wrong_number_of_arguments_inside_the_function_is_500(serve: Serve) -> None:
    client = await serve("def helper(a): ...\n\ndef main():\n    helper()\n")

    assert (await client.get("/")).status == 500


@pytest.mark.parametrize("word", ["def", "async def"])
@pytest.mark.parametrize("parameters", ["", "event"])
@pytest.mark.parametrize(
    ("raised", "status", "detail", "retry_after"),
    [
        ("Reject('no such order')", 422, "no such order", None),
        ("Reject('go away', 403)", 403, "go away", None),
        ("Retry(after=30)", 503, "try again later", "30"),
        ("Retry('soon', after=0.5)", 503, "soon", "1"),
        ("Retry()", 503, "try again later", None),
    ],
)
async def test_outcome_that_a_function_raises_is_answered(
    word: str,
    parameters: str,
    raised: str,
    status: int,
    detail: str,
    retry_after: str | None,
    serve: Serve,
) -> None:
    source = f"from pyfunc import Reject, Retry\n{word} main({parameters}):\n    raise {raised}\n"
    client = await serve(source)

    answer = await client.post("/", headers=event_headers())
    problem: dict[str, Any] = await answer.json()

    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert (problem["status"], problem["detail"]) == (status, detail)
    assert answer.headers.get("Retry-After") == retry_after


async def test_an_http_exception_is_the_response_of_the_function(serve: Serve) -> None:
    async def main() -> None:
        raise web.HTTPSeeOther("/elsewhere")

    client = await serve(main)
    async with client.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/elsewhere")


async def test_a_body_that_is_broken_is_400(serve: Serve) -> None:
    async def main(body: bytes) -> bytes:
        return body

    client = await serve(main)
    async with client.post("/", data=b"no gzip", headers={"Content-Encoding": "gzip"}) as response:
        assert (response.status, response.content_type) == (400, "application/problem+json")
        assert (await response.json())["status"] == 400
