"""Functions that return one value, for the tests of what becomes of it."""

__all__ = ["JSON", "OCTETS", "TEXT", "returning"]

_HEAD = """
    import collections, dataclasses, datetime, decimal, enum, http, typing, uuid
    import aiohttp.web as web, attrs, flask, msgspec, multidict, pydantic, werkzeug.datastructures
    import pyfunc
    from cloudevents.core.v1.event import CloudEvent
    from cloudevents.v1 import http as v1_http
    from cloudevents.v1.conversion import to_binary, to_structured

    class Bytes(bytes): ...
    class Text(str): ...
    class Word(enum.StrEnum):
        ONE = "one"
    class Size(enum.IntEnum):
        ONE = 1
    @dataclasses.dataclass
    class Data:
        n: int = 1
    class Struct(msgspec.Struct):
        n: int = 1
    class Model(pydantic.BaseModel):
        n: int = 1
    @attrs.define
    class Attrs:
        n: int = 1
    class Named(typing.NamedTuple):
        n: int = 1
    def chunks():
        yield "a"
        yield "b"
    async def async_chunks():
        yield "a"
        yield "b"

    ATTRIBUTES = {"id": "9", "source": "/mine", "type": "made", "specversion": "1.0"}
"""
TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"
JSON = "application/json"


def returning(result: str, parameters: str = "") -> str:
    """Write a function that returns the value of an expression.

    Args:
        result: The expression; names of all kinds of values can be used in it.
        parameters: The parameters of the function.
    """
    return f"{_HEAD}\n    def main({parameters}):\n        return {result}\n"
