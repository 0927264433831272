"""Every item of the table in `docs/cloudevents.md`, over HTTP: `M15` is its item 15."""

import ast
import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from yarl import URL

from pyfunc import Event, Reject, Retry
from tests.support.apps import Client, Serve
from tests.support.events import event_headers

DOCS = Path(__file__).parents[2] / "docs" / "cloudevents.md"
TESTS = Path(__file__).parents[1]
ITEMS = range(1, 59)

REQUIRED = {"id": "A-1", "source": "/orders", "type": "com.example.order", "specversion": "1.0"}
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def tells(event: Event) -> dict[str, Any]:
    """What arrived, as data of a reply."""
    shown = event.data
    if isinstance(shown, bytes):
        shown = {"bytes": shown.hex()}
    return {"attributes": dict(event.original), "data": shown, "has": event.has_data}


def echo(attributes: dict[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
    return attributes, data


def silent(event: Event) -> None:
    return None


def document(**members: Any) -> dict[str, Any]:
    return {**REQUIRED, **members}


async def structured(client: Client, event: Any, content_type: str = STRUCTURED) -> ClientResponse:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return await client.post("/", data=body, headers={"Content-Type": content_type})


async def binary(
    client: Client, body: bytes = b"{}", content_type: str | None = "application/json", **extra: str
) -> ClientResponse:
    headers = {f"ce-{name}": value for name, value in {**REQUIRED, **extra}.items()}
    if content_type is not None:
        headers["Content-Type"] = content_type
    skip = ["Content-Type"] if content_type is None else []
    return await client.post("/", data=body, headers=headers, skip_auto_headers=skip)


async def told(response: ClientResponse) -> Any:
    """What `tells` saw."""
    assert response.status == 200, await response.text()
    return json.loads(await response.read())


async def faults(response: ClientResponse) -> list[str]:
    assert response.status == 400
    assert response.content_type == "application/problem+json"
    found = (await response.json(content_type=None))["errors"]
    assert isinstance(found, list)
    return found


# --- the table ------------------------------------------------------------------------------------


def rows() -> dict[int, str]:
    found = re.findall(r"^\| M(\d+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    return {int(number): text for number, text in found}


def named() -> set[int]:
    """The items that tests name, in an id or in a comment."""
    source = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    return {int(number) for number in re.findall(r"\bM(\d{1,2})\b", source)}


def test_the_table_has_every_item() -> None:
    assert list(rows()) == list(ITEMS)


def test_every_item_has_a_test_that_names_it() -> None:
    assert set(ITEMS) - named() == set()


def test_every_row_of_the_table_says_what_is_done() -> None:
    assert all(
        re.search(r"\| (done|different|the sender's|yours)", f"| {r}") for r in rows().values()
    )


def test_the_tests_that_name_items_are_tests() -> None:
    """A number in a comment counts only where a test stands below it."""
    tree = ast.parse(Path(__file__).read_text())
    assert sum(isinstance(n, ast.AsyncFunctionDef | ast.FunctionDef) for n in tree.body) > len(
        ITEMS
    )


# --- content modes --------------------------------------------------------------------------------


async def test_binary_and_structured_mode_are_taken(serve: Serve) -> None:  # M1 M2
    client = await serve(tells)
    for response in (await binary(client), await structured(client, document(data={}))):
        assert (await told(response))["attributes"]["id"] == "A-1"


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("application/cloudevents+json; charset=utf-8", id="M4 parameter"),
        pytest.param("application/cloudevents+json;CHARSET=UTF-8", id="M4 case of it"),
        pytest.param("APPLICATION/CloudEvents+JSON", id="M3 case"),
        pytest.param("application/cloudevents+json ; x=y", id="M4 unknown"),
    ],
)
async def test_the_media_type_decides_the_mode(serve: Serve, content_type: str) -> None:
    client = await serve(tells)
    response = await structured(client, document(data=[1]), content_type)
    assert (await told(response))["data"] == [1]


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents-batch+json; charset=utf-8", "Application/CloudEvents-Batch+JSON"],
)
async def test_the_media_type_decides_for_batches_too(  # M3 M4
    serve: Serve, content_type: str
) -> None:
    client = await serve(echo)
    response = await structured(client, [document(data=[1])], content_type)
    assert response.headers["Content-Type"] == BATCH


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+xml",
        "application/cloudevents+avro",
        "application/cloudevents+protobuf",
        "application/cloudevents-batch+xml",
        "application/cloudevents",
        "application/cloudeventsfoo",
    ],
)
async def test_an_unknown_format_is_415(serve: Serve, content_type: str) -> None:  # M5 M54
    client = await serve(tells)
    headers = {**event_headers(), "Content-Type": content_type}
    response = await client.post("/", data=b"<event/>", headers=headers)
    assert response.status == 415
    assert "expected application/cloudevents" in await response.text()


async def test_a_batch_is_answered_when_all_its_events_are_handled(serve: Serve) -> None:  # M6
    handled: list[str] = []

    async def handle(event: Event) -> None:
        handled.append(event.id)

    client = await serve(handle)
    response = await structured(client, [document(id="1"), document(id="2")], BATCH)
    assert (response.status, await response.read()) == (200, b"")
    assert sorted(handled) == ["1", "2"]


async def test_an_empty_batch_is_200(serve: Serve) -> None:  # M7
    client = await serve(tells)
    response = await structured(client, [], BATCH)
    assert (response.status, await response.read()) == (200, b"")


async def test_a_batch_of_replies_has_the_bare_media_type(serve: Serve) -> None:  # M8
    client = await serve(echo)
    response = await structured(client, [document(data=1), document(id="2", data=2)], BATCH)
    assert response.headers["Content-Type"] == BATCH
    replies = await response.json(content_type=None)
    assert [reply["data"] for reply in replies] == [1, 2]


async def test_no_ce_headers_is_no_event(serve: Serve) -> None:  # M9
    client = await serve(tells)
    response = await client.post("/", json={"id": "1"})
    assert response.status == 400
    assert "ce-id, ce-source, ce-type" in (await response.json(content_type=None))["detail"]


async def test_content_type_is_datacontenttype(serve: Serve) -> None:  # M10
    client = await serve(tells)
    response = await binary(client, b"hi", "Text/Plain; charset=UTF-8", datacontenttype="x/y")
    attributes = (await told(response))["attributes"]
    assert attributes["datacontenttype"] == "Text/Plain; charset=UTF-8"


async def test_several_content_types_are_none(serve: Serve) -> None:  # M10
    client = await serve(tells)
    headers = [*event_headers().items(), ("Content-Type", "text/plain")]
    assert (await client.post("/", data=b"{}", headers=headers)).status == 400


async def test_content_type_is_datacontenttype_in_replies(serve: Serve) -> None:  # M10 M41
    client = await serve(lambda event: ({"datacontenttype": "text/csv", "type": "t"}, "a,b"))
    response = await binary(client)
    assert response.headers["Content-Type"] == "text/csv"
    assert "ce-datacontenttype" not in response.headers
    assert await response.read() == b"a,b"


async def test_every_attribute_has_its_header_in_any_case(serve: Serve) -> None:  # M11
    client = await serve(echo)
    headers = {"CE-" + name.upper(): value for name, value in REQUIRED.items()}
    headers["Ce-MyExtension"] = "x"
    response = await client.post("/", data=b"{}", headers=headers)
    assert response.headers["ce-myextension"] == "x"
    assert {name: response.headers[f"ce-{name}"] for name in REQUIRED} == REQUIRED


async def test_the_payload_of_a_structured_event_wins(serve: Serve) -> None:  # M12
    client = await serve(tells)
    headers = {"Content-Type": STRUCTURED, "ce-id": "other", "ce-source": "", "ce-extra": "%ff"}
    response = await client.post("/", data=json.dumps(document()), headers=headers)
    assert (await told(response))["attributes"] == REQUIRED


@pytest.mark.parametrize("path", ["/", "/a/b", "/a?b=c", "/%20"])
async def test_any_target_takes_events(serve: Serve, path: str) -> None:  # M13
    client = await serve(tells)
    response = await client.post(URL(path, encoded=True), data=b"{}", headers=event_headers())
    assert response.status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_other_methods_are_405(serve: Serve, method: str) -> None:  # M13
    client = await serve(tells)
    response = await client.request(method, "/", data=b"{}", headers=event_headers())
    assert response.status == 405
    assert "POST" in response.headers["Allow"]


# --- header values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        pytest.param('"quoted"', "quoted", id="M14 quoted"),
        pytest.param(r'"a \"b\" \\ c"', r'a "b" \ c', id="M14 escapes"),
        pytest.param('"a%20b"', "a b", id="M14 then M15"),
        pytest.param(r'"%5C%22"', '\\"', id="M14 before M15"),
        pytest.param("a%20b", "a b", id="M15 once"),
        pytest.param("%2541", "%41", id="M15 not twice"),
        pytest.param("%e2%82%ac", "\u20ac", id="M16 lower-case hex"),
        pytest.param("%41%62", "Ab", id="M16 unnecessary"),
        pytest.param("%F0%9F%98%80", "\U0001f600", id="M16 beyond the BMP"),
        pytest.param("Euro \u20ac \U0001f600", "Euro \u20ac \U0001f600", id="M19 raw UTF-8"),
        pytest.param("100%", "100%", id="M19 lone percent"),
        pytest.param("50% off %zz %4", "50% off %zz %4", id="M19 percent and no hex"),
        pytest.param('a "b" c', 'a "b" c', id="M14 quotes inside only"),
        pytest.param('"', '"', id="M14 a lone quote"),
    ],
)
async def test_header_values_are_unescaped_then_decoded_once(
    serve: Serve, sent: str, meant: str
) -> None:
    client = await serve(tells)
    response = await binary(client, subject=sent, myext=sent)
    attributes = (await told(response))["attributes"]
    assert (attributes["subject"], attributes["myext"]) == (meant, meant)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("%C0%A0", id="M17 overlong"),
        pytest.param("%ff", id="M17 no UTF-8"),
        pytest.param("%ED%A0%80", id="M17 surrogate"),
        pytest.param("%E2%82", id="M17 cut off"),
        pytest.param("%00", id="M29 NUL"),
        pytest.param("a%0D%0Ab", id="M29 line break"),
        pytest.param("%C2%85", id="M29 C1 control"),
        pytest.param("%EF%BF%BF", id="M29 non-character"),
    ],
)
async def test_header_values_that_are_no_text_are_refused(serve: Serve, sent: str) -> None:
    client = await serve(tells)
    found = await faults(await binary(client, subject=sent))
    assert [fault.partition(":")[0] for fault in found] == ["subject"]


@pytest.mark.parametrize(
    ("value", "header"),
    [
        pytest.param("a b", "a%20b", id="M18 space"),
        pytest.param('"', "%22", id="M18 quote"),
        pytest.param("100%", "100%25", id="M18 percent"),
        pytest.param("\u20ac", "%E2%82%AC", id="M18 upper-case hex"),
        pytest.param("\U0001f600", "%F0%9F%98%80", id="M18 one character"),
        pytest.param("~!#$&'()*+,-./:;<=>?@[\\]^_`{|}", None, id="M18 nothing else"),
    ],
)
async def test_reply_values_are_percent_encoded(
    serve: Serve, value: str, header: str | None
) -> None:
    client = await serve(lambda event: ({"type": "t", "subject": value}, None), reply_mode="binary")
    response = await binary(client)
    assert response.headers["ce-subject"] == (header or value)


@pytest.mark.parametrize("value", ["a b", '"', "100%", "\u20ac", "\U0001f600"])
async def test_replies_that_would_be_encoded_go_out_structured(  # M19 M20 M43
    serve: Serve, value: str
) -> None:
    client = await serve(lambda event: ({"type": "t", "subject": value}, "x"))
    response = await binary(client)
    assert response.headers["Content-Type"] == STRUCTURED
    assert (await response.json(content_type=None))["subject"] == value


async def test_structured_attributes_are_not_percent_decoded(serve: Serve) -> None:  # M20
    client = await serve(tells)
    response = await structured(client, document(subject="a%20b"))
    assert (await told(response))["attributes"]["subject"] == "a%20b"


# --- attributes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REQUIRED)
async def test_required_attributes_are_required(serve: Serve, name: str) -> None:  # M21
    client = await serve(tells)
    without = {key: value for key, value in REQUIRED.items() if key != name}
    headers = {"Content-Type": "text/plain", **{f"ce-{k}": v for k, v in without.items()}}
    assert await faults(await client.post("/", headers=headers)) == [f"{name}: missing"]
    assert await faults(await structured(client, without)) == [f"{name}: missing"]
    assert await faults(await structured(client, [document(), without], BATCH)) == [
        f"[1].{name}: missing"
    ]


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", ["", 5, True, 1.5, ["x"], {"a": 1}])
async def test_required_attributes_are_strings(serve: Serve, name: str, value: Any) -> None:  # M21
    client = await serve(tells)
    found = await faults(await structured(client, document(**{name: value})))
    assert len(found) == 1
    assert found[0].startswith(f"{name}: expected a ")


async def test_every_fault_is_told(serve: Serve) -> None:  # M21 M25
    client = await serve(tells)
    event = {"specversion": "9", "id": 1, "time": "yesterday", "Bad": "x", "list": []}
    assert sorted(await faults(await structured(client, event))) == [
        "Bad: expected a name of lower-case letters and digits",
        "id: expected a string, found a number",
        "list: expected a string, an integer or a boolean, found an array",
        "source: missing",
        "specversion: expected 1.0 (or 0.3)",
        "time: expected a timestamp such as 2026-01-31T12:00:00Z (RFC 3339)",
        "type: missing",
    ]


@pytest.mark.parametrize("version", ["0.1", "1.1", "2.0", "1", "1.0 "])
async def test_other_versions_are_not_understood(serve: Serve, version: str) -> None:  # M22
    client = await serve(tells)
    assert await faults(await structured(client, document(specversion=version))) == [
        "specversion: expected 1.0 (or 0.3)"
    ]


async def test_version_03_is_taken_and_given_back(serve: Serve) -> None:  # M22
    client = await serve(echo)
    event = document(
        specversion="0.3",
        schemaurl="https://example.com/schema",
        datacontenttype="application/octet-stream",
        datacontentencoding="base64",
        data="AAH/",
    )
    response = await structured(client, event)
    assert await response.read() == b"\x00\x01\xff"
    assert response.headers["ce-schemaurl"] == "https://example.com/schema"
    assert response.headers["ce-specversion"] == "0.3"
    assert "ce-datacontentencoding" not in response.headers


async def test_version_03_goes_out_structured_with_its_encoding(serve: Serve) -> None:  # M22
    client = await serve(echo, reply_mode="structured")
    response = await binary(client, b"\x00", "application/octet-stream", specversion="0.3")
    reply = await response.json(content_type=None)
    assert (reply["data"], reply["datacontentencoding"]) == ("AA==", "base64")


async def test_version_03_in_binary_mode_with_base64(serve: Serve) -> None:  # M22
    client = await serve(tells)
    response = await binary(
        client, b"eyJhIjoxfQ==", specversion="0.3", datacontentencoding="Base64"
    )
    assert (await told(response))["data"] == {"a": 1}


@pytest.mark.parametrize(("encoding", "data"), [("base64", "!"), ("base64", 5), ("rot13", "x")])
async def test_version_03_with_a_wrong_encoding_is_400(
    serve: Serve, encoding: str, data: Any
) -> None:
    client = await serve(tells)
    event = document(specversion="0.3", datacontentencoding=encoding, data=data)
    assert len(await faults(await structured(client, event))) == 1


@pytest.mark.parametrize("name", ["myExt", "my_ext", "my-ext", "my.ext", "m\u00fc", "", "data_x"])
async def test_names_are_lower_case_letters_and_digits(serve: Serve, name: str) -> None:  # M23
    client = await serve(tells)
    found = await faults(await structured(client, document(**{name: "x"})))
    shown = name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else "an attribute"
    assert found == [f"{shown}: expected a name of lower-case letters and digits"]


@pytest.mark.parametrize("header", ["ce-my_ext", "ce-data", "ce-", "ce-a.b"])
async def test_names_in_headers_too(serve: Serve, header: str) -> None:  # M23
    client = await serve(tells)
    response = await client.post("/", headers={**event_headers(), header: "x"})
    assert len(await faults(response)) == 1


@pytest.mark.parametrize("value", [1.5, 1e2, [1], {"a": 1}, 2**31, -(2**31) - 1])
async def test_values_have_a_type_of_the_type_system(serve: Serve, value: Any) -> None:  # M24
    client = await serve(tells)
    found = await faults(await structured(client, document(myext=value)))
    assert found[0].startswith("myext: expected ")


@pytest.mark.parametrize("value", [True, False, 0, 2**31 - 1, -(2**31), "", "x"])
async def test_values_of_the_type_system_are_kept(serve: Serve, value: Any) -> None:  # M24
    client = await serve(echo, reply_mode="structured")
    reply = await (await structured(client, document(myext=value))).json(content_type=None)
    assert reply["myext"] == value
    assert type(reply["myext"]) is type(value)


TIMES = {
    "2026-11-23T01:02:03Z": True,
    "2026-11-23t01:02:03z": True,
    "2026-11-23T01:02:03.123456789+05:30": True,
    "2016-12-31T23:59:60Z": True,
    "2024-02-29T00:00:00-23:59": True,
    "2026-02-29T00:00:00Z": False,
    "2026-11-23T24:00:00Z": False,
    "2026-11-23T01:02:03": False,
    "2026-11-23 01:02:03Z": False,
    "2026-11-23": False,
    "2026-11-23T01:02Z": False,
    "20261123T010203Z": False,
    "2026-11-23T01:02:03.Z": False,
    "9999-12-31T23:59:60Z": False,
    "\u0662\u0660\u0662\u0666-11-23T01:02:03Z": False,
    "1700000000": False,
}


@pytest.mark.parametrize(("time", "good"), TIMES.items())
async def test_time_is_rfc_3339(serve: Serve, time: str, good: bool) -> None:  # M25
    client = await serve(echo)
    response = await structured(client, document(time=time, data=1))
    if good:
        assert response.headers["ce-time"] == time
    else:
        assert (await faults(response))[0].startswith("time: expected a timestamp")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("subject", "", "expected a value, found an empty one"),
        ("dataschema", "", "expected a value, found an empty one"),
        ("dataschema", "/relative", "expected an absolute URI"),
        ("datacontenttype", "json", "expected a media type such as application/json (RFC 2046)"),
        ("datacontenttype", "a/b/c", "expected a media type such as application/json (RFC 2046)"),
        ("datacontenttype", "text/\u00e4", None),
    ],
)
async def test_optional_attributes_are_valid_if_present(  # M25
    serve: Serve, name: str, value: str, reason: str | None
) -> None:
    client = await serve(tells)
    found = await faults(await structured(client, document(**{name: value})))
    assert found[0].startswith(f"{name}: {reason or ''}")


async def test_null_is_unset(serve: Serve) -> None:  # M26
    client = await serve(tells)
    response = await structured(client, document(subject=None, time=None, myext=None))
    assert (await told(response))["attributes"] == REQUIRED
    assert await faults(await structured(client, document(id=None))) == ["id: missing"]


async def test_canonical_strings_in_headers(serve: Serve) -> None:  # M27
    client = await serve(echo)
    response = await structured(client, document(flag=True, other=False, count=-7, data=1))
    headers = response.headers
    assert (headers["ce-flag"], headers["ce-other"], headers["ce-count"]) == ("true", "false", "-7")


async def test_media_types_are_compared_in_any_case(serve: Serve) -> None:  # M28
    client = await serve(tells)
    latin = await binary(client, b"\xe9", 'TEXT/plain; CharSet="ISO-8859-1"')
    assert (await told(latin))["data"] == "\u00e9"
    assert (await told(await binary(client, b"[1]", "Application/VND.x+JSON")))["data"] == [1]


@pytest.mark.parametrize("value", ["a\u0000", "\u001f", "\u007f", "\u009f", "\ufffe", "\U0001ffff"])
async def test_strings_hold_text_only(serve: Serve, value: str) -> None:  # M29
    client = await serve(tells)
    assert len(await faults(await structured(client, document(subject=value)))) == 1
    assert len(await faults(await structured(client, document(myext=value)))) == 1


async def test_strings_hold_no_lone_surrogates(serve: Serve) -> None:  # M29
    client = await serve(tells)
    event = json.dumps(document()).encode().replace(b'"A-1"', b'"\\ud800"')
    assert (await structured(client, event)).status == 400


async def test_duplicates_are_taken(serve: Serve) -> None:  # M30
    client = await serve(tells)
    assert [(await binary(client)).status for _ in range(2)] == [200, 200]


# --- data -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"plain", b'{"a": 1}', b"123", b"\xff\x00", b"\xef\xbb\xbfx"])
async def test_octets_stay_octets(serve: Serve, body: bytes) -> None:  # M31
    client = await serve(tells)
    response = await binary(client, body, "application/octet-stream")
    assert (await told(response))["data"] == {"bytes": body.hex()}
    back = await binary(await serve(echo), body, "application/octet-stream")
    assert await back.read() == body


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/json", "image/json", "application/vnd.a+json; v=1"]
)
async def test_json_types_are_parsed(serve: Serve, content_type: str) -> None:  # M32
    client = await serve(tells)
    assert (await told(await binary(client, b'["a"]', content_type)))["data"] == ["a"]


async def test_malformed_json_is_400(serve: Serve) -> None:  # M32
    client = await serve(tells)
    assert (await binary(client, b"{'a'}")).status == 400


async def test_a_byte_order_mark_is_tolerated(serve: Serve) -> None:  # M32 M2
    client = await serve(tells)
    mark = b"\xef\xbb\xbf"
    assert (await told(await binary(client, mark + b"[1]")))["data"] == [1]
    event = json.dumps(document(data=[2])).encode()
    assert (await told(await structured(client, mark + event)))["data"] == [2]
    batch = await structured(client, mark + b"[" + event + b"]", BATCH)
    assert batch.status == 200


async def test_the_last_of_duplicate_members_wins(serve: Serve) -> None:  # M21 M32
    client = await serve(tells)
    seen = await told(await structured(client, b'{"id":"0",' + json.dumps(document()).encode()[1:]))
    assert seen["attributes"]["id"] == "A-1"
    assert (await told(await binary(client, b'{"a": 1, "a": 2}')))["data"] == {"a": 2}


@pytest.mark.parametrize("text", [b"NaN", b"-Infinity", b"1" * 5000, b"[" * 100_000])
async def test_extreme_json_is_400_wherever_it_stands(serve: Serve, text: bytes) -> None:  # M32
    def typed(data: dict[str, int]) -> None:
        return None

    for function in (tells, typed):
        client = await serve(function)
        assert (await binary(client, text)).status == 400
        assert (await binary(client, b'{"a":%b}' % text)).status == 400
        event = json.dumps(document()).encode()[:-1]
        assert (await structured(client, event + b',"data":%b}' % text)).status == 400
        assert (await structured(client, event + b',"ext":%b}' % text)).status == 400


async def test_data_base64_is_octets_and_not_json(serve: Serve) -> None:  # M33
    client = await serve(tells)
    encoded = base64.b64encode(b'{"a": 1}').decode()
    untyped = await structured(client, document(data_base64=encoded))
    assert await told(untyped) == {
        "attributes": REQUIRED,
        "data": {"bytes": b'{"a": 1}'.hex()},
        "has": True,
    }
    typed = await structured(
        client, document(data_base64=encoded, datacontenttype="application/json")
    )
    assert (await told(typed))["data"] == {"a": 1}


@pytest.mark.parametrize("encoded", ["!", "YQ", 5, "Y Q==", "\u00e9"])
async def test_data_base64_that_is_none_is_400(serve: Serve, encoded: Any) -> None:  # M33
    client = await serve(tells)
    assert await faults(await structured(client, document(data_base64=encoded))) == [
        "data_base64: expected a string in Base64 (RFC 4648)"
    ]


@pytest.mark.parametrize("data", ["text", '{"a": 1}', "123", 5, True, [], {}, {"a": None}])
async def test_json_data_is_used_directly(serve: Serve, data: Any) -> None:  # M34 M40
    client = await serve(echo, reply_mode="structured")
    for event in (document(data=data), document(data=data, datacontenttype="application/json")):
        reply = await (await structured(client, event)).json(content_type=None)
        assert reply["data"] == data
        assert type(reply["data"]) is type(data)


async def test_data_without_a_type_is_json_and_says_so_when_it_leaves(serve: Serve) -> None:  # M35
    client = await serve(echo)
    response = await structured(client, document(data="text"))
    assert response.headers["Content-Type"] == "application/json"
    assert await response.read() == b'"text"'


async def test_text_in_a_structured_event(serve: Serve) -> None:  # M36
    client = await serve(tells)
    text = document(data='{"a": 1}', datacontenttype="text/plain")
    assert (await told(await structured(client, text)))["data"] == '{"a": 1}'
    xml = document(data="<a/>", datacontenttype="application/xml")
    assert (await told(await structured(client, xml)))["data"] == {"bytes": b"<a/>".hex()}
    other = document(data={"a": 1}, datacontenttype="text/plain")
    assert (await told(await structured(client, other)))["data"] == '{"a": 1}'


async def test_data_and_data_base64_exclude_each_other(serve: Serve) -> None:  # M37
    client = await serve(tells)
    assert await faults(await structured(client, document(data=1, data_base64="YQ=="))) == [
        "data: expected either data or data_base64, found both"
    ]


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "image/png"])
async def test_null_is_distinct_from_absent(  # M38
    serve: Serve, content_type: str | None
) -> None:
    client = await serve(tells)
    seen = await told(await structured(client, document(data=None, datacontenttype=content_type)))
    assert (seen["data"], seen["has"]) == (None, True)
    seen = await told(await structured(client, document(datacontenttype=content_type)))
    assert (seen["data"], seen["has"]) == (None, False)


async def test_null_comes_back_as_null(serve: Serve) -> None:  # M38
    client = await serve(echo, reply_mode="structured")
    reply = await (await structured(client, document(data=None))).json(content_type=None)
    assert "data" in reply
    assert reply["data"] is None
    assert "data" not in await (await structured(client, document())).json(content_type=None)


async def test_large_events_are_taken(serve: Serve) -> None:  # M39
    client = await serve(echo)
    body = b"x" * (1 << 20)
    assert await (await binary(client, body, "text/plain")).read() == body


@pytest.mark.parametrize(
    ("content_type", "data", "members"),
    [
        (None, b"\x00", {"data_base64": "AA=="}),
        ("image/png", b"\x00", {"data_base64": "AA==", "datacontenttype": "image/png"}),
        ("application/json", b'{"a":1}', {"data": {"a": 1}, "datacontenttype": "application/json"}),
        ("application/json", b"{", {"data_base64": "ew==", "datacontenttype": "application/json"}),
        ("application/json", "{}", {"data": "{}", "datacontenttype": "application/json"}),
        (None, {"a": 1}, {"data": {"a": 1}, "datacontenttype": "application/json"}),
        (None, "text", {"data": "text", "datacontenttype": "text/plain"}),
        ("text/csv", "a,b", {"data": "a,b", "datacontenttype": "text/csv"}),
        ("application/xml", "<a/>", {"data": "<a/>", "datacontenttype": "application/xml"}),
        ("text/plain", {"a": 1}, {"data": '{"a":1}', "datacontenttype": "text/plain"}),
    ],
)
async def test_data_of_structured_replies(  # M40
    serve: Serve, content_type: str | None, data: Any, members: Mapping[str, Any]
) -> None:
    client = await serve(
        lambda event: ({"type": "t", "datacontenttype": content_type}, data),
        reply_mode="structured",
    )
    reply = await (await binary(client)).json(content_type=None)
    kept = {"data", "data_base64", "datacontenttype"}
    assert {name: value for name, value in reply.items() if name in kept} == members


@pytest.mark.parametrize(
    ("content_type", "data", "header", "body"),
    [
        ("image/png", b"\x00", "image/png", b"\x00"),
        (None, b"\x00", "application/octet-stream", b"\x00"),
        (None, "text", "text/plain; charset=utf-8", b"text"),
        (None, {"a": 1}, "application/json", b'{"a":1}'),
        ("application/json", "text", "application/json", b'"text"'),
        ("text/plain; charset=latin-1", "\u00e9", "text/plain; charset=latin-1", b"\xe9"),
        ("application/json; charset=utf-16-le", 1, "application/json; charset=utf-16-le", b"1\0"),
    ],
)
async def test_data_of_binary_replies(  # M41
    serve: Serve, content_type: str | None, data: Any, header: str, body: bytes
) -> None:
    client = await serve(lambda event: ({"type": "t", "datacontenttype": content_type}, data))
    response = await binary(client)
    assert (response.headers["Content-Type"], await response.read()) == (header, body)


# --- replies and Knative --------------------------------------------------------------------------


async def test_a_reply_has_what_it_needs(serve: Serve) -> None:  # M42
    client = await serve(lambda event: {"anything": 1})
    first, second = [(await binary(client)).headers for _ in range(2)]
    assert first["ce-specversion"] == "1.0"
    assert first["ce-type"] == "com.example.order.reply"
    assert first["ce-source"]
    assert first["ce-id"] != second["ce-id"]


def changed_type(attributes: dict[str, Any], data: Any) -> Any:
    return {**attributes, "type": "other"}, data


def changed_data(attributes: dict[str, Any], data: Any) -> Any:
    return attributes, [data]


def changed_in_place(event: Event) -> Any:
    event["type"] = "other"
    return event


def changed_data_in_place(event: Event) -> Any:
    event.data["x"] = 1
    return event


def new_data_in_place(event: Event) -> Any:
    event.data = "new"
    return event


@pytest.mark.parametrize(
    "function",
    [changed_type, changed_data, changed_in_place, changed_data_in_place, new_data_in_place],
)
async def test_a_changed_event_gets_an_id_of_its_own(serve: Serve, function: Any) -> None:  # M42
    client = await serve(function)
    assert (await binary(client)).headers["ce-id"] != "A-1"


def in_a_list(event: Event) -> list[Event]:
    return [event]


def as_it_is(event: Event) -> Event:
    return event


@pytest.mark.parametrize("function", [echo, as_it_is, in_a_list])
async def test_an_event_that_is_passed_on_stays_the_same(serve: Serve, function: Any) -> None:
    client = await serve(function, reply_mode="structured")  # M42
    response = await binary(client)
    reply = await response.json(content_type=None)
    reply = reply[0] if isinstance(reply, list) else reply
    assert reply == document(data={}, datacontenttype="application/json")


async def test_an_id_that_the_function_chose_is_kept(serve: Serve) -> None:  # M42
    client = await serve(lambda event: ({"type": "t", "id": "A-1", "source": "/mine"}, None))
    assert (await binary(client)).headers["ce-id"] == "A-1"


async def test_structured_replies_have_the_one_type_that_javascript_knows(  # M43
    serve: Serve,
) -> None:
    client = await serve(echo, reply_mode="structured")
    assert (await binary(client)).headers.getall("Content-Type") == [STRUCTURED]


@pytest.mark.parametrize("function", [echo, silent])
async def test_an_accepted_event_is_200(serve: Serve, function: Any) -> None:  # M44 M53
    client = await serve(function)
    assert (await binary(client)).status == 200


@pytest.mark.parametrize("returned", [None, [], "text", 5, {"a": 1}, b"x", [1], (1, 2), True])
async def test_an_answer_is_empty_or_an_event(serve: Serve, returned: Any) -> None:  # M45
    client = await serve(lambda event: returned)
    response = await binary(client)
    assert response.status == 200
    if returned is None or returned == []:
        assert await response.read() == b""
        assert "Content-Type" not in response.headers
    else:
        assert response.headers["ce-type"] == "com.example.order.reply"


async def test_an_event_is_accepted_when_the_function_is_done(serve: Serve) -> None:  # M46
    done: list[str] = []

    def work(event: Event) -> None:
        done.append(event.id)

    client = await serve(work)
    assert (await binary(client)).status == 200
    assert done == ["A-1"]


def fails(event: Event) -> None:
    raise ValueError("secret")


def rejects(event: Event) -> None:
    raise Reject("no such order")


def retries(event: Event) -> None:
    raise Retry("busy", after=29.5)


@pytest.mark.parametrize(("function", "status"), [(fails, 500), (rejects, 422), (retries, 503)])
async def test_what_is_repeated_and_what_is_not(  # M47
    serve: Serve, function: Any, status: int
) -> None:
    client = await serve(function)
    assert (await binary(client)).status == status


async def test_what_cannot_be_parsed_is_not_repeated(serve: Serve) -> None:  # M47
    client = await serve(tells)
    assert (await structured(client, b"{")).status == 400


async def test_retry_after_is_in_whole_seconds(serve: Serve) -> None:  # M48
    client = await serve(retries)
    assert (await binary(client)).headers["Retry-After"] == "30"


async def test_options_lists_post(serve: Serve) -> None:  # M49
    client = await serve(echo)
    response = await client.options("/")
    assert (response.status, await response.read()) == (204, b"")
    assert "POST" in response.headers["Allow"]


async def test_a_sender_that_says_so_gets_the_reply(serve: Serve) -> None:  # M50
    client = await serve(echo)
    for said in ("reply", "respond-async, Reply", "return=minimal, reply"):
        response = await client.post("/", data=b"{}", headers={**event_headers(), "Prefer": said})
        assert response.headers["ce-type"] == "test"


async def test_a_sender_that_wants_no_reply_gets_none(serve: Serve) -> None:  # M50
    client = await serve(echo)
    headers = {**event_headers(), "Prefer": "return=minimal"}
    response = await client.post("/", data=b"{}", headers=headers)
    assert (response.status, await response.read()) == (200, b"")
    assert "ce-id" not in response.headers


async def test_a_reply_that_may_not_be_read_is_told_once(  # M50
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "pyfunc")
    client = await serve(changed_type)
    for _ in range(2):
        assert (await binary(client)).headers["ce-type"] == "other"
    assert sum("Prefer: reply" in record.message for record in caplog.records) == 1
    assert {record.levelname for record in caplog.records} == {"DEBUG"}


async def test_the_reason_reaches_the_dead_letter_and_a_secret_does_not(serve: Serve) -> None:
    refused = await (await binary(await serve(rejects))).text()  # M51
    assert "no such order" in refused
    failed = await (await binary(await serve(fails))).text()
    assert "secret" not in failed
    assert "Traceback" not in failed


# --- loops ----------------------------------------------------------------------------------------


async def test_a_reply_of_the_type_received_is_warned_of_once_for_each_type(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(lambda attributes, data: (attributes, [data]))
    for type in ("a", "b", "a", "b", "x" * 1000):
        assert (await binary(client, type=type)).status == 200
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text.partition("that was")[0] for text in told] == [
        "the reply has the type 'a' ",
        "the reply has the type 'b' ",
    ]


async def test_a_reply_of_another_type_is_not_warned_of(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = await serve(changed_type)
    assert (await binary(client)).status == 200
    assert caplog.records == []


# --- web hooks and traces -------------------------------------------------------------------------


async def test_an_answer_to_a_delivery_is_never_a_redirect(serve: Serve) -> None:  # M52
    client = await serve(echo)
    for path in ("/a", "/a/", "/a//b", "/a/../b"):
        url = URL(path, encoded=True)
        response = await client.post(
            url, data=b"{}", headers=event_headers(), allow_redirects=False
        )
        assert response.status == 200


async def test_an_answer_with_a_payload_has_a_content_type(serve: Serve) -> None:  # M53
    client = await serve(lambda event: ({"type": "t"}, b"x"))
    assert (await binary(client)).headers["Content-Type"] == "application/octet-stream"
    assert "Content-Type" not in (await binary(await serve(silent))).headers


async def test_a_target_takes_authorization_in_both_forms(serve: Serve) -> None:  # M57
    client = await serve(tells)
    headers = {**event_headers(), "Authorization": "Bearer secret"}
    response = await client.post("/?access_token=secret", data=b"{}", headers=headers)
    assert "secret" not in json.dumps(await told(response))


async def test_the_start_of_a_trace_is_not_overwritten_by_the_hop(serve: Serve) -> None:  # M58
    start = f"00-{'1' * 32}-{'1' * 16}-01"
    hop = f"00-{'2' * 32}-{'2' * 16}-01"
    client = await serve(echo)
    headers = {**event_headers(traceparent=start), "traceparent": hop}
    response = await client.post("/", data=b"{}", headers=headers)
    assert response.headers["ce-traceparent"] == start
    assert response.headers["traceparent"] == hop
    empty = {**event_headers(traceparent=""), "traceparent": hop}
    assert (await client.post("/", data=b"{}", headers=empty)).status == 200
