"""What each row of the table of sources reads, from a real request."""

import asyncio
from io import BytesIO

import pytest
from aiohttp import FormData

from pyfunc.function.sources import SOURCES
from tests.support.apps import Client, Serve
from tests.support.events import event_headers

SDK = {
    "cloudevents.core.v1.event.CloudEvent": "cloudevents.core.v1.event.CloudEvent",
    "cloudevents.v1.http.CloudEvent": "cloudevents.v1.http.event.CloudEvent",
    "cloudevents.v1.sdk.event.v1.Event": "cloudevents.v1.sdk.event.v1.Event",
    "cloudevents.http.CloudEvent": "cloudevents.v1.http.event.CloudEvent",
    "cloudevents.sdk.event.v1.Event": "cloudevents.v1.sdk.event.v1.Event",
}
HEAD = """
    import aiohttp.web, flask, json, pyfunc
    import cloudevents.core.v1.event, cloudevents.v1.http, cloudevents.v1.sdk.event.v1
    import cloudevents.http, cloudevents.sdk.event.v1

    def kind(value):
        return f"{type(value).__module__}.{type(value).__qualname__}"

    def answer(value):
        return pyfunc.Event({"type": "answer"}, value)
"""


def function(word: str, parameters: str, expression: str, is_event: bool = False) -> str:
    answer = f"answer({expression})" if is_event else expression
    return f"{HEAD}\n    {word} main({parameters}):\n        return {answer}\n"


both = pytest.mark.parametrize("word", ["def", "async def"])


def test_every_row_can_be_told_in_words() -> None:
    for source in SOURCES:
        assert source.gives
        assert source.parameters or source.types


# --- of any request -------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("parameters", "expression", "value"),
    [
        ("method", "method", "PUT"),
        ("path", "path", "/a/b c/ü"),
        ("body", "[kind(body), body.decode()]", ["builtins.bytes", '{"n": 1}']),
        ("body: bytes", "body.decode()", '{"n": 1}'),
        ("body: str", "body", '{"n": 1}'),
        ("body: dict", "body", {"n": 1}),
        ("headers", "headers['x-one'] + headers['X-ONE']", "11"),
        ("headers", "headers.getall('X-Many')", ["a", "b"]),
        ("headers", "headers.get('X-None')", None),
        ("headers: dict", "[kind(headers), headers['X-One']]", ["builtins.dict", "1"]),
        ("headers: dict[str, str]", "kind(headers)", "builtins.dict"),
        ("query", "[query['a'], query.getall('a'), query['b']]", ["1", ["1", "2"], "ü "]),
        ("query: dict", "[kind(query), query['a']]", ["builtins.dict", "1"]),
        ("query: dict[str, list[str]]", "query", {"a": ["1", "2"], "b": ["ü "], "c": [""]}),
        ("query: str", "query", "a=1&a=2&b=%C3%BC+&c="),
        (
            "context",
            "[kind(context), bool(context.id)]",
            ["pyfunc.function.invocation.Context", True],
        ),
        ("it: pyfunc.Context", "it.remaining() > 0", True),
        ("*args, **kwargs", "[args, kwargs]", [[], {}]),
        ("colour='red', *, size=1", "[colour, size]", ["red", 1]),
        ("size: int = 2", "size", 2),
    ],
)
async def test_row_reads_from_a_request(
    word: str, parameters: str, expression: str, value: object, serve: Serve
) -> None:
    client = await serve(function(word, parameters, f"[{expression}]"))

    answer = await client.put(
        "/a/b%20c/%C3%BC?a=1&a=2&b=%C3%BC+&c=",
        data=b'{"n": 1}',
        headers=[
            ("Content-Type", "application/json"),
            ("X-One", "1"),
            ("X-Many", "a"),
            ("X-Many", "b"),
        ],
    )

    assert answer.status == 200, await answer.text()
    assert await answer.json() == [value]


@pytest.mark.parametrize("name", ["req", "request"])
async def test_request_of_a_def_is_the_view_with_flasks_names(name: str, serve: Serve) -> None:
    expression = f"[kind({name}), {name}.get_json(), {name}.args['a'], {name}.origin]"
    client = await serve(function("def", name, expression))

    answer = await client.post("/?a=1", json={"n": 1}, headers={"Origin": "https://a.example"})

    assert await answer.json() == [
        "pyfunc.request.view.Request",
        {"n": 1},
        "1",
        "https://a.example",
    ]


@pytest.mark.parametrize("name", ["req", "request"])
async def test_request_of_an_async_def_is_aiohttps(name: str, serve: Serve) -> None:
    expression = f"[kind({name}), await {name}.json(), {name}.query['a']]"
    client = await serve(function("async def", name, expression))

    answer = await client.post("/?a=1", json={"n": 1})

    assert await answer.json() == ["aiohttp.web_request.Request", {"n": 1}, "1"]


@both
@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("aiohttp.web.Request", "aiohttp.web_request.Request"),
        ("aiohttp.web.BaseRequest", "aiohttp.web_request.Request"),
        ("pyfunc.Request", "pyfunc.request.view.Request"),
        ("flask.Request", "flask.wrappers.Request"),
        ("'flask.Request | None'", "flask.wrappers.Request"),
    ],
)
async def test_annotation_decides_which_request_it_is(
    word: str, annotation: str, kind: str, serve: Serve
) -> None:
    client = await serve(function(word, f"it: {annotation}", "[kind(it), it.headers['X-A']]"))

    answer = await client.get("/", headers={"X-A": "a"})

    assert await answer.json() == [kind, "a"]


async def test_async_def_reads_a_stream_that_is_still_arriving(serve: Serve) -> None:
    source = """
        async def main(req):
            async for chunk in req.content.iter_any():
                yield chunk
    """
    client = await serve(source)

    answer = await client.post("/", data=b"one two")

    assert await answer.read() == b"one two"


@both
async def test_upload_of_several_megabytes_works(word: str, serve: Serve) -> None:
    reads = {
        "def": "req.files['f'].read()",
        "async def": "(await req.post())['f'].file.read()",
    }
    fields = {"def": "req.form['name']", "async def": "(await req.post())['name']"}
    client = await serve(function(word, "req", f"[len({reads[word]}), {fields[word]}]"))
    form = FormData()
    form.add_field("f", BytesIO(b"x" * 8_000_000), filename="f.bin")
    form.add_field("name", "y" * 900_000)

    answer = await client.post("/", data=form)

    assert await answer.json() == [8_000_000, "y" * 900_000]


async def test_query_and_path_that_are_no_utf8_are_no_failure(serve: Serve) -> None:
    client = await serve("def main(query, path):\n    return dict(query), 200\n")
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET /%FF?a=%FF HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")


# --- of an event ----------------------------------------------------------------------------------


async def send(client: Client, mode: str, data: object = None) -> object:
    """The data of the answer to an event."""
    attributes = {"id": "1", "source": "/tests", "type": "test", "specversion": "1.0"}
    more = {"subject": "s", "time": "2026-11-23T01:02:03Z", "myext": "x"}
    if mode == "binary":
        headers = event_headers(**more)
        answer = await client.post("/", json=data, headers=headers)
    else:
        body = {**attributes, **more, "datacontenttype": "application/json", "data": data}
        content_type = {"Content-Type": "application/cloudevents+json"}
        answer = await client.post("/", json=body, headers=content_type)
    assert answer.status == 200, await answer.text()
    return await answer.json() if answer.content_type == "application/json" else await answer.text()


@pytest.mark.parametrize("mode", ["binary", "structured"])
@both
@pytest.mark.parametrize(
    ("parameters", "expression", "value"),
    [
        ("data", "data", {"n": 1}),
        ("payload", "payload", {"n": 1}),
        ("data: dict", "data", {"n": 1}),
        ("data: str", "__import__('json').loads(data)", {"n": 1}),
        ("data: bytes", "__import__('json').loads(data)", {"n": 1}),
        (
            "attributes",
            "attributes",
            {
                "id": "1",
                "source": "/tests",
                "type": "test",
                "specversion": "1.0",
                "subject": "s",
                "time": "2026-11-23T01:02:03Z",
                "myext": "x",
                "datacontenttype": "application/json",
            },
        ),
        ("attributes: dict", "kind(attributes)", "builtins.dict"),
        (
            "event",
            "[kind(event), event['myext'], event.data]",
            ["pyfunc.cloudevents.event.Event", "x", {"n": 1}],
        ),
        ("it: pyfunc.Event", "[it.type, it.time.year]", ["test", 2026]),
        ("events", "[len(events), events[0].id]", [1, "1"]),
        ("it: list[pyfunc.Event]", "[kind(it), it[0].id]", ["builtins.list", "1"]),
        ("data, method, path", "[data, method, path]", [{"n": 1}, "POST", "/"]),
        ("attributes, body: bytes", "[kind(body), len(body) > 1]", ["builtins.bytes", True]),
        ("data, req", "[data, req.headers['Content-Type'] != '']", [{"n": 1}, True]),
    ],
)
async def test_row_reads_from_an_event(
    word: str, mode: str, parameters: str, expression: str, value: object, serve: Serve
) -> None:
    client = await serve(function(word, parameters, expression, is_event=True))

    assert await send(client, mode, {"n": 1}) == value


@both
@pytest.mark.parametrize("annotation", SDK)
async def test_event_is_an_instance_of_the_class_asked_for(
    word: str, annotation: str, serve: Serve
) -> None:
    client = await serve(function(word, f"it: {annotation}", "kind(it)", is_event=True))

    assert await send(client, "binary", {"n": 1}) == SDK[annotation]


async def test_attributes_are_the_functions_own_to_change(serve: Serve) -> None:
    expression = "[attributes.pop('id'), event.id]"

    client = await serve(function("def", "attributes, event", expression, is_event=True))

    assert await send(client, "binary") == ["1", "1"]


@pytest.mark.parametrize(
    ("parameters", "value"),
    [
        ("data", None),
        ("data=5", 5),
        ("data: int = 5", 5),
        ("data: dict | None", None),
        ("data: str", ""),
        ("*, data: 'list[int]' = [1]", [1]),
    ],
)
async def test_absent_data_is_none_or_the_default(
    parameters: str, value: object, serve: Serve
) -> None:
    client = await serve(function("def", parameters, "[data]", is_event=True))

    answer = await client.post("/", headers=event_headers())

    assert await answer.json() == [value]


async def test_demo_of_the_readme(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    source = """
        import logging
        from typing import Any

        counter = 0

        def main(data: Any, attributes: dict, req: Any):
            global counter
            counter = counter + 1

            logging.info(f"Got data: {data}")
            logging.info(f"From {req.origin}, my {counter}th request!")

            attributes["type"] = "com.example.reply"
            attributes["datacontenttype"] = "text/plain"

            return attributes, "It's a demo"
    """
    client = await serve(source)
    caplog.set_level("INFO")

    with_origin = {**event_headers(), "Origin": "https://a.example"}
    answer = await client.post("/", json={"n": 1}, headers=with_origin)
    await client.post("/", json={"n": 1}, headers=event_headers())

    assert answer.status == 200
    assert answer.headers["ce-type"] == "com.example.reply"
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["ce-specversion"] == "1.0"
    assert await answer.text() == "It's a demo"
    assert "Got data: {'n': 1}" in caplog.messages
    assert "From https://a.example, my 1th request!" in caplog.messages
    assert "From None, my 2th request!" in caplog.messages
