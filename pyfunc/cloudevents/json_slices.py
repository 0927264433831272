"""Split JSON text into the texts of its elements or members, one at a time.

For documents that msgspec refuses, or that would take too much memory as a whole. Decoding the
parts is left to `json_text` and `json_format`.
"""

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]

from pyfunc.cloudevents.json_text import refuse_constant
from pyfunc.errors import MalformedBodyError

__all__ = ["elements", "members"]

_space = re.compile(r"[ \t\n\r]*").match


def _nothing(text: str) -> None:
    """Numbers are passed over: some are more than Python holds."""


_decoder = json.JSONDecoder(
    parse_float=_nothing, parse_int=_nothing, parse_constant=refuse_constant
)


def elements(text: bytes) -> Iterator[bytes]:
    """The texts of the elements of an array.

    Raises:
        MalformedBodyError: It is not JSON, or no array.
    """
    source = text.decode()
    return (source[start:end].encode() for _, start, end in _parts(source, "[]"))


def members(text: bytes) -> Iterator[tuple[str, bytes]]:
    """The names and the texts of the members of an object.

    Raises:
        MalformedBodyError: It is not JSON, or no object.
    """
    source = text.decode()
    return ((name, source[start:end].encode()) for name, start, end in _parts(source, "{}"))


_EXPECTED = {
    "[]": "an array of events",
    "{}": "an object with the attributes and data of an event",
}


def _parts(source: str, brackets: str) -> Iterator[tuple[str, int, int]]:
    opening, closing = brackets[0], brackets[1]
    at = _after_space(source, 0)
    if source[at : at + 1] != opening:
        raise MalformedBodyError(
            f"the body is not an event in JSON format: expected {_EXPECTED[brackets]}"
        )
    at = _after_space(source, at + 1)
    mark = "," if source[at : at + 1] != closing else closing
    at += mark == closing
    try:
        while mark == ",":
            name = ""
            if opening == "{":
                name, at = _name(source, at)
            _, end = _decoder.raw_decode(source, at)
            yield name, at, end
            at = _after_space(source, end)
            mark = source[at : at + 1]
            at = _after_space(source, at + 1)
    except RecursionError:
        raise MalformedBodyError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise MalformedBodyError(f"malformed JSON: {error}") from None
    if mark != closing or _after_space(source, at) != len(source):
        raise MalformedBodyError(f"malformed JSON: expected `,` or the end (character {at})")


def _after_space(source: str, at: int) -> int:
    match = _space(source, at)
    return at if match is None else match.end()


def _name(source: str, at: int) -> tuple[str, int]:
    """The name of a member, and where its value starts."""
    if source[at : at + 1] != '"':
        raise ValueError(f"expected a name (character {at})")
    name, at = scanstring(source, at + 1, True)
    at = _after_space(source, at)
    if source[at : at + 1] != ":":
        raise ValueError(f"expected `:` (character {at})")
    return name, _after_space(source, at + 1)
