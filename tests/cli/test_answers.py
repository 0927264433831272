"""The responses that `check` predicts from the return annotation."""

import pytest

from tests.support.checking import Check


@pytest.mark.parametrize(
    ("function", "answers"),
    [
        ("def main(data) -> None: ...", [("None", "200, empty")]),
        (
            "def main(data) -> 'tuple[dict, int]': ...",
            [("tuple[dict, int]", "200, the event of these")],
        ),
        (
            "def main(data) -> tuple[int, int]: ...",
            [
                (
                    "tuple[int, int]",
                    "200, an event with it as data: type TYPE-RECEIVED.reply, source /func/main",
                )
            ],
        ),
        (
            "import pyfunc\ndef main(data) -> list[pyfunc.Event]: ...",
            [("list[Event]", "200, a batch; of one, that event")],
        ),
        (
            "from aiohttp import web\nasync def main(req) -> web.Response: ...",
            [("Response", "as it is")],
        ),
        ("def main() -> str: ...", [("str", "text/plain; charset=utf-8")]),
        ("def main() -> bytes: ...", [("bytes", "application/octet-stream")]),
        ("def main() -> dict | None: ...", [("dict", "200, as JSON"), ("None", "204")]),
        ("def main() -> tuple[str, int]: ...", [("tuple[str, int]", "as in Flask")]),
        (
            "from collections.abc import Iterator\n"
            "def main() -> Iterator[str]:\n    yield ''\n"
            "def make() -> Iterator[str]: ...",
            [("each yielded value", "200, streamed as it comes")],
        ),
        (
            "def main(data):\n    yield ''\n",
            [("each yielded value", "200, an event; several as a batch")],
        ),
    ],
)
def test_answers_follow_from_the_return_annotation(
    check: Check, function: str, answers: list[tuple[str, str]]
) -> None:
    found = check(function)
    assert [(row["returned"], row["answered"]) for row in found["answers"]] == answers


def test_answer_names_the_reply_that_options_make(check: Check) -> None:
    found = check("def main(data) -> int: ...", reply_type="a.b", reply_source="/c")
    assert found["answers"][0]["answered"].endswith("type a.b, source /c")
