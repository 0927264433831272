from typing import Any

import pytest
from msgspec.structs import replace

from pyfunc.errors import SignatureError
from pyfunc.function.signature import Plan, compile_plan
from pyfunc.function.sources import SOURCES, Needs
from tests.support.apps import Load


@pytest.fixture
def compiled(load_source: Load) -> Any:
    def compile_it(source: str, sources: Any = SOURCES) -> Plan:
        loaded = load_source(source)
        return compile_plan(loaded.function, str(loaded), sources)

    return compile_it


def received(plan: Plan) -> dict[str, str]:
    """What each parameter receives, in words."""
    return {
        b.parameter: "its default" if b.source is None else b.source.gives for b in plan.bindings
    }


def faults(compiled: Any, source: str) -> tuple[str, ...]:
    with pytest.raises(SignatureError) as caught:
        compiled(source)
    return caught.value.faults


VIEW = "the request, a pyfunc.Request"
AIOHTTPS = "the request, an aiohttp.web.Request"
NAMES = {
    "event": "the event",
    "data": "the event's data",
    "payload": "the event's data",
    "attributes": "the event's attributes, a dict of one's own",
    "events": "all events of the batch, or a list of one",
    "req": VIEW,
    "request": VIEW,
    "body": "the body, bytes",
    "headers": "the headers, a case-insensitive multi-dict",
    "query": "the query, a multi-dict",
    "method": "the method, such as GET",
    "path": "the decoded path",
    "context": "this invocation: its id, the time left, a logger",
}
OF_SDK = "the event, in the class asked for"
TYPES = {
    "aiohttp.web.Request": AIOHTTPS,
    "aiohttp.web.BaseRequest": AIOHTTPS,
    "flask.Request": "the request, a flask.Request",
    "werkzeug.Request": "the request, a flask.Request",
    "pyfunc.Request": VIEW,
    "pyfunc.Event": "the event",
    "pyfunc.Context": NAMES["context"],
    "list[pyfunc.Event]": NAMES["events"],
    "typing.List[pyfunc.Event]": NAMES["events"],
    "cloudevents.core.v1.event.CloudEvent": OF_SDK,
    "cloudevents.v1.http.CloudEvent": OF_SDK,
    "cloudevents.v1.sdk.event.v1.Event": OF_SDK,
    "cloudevents.http.CloudEvent": OF_SDK,
    "cloudevents.sdk.event.v1.Event": OF_SDK,
}
IMPORTS = """
import typing, werkzeug, flask, pyfunc, aiohttp.web
import cloudevents.core.v1.event, cloudevents.v1.http, cloudevents.v1.sdk.event.v1
import cloudevents.http, cloudevents.sdk.event.v1
"""


# --- where from -----------------------------------------------------------------------------------


def test_every_row_of_the_table_has_a_row_here() -> None:
    assert {name for source in SOURCES for name in source.parameters} == set(NAMES)
    assert {source.gives for source in SOURCES} | {AIOHTTPS} == {*NAMES.values(), *TYPES.values()}


@pytest.mark.parametrize("word", ["def", "async def"])
@pytest.mark.parametrize("name", NAMES)
def test_name_asks_for_its_source(compiled: Any, word: str, name: str) -> None:
    expected = AIOHTTPS if word == "async def" and name in ("req", "request") else NAMES[name]

    assert received(compiled(f"{word} main({name}): ...")) == {name: expected}


@pytest.mark.parametrize("word", ["def", "async def"])
@pytest.mark.parametrize("annotation", TYPES)
def test_annotation_asks_for_its_source(compiled: Any, word: str, annotation: str) -> None:
    source = f"{IMPORTS}\n{word} main(it: {annotation}): ...\n"

    assert received(compiled(source)) == {"it": TYPES[annotation]}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        pytest.param("'pyfunc.Event'", "the event", id="string"),
        pytest.param("pyfunc.Event | None", "the event", id="optional"),
        pytest.param("typing.Optional[pyfunc.Event]", "the event", id="Optional"),
        pytest.param("typing.Annotated[pyfunc.Event, 'the order']", "the event", id="Annotated"),
        pytest.param("'typing.Annotated[pyfunc.Event, 1] | None'", "the event", id="both"),
        pytest.param("cloudevents.v1.http.CloudEvent | None", OF_SDK, id="optional SDK event"),
        pytest.param("Mine", OF_SDK, id="subclass of the SDK's"),
    ],
)
def test_annotation_may_be_wrapped(compiled: Any, annotation: str, expected: str) -> None:
    source = f"{IMPORTS}\nclass Mine(cloudevents.v1.http.CloudEvent): ...\n"

    assert received(compiled(f"{source}\ndef main(it: {annotation}): ...\n")) == {"it": expected}


def test_annotation_wins_over_name(compiled: Any) -> None:
    source = "from pyfunc import Event, Request\ndef main(data: Request, request: Event): ...\n"

    assert received(compiled(source)) == {"data": VIEW, "request": "the event"}


def test_name_wins_over_default(compiled: Any) -> None:
    plan = compiled("def main(data=1, colour='red'): ...")

    assert received(plan) == {"data": NAMES["data"], "colour": "its default"}
    assert [binding.optional for binding in plan.bindings] == [True, True]


def test_annotation_that_names_no_source_leaves_the_name(compiled: Any) -> None:
    assert received(compiled("def main(data: dict, query: dict): ...")) == {
        "data": NAMES["data"],
        "query": NAMES["query"],
    }


def test_star_parameters_receive_nothing(compiled: Any) -> None:
    plan = compiled("def main(*data, **headers): ...")

    assert (plan.bindings, plan.positional, plan.keywords) == ((), (), ())


def test_keyword_only_and_positional_only_parameters_are_passed_as_they_ask(compiled: Any) -> None:
    plan = compiled("def main(method, colour='red', path=None, /, query=1, *, body, size=1): ...")

    assert list(received(plan)) == ["method", "colour", "path", "query", "body", "size"]
    assert len(plan.positional) == 4
    assert [name for name, _ in plan.keywords] == ["body"]


def test_defaults_behind_the_last_source_are_not_passed(compiled: Any) -> None:
    plan = compiled("def main(method, colour='red', size=2): ...")

    assert len(plan.positional) == 1


@pytest.mark.parametrize(
    ("source", "is_event"),
    [
        ("def main(): ...", False),
        ("def main(req, body, headers, query, method, path, context): ...", False),
        ("def main(attributes): ...", True),
        ("def main(req, it: 'pyfunc.Event'): ...\nimport pyfunc", True),
    ],
)
def test_asking_for_an_event_makes_an_event_function(
    compiled: Any, source: str, is_event: bool
) -> None:
    assert compiled(source).takes_events is is_event


def test_body_is_read_only_for_those_who_ask(compiled: Any) -> None:
    assert compiled("def main(headers, query): ...").needs is Needs.NOTHING
    assert compiled("async def main(req): ...").needs is Needs.NOTHING
    assert compiled("def main(req): ...").needs is Needs.BODY


def test_table_is_an_argument(compiled: Any) -> None:
    clock = replace(SOURCES[0], name="clock", parameters=("clock",), gives="the time")

    assert received(compiled("def main(clock): ...", (*SOURCES, clock))) == {"clock": "the time"}


# --- kinds of functions ---------------------------------------------------------------------------

CLASS = """
class Handler:
    {word} __call__(self, req, colour=1): ...

main = Handler()
"""
WRAPS = """
import functools

def passing(function):
    @functools.wraps(function)
    {outer} wrapper(*args, **kwargs): ...
    return wrapper

@passing
{inner} main(req, colour=1): ...
"""


@pytest.mark.parametrize(
    ("source", "request_of", "is_async", "is_generator"),
    [
        pytest.param("def main(req, colour=1): ...", VIEW, False, False, id="def"),
        pytest.param("async def main(req, colour=1): ...", AIOHTTPS, True, False, id="async def"),
        pytest.param("def main(req, colour=1): yield", VIEW, False, True, id="generator"),
        pytest.param(
            "async def main(req, colour=1): yield", AIOHTTPS, True, True, id="async generator"
        ),
        pytest.param("main = lambda req, colour=1: 1", VIEW, False, False, id="lambda"),
        pytest.param(CLASS.format(word="def"), VIEW, False, False, id="object"),
        pytest.param(CLASS.format(word="async def"), AIOHTTPS, True, False, id="async object"),
        pytest.param(
            CLASS.format(word="async def") + "main = main.__call__",
            AIOHTTPS,
            True,
            False,
            id="async method",
        ),
        pytest.param(
            "import functools\nasync def f(size, req, colour): ...\n"
            "main = functools.partial(f, 3, colour=1)",
            AIOHTTPS,
            True,
            False,
            id="partial of async def",
        ),
        pytest.param(
            CLASS.format(word="async def")
            + "import functools\nmain = functools.partial(main, colour=1)",
            AIOHTTPS,
            True,
            False,
            id="partial of async object",
        ),
        pytest.param(
            "import functools\n@functools.lru_cache\ndef main(req, colour=1): ...",
            VIEW,
            False,
            False,
            id="lru_cache",
        ),
        pytest.param(
            WRAPS.format(outer="def", inner="def"), VIEW, False, False, id="sync around sync"
        ),
        pytest.param(
            WRAPS.format(outer="async def", inner="async def"),
            AIOHTTPS,
            True,
            False,
            id="async around async",
        ),
        pytest.param(
            WRAPS.format(outer="def", inner="async def"),
            AIOHTTPS,
            False,
            False,
            id="sync around async",
        ),
        pytest.param(
            WRAPS.format(outer="async def", inner="def"), VIEW, True, False, id="async around sync"
        ),
    ],
)
def test_function_may_be_anything_that_is_called(
    compiled: Any, source: str, request_of: str, is_async: bool, is_generator: bool
) -> None:
    plan = compiled(source)

    assert received(plan)["req"] == request_of
    assert (plan.is_async, plan.is_generator) == (is_async, is_generator)


def test_what_a_partial_sets_stays_set(compiled: Any) -> None:
    source = """
        from functools import partial

        def f(method, data, path): ...

        main = partial(f, data=5)
    """

    assert received(compiled(source)) == {"method": NAMES["method"], "path": NAMES["path"]}


def test_decorator_with_parameters_of_its_own_is_asked_for_those(compiled: Any) -> None:
    source = """
        import functools

        def with_database(function):
            @functools.wraps(function)
            def wrapper(req):
                return function(req, object())
            return wrapper

        @with_database
        async def main(req, database): ...
    """

    assert received(compiled(source)) == {"req": VIEW}


# --- annotations ----------------------------------------------------------------------------------


def test_future_annotations_are_evaluated_in_the_module_of_the_function(compiled: Any) -> None:
    source = """
        from __future__ import annotations
        import functools
        from dataclasses import dataclass
        from pyfunc import Event

        def passing(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs): ...
            return wrapper

        @passing
        def main(it: Event, data: Order | None, items: list[Event]): ...

        @dataclass
        class Order:
            qty: int
    """
    plan = compiled(source)

    assert received(plan) == {
        "it": "the event",
        "data": NAMES["data"],
        "items": NAMES["events"],
    }
    assert plan.bindings[1].type_name == "Order | None"


def test_annotation_that_cannot_be_evaluated_is_named(compiled: Any) -> None:
    source = """
        from __future__ import annotations
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from flask import Request

        def main(req: Request, data: Order[int]): ...
    """

    assert faults(compiled, source) == (
        "req: the annotation 'Request' cannot be evaluated (name 'Request' is not defined);"
        " import what it names in the module, outside `if TYPE_CHECKING`",
        "data: the annotation 'Order[int]' cannot be evaluated (name 'Order' is not defined);"
        " import what it names in the module, outside `if TYPE_CHECKING`",
    )


def test_return_annotation_that_cannot_be_evaluated_is_left_alone(compiled: Any) -> None:
    assert compiled("def main() -> 'Nowhere': ...").returns is ...
    assert compiled("def main() -> 'dict': ...").returns is dict


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        pytest.param("Plain", "Plain says nothing about its fields", id="plain class"),
        pytest.param("list[Plain]", "Plain says nothing about its fields", id="in a list"),
        pytest.param("Box", "Plain says nothing about its fields", id="in a dataclass"),
        pytest.param("{'a': 1}", "it is a value, not a type", id="dict"),
        pytest.param("[int]", "it is a value, not a type; did you mean list[int]?", id="list"),
        pytest.param("5", "Type '5' is not supported", id="number"),
    ],
)
def test_annotation_that_nothing_converts_to_is_told_at_start(
    compiled: Any, annotation: str, reason: str
) -> None:
    source = f"""
        from dataclasses import dataclass
        class Plain: ...
        @dataclass
        class Box:
            content: Plain
        def main(data: {annotation}): ...
    """
    (fault,) = faults(compiled, source)

    assert fault.startswith("data: ")
    assert reason in fault


def test_annotation_that_says_another_thing_is_a_warning(compiled: Any) -> None:
    plan = compiled(
        "from typing import Mapping\n"
        "def main(method: int, path: str, req: dict, attributes: Mapping, headers: list): ..."
    )

    assert plan.warnings == (
        "method is annotated int and receives the method, such as GET",
        "req is annotated dict and receives the request, a pyfunc.Request",
        "headers is annotated list and receives the headers, a case-insensitive multi-dict",
    )


# --- what cannot be bound -------------------------------------------------------------------------


def test_all_parameters_that_cannot_be_bound_are_told_at_once(compiled: Any) -> None:
    with pytest.raises(SignatureError) as caught:
        compiled("def main(evnt, req, order: int, *, headrs, size=1): ...")

    assert str(caught.value) == (
        "func.main cannot be bound:\n"
        "  - evnt: there is nothing of this name to ask for; did you mean event?\n"
        "  - order: there is nothing of this name to ask for, nor of the type int;"
        " call it data for the data of an event, or body for the body of a request\n"
        "  - headrs: there is nothing of this name to ask for; did you mean headers?\n"
        "A parameter may be named event, data, payload, attributes, events, req, request, body,"
        " headers, query, method, path or context,"
        " be annotated with a type that says what it is, or have a default."
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Data", "data"),
        ("datas", "data"),
        ("http_request", "request"),
        ("param_headers", "headers"),
        ("ctx", "context"),
        ("cloud_event", "event"),
        ("attrs", "attributes"),
        ("params", "query"),
        ("args", "query"),
        ("files", "req"),
        ("message", "event"),
    ],
)
def test_nearest_known_name_is_told(compiled: Any, name: str, near: str) -> None:
    assert faults(compiled, f"def main({name}): ...") == (
        f"{name}: there is nothing of this name to ask for; did you mean {near}?",
    )


def test_method_without_its_instance_is_told(compiled: Any) -> None:
    source = "class Handler:\n    def main(self, req): ...\nmain = Handler.main"

    assert faults(compiled, source) == (
        "self: it belongs to a method: take that of an instance, such as `main = Handler().main`",
    )


def test_what_may_be_asked_for_is_told_only_where_a_name_is_unknown(compiled: Any) -> None:
    with pytest.raises(SignatureError) as caught:
        compiled("def main(data: 'Nowhere'): ...")

    assert "A parameter may be named" not in str(caught.value)


def test_function_whose_signature_cannot_be_read_is_told(compiled: Any) -> None:
    source = """
        class Odd:
            __signature__ = 5

            def __call__(self): ...

        main = Odd()
    """

    assert faults(compiled, source) == (
        "its signature cannot be read: wrap it in a function of your own",
    )
