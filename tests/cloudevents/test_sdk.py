"""The CloudEvents SDK at our border, with programs written for SDK 1.x in `functions/sdk`."""

import asyncio
import copy
import importlib
import importlib.util
import json
import pickle
import re
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cloudevents.core.bindings import http as core_http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as CoreEvent
from cloudevents.v1 import http as v1_http
from cloudevents.v1.abstract import CloudEvent as AbstractEvent
from cloudevents.v1.conversion import to_binary, to_json, to_structured
from cloudevents.v1.pydantic import CloudEvent as ModelEvent
from cloudevents.v1.sdk.event import v1 as v1_event
from cloudevents.v1.sdk.event.base import BaseEvent
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from pyfunc.cloudevents import sdk

FUNCTIONS = Path(__file__).parent.parent / "functions" / "sdk"

NANOSECONDS = "2026-11-23T01:02:03.123456789Z"

EVENT: Mapping[str, object] = types.MappingProxyType(
    {
        "id": "A-1",
        "source": "/orders",
        "type": "com.example.order",
        "specversion": "1.0",
        "subject": "42",
        "time": NANOSECONDS,
        "datacontenttype": "application/json",
        "dataschema": "https://example.com/order.json",
        "comexampleflag": True,
        "comexamplecount": 7,
        "extensions": "a legal name, which the SDK uses itself",
    }
)

EVENT_03: Mapping[str, object] = types.MappingProxyType(
    {
        "id": "A-1",
        "source": "/orders",
        "type": "com.example.order",
        "specversion": "0.3",
        "time": NANOSECONDS,
        "schemaurl": "https://example.com/order.json",
        "datacontentencoding": "base64",
        "datacontenttype": "application/octet-stream",
    }
)

BARE: Mapping[str, str] = types.MappingProxyType(
    {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}
)

BINARY_REQUEST = CIMultiDictProxy(
    CIMultiDict(
        {
            "Ce-Id": "A-1",
            "Ce-Source": "/numbers",
            "Ce-Type": "com.example.numbers",
            "Ce-Specversion": "1.0",
            "Content-Type": "application/json",
        }
    )
)

DATA = [
    pytest.param(None, id="none"),
    pytest.param(b"\xff\x00", id="octets"),
    pytest.param(b"text", id="octets that are UTF-8"),
    pytest.param("text", id="text"),
    pytest.param({"a": [1, None]}, id="dict"),
    pytest.param([1, "two"], id="list"),
    pytest.param(1.5, id="number"),
]

# Spelled as users write them; the last name is an attribute.
CLASSES = [
    "cloudevents.core.v1.event.CloudEvent",
    "cloudevents.core.v03.event.CloudEvent",
    "cloudevents.core.base.BaseCloudEvent",
    "cloudevents.v1.http.CloudEvent",
    "cloudevents.v1.pydantic.CloudEvent",
    "cloudevents.v1.pydantic.v1.CloudEvent",
    "cloudevents.v1.pydantic.v2.CloudEvent",
    "cloudevents.v1.abstract.CloudEvent",
    "cloudevents.v1.abstract.AnyCloudEvent",
    "cloudevents.v1.sdk.event.v1.Event",
    "cloudevents.v1.sdk.event.v03.Event",
    "cloudevents.v1.sdk.event.base.BaseEvent",
]


def named(name: str) -> typing.Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def build(annotation: object, attributes: Mapping[str, object], data: object = None) -> typing.Any:
    make = sdk.builder(annotation)
    assert make is not None
    return make(attributes, data)


def load(name: str) -> typing.Any:
    spec = importlib.util.spec_from_file_location(f"sdk_{name}", FUNCTIONS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invoke(function: typing.Any, attributes: Mapping[str, object], data: object) -> typing.Any:
    """Call an event function as its annotation wants, and take its reply apart."""
    annotation = typing.get_type_hints(function)["event"]
    return sdk.unpack(function(build(annotation, attributes, data)))


@pytest.mark.filterwarnings("ignore:.* is deprecated as of 1:DeprecationWarning")  # the SDK's own
class TestProgramsOfSdk1:
    def test_http_conversion(self, aliases: None) -> None:
        headers, body = load("http_conversion").main(BINARY_REQUEST, b'{"numbers": [1, 2]}')
        assert headers["ce-id"] == "re-A-1"
        assert json.loads(body) == {"sum": 3, "of": "com.example.numbers"}

    def test_structured_conversion(self, aliases: None) -> None:
        event = json.dumps({**BARE, "data": {"a": 1}}).encode()
        content = {"Content-Type": "application/cloudevents+json"}
        message = sdk.http_message(load("http_conversion").structured(content, event))
        assert message is not None
        headers, body = message
        assert headers == {"content-type": "application/cloudevents+json"}
        reply = json.loads(body)
        assert (reply["type"], reply["data"]) == ("com.example.reply", {"a": 1})

    def test_an_event_passed_through_json_comes_back_as_it_was(self, aliases: None) -> None:
        # `CloudEvent.extensions` is what SDK 1.x cannot read back.
        attributes = {name: v for name, v in EVENT.items() if name != "extensions"}
        reply = invoke(load("http_conversion").passed_on, attributes, {"a": 1})
        assert reply == (attributes, {"a": 1})

    def test_class_by_attribute_of_the_module(self, aliases: None) -> None:
        attributes, data = invoke(load("typed").main, EVENT, [1])
        assert attributes["subject"] == "42"
        assert data == {"got": [1]}

    def test_marshaller_and_converters(self, aliases: None) -> None:
        message = sdk.http_message(load("marshalled").main(BINARY_REQUEST, b"[1]"))
        assert message is not None
        headers, body = message
        assert headers["ce-id"] == "re-A-1"
        assert headers["content-type"] == "application/json"
        assert json.loads(body) == {"got": [1]}

    def test_placeholder_event(self, aliases: None) -> None:
        attributes, data = invoke(load("marshalled").returned, EVENT, b"\xff")
        assert attributes == {"specversion": "1.0", "id": "A-1", "source": "/s", "type": "t"}
        assert data == b"\xff"

    def test_pydantic_model(self, aliases: None) -> None:
        module = load("modelled")
        attributes, data = invoke(module.main, {**BARE, "tenant": "7"}, None)
        assert attributes["source"] == "/modelled"
        assert data == {"for": 7}
        assert module.SAME

    def test_pydantic_model_that_the_event_does_not_fit(self, aliases: None) -> None:
        annotation = typing.get_type_hints(load("modelled").main)["event"]
        with pytest.raises(ValueError, match="tenant"):
            build(annotation, BARE)

    def test_exceptions(self, aliases: None) -> None:
        assert "ce-id" not in BARE
        text = load("modelled").parsed({}, b"no event")
        assert "Failed to read specversion" in text
        reply = sdk.unpack(load("modelled").parsed(BINARY_REQUEST, b"{}"))
        assert reply is not None
        assert reply[0]["id"] == "A-1"

    def test_abstract_types_and_late_imports(self, aliases: None) -> None:
        module = load("generic")
        assert invoke(module.main, EVENT, {"a": 1}) == (EVENT, {"a": 1})
        assert json.loads(module.abstract(build(AbstractEvent, EVENT, [1])))["data"] == [1]

    def test_core_classes(self) -> None:
        module = load("core")
        reply = invoke(module.main, EVENT, {"a": 1})
        assert reply == ({**EVENT, "type": "com.example.reply"}, {"a": 1})
        assert invoke(module.passed_on, EVENT_03, b"\xff") == (EVENT_03, b"\xff")
        message = sdk.http_message(module.encoded(BINARY_REQUEST, b'{"a": 1}'))
        assert message is not None
        assert message[0]["ce-id"] == "A-1"
        assert json.loads(message[1]) == {"a": 1}

    async def test_from_http_takes_the_headers_of_an_aiohttp_request(self, aliases: None) -> None:
        module = load("http_conversion")

        async def handler(request: web.Request) -> web.Response:
            body = await request.read()
            headers, reply = await asyncio.to_thread(module.main, request.headers, body)
            return web.Response(headers=headers, body=reply)

        app = web.Application()
        app.router.add_post("/", handler)
        async with TestClient(TestServer(app)) as client:
            response = await client.post("/", headers=BINARY_REQUEST, data=b'{"numbers": [2]}')
            assert response.status == 200
            assert response.headers["ce-type"] == "com.example.reply"
            assert (await response.json(content_type=None))["sum"] == 2


class TestBuilder:
    @pytest.mark.parametrize("data", DATA)
    @pytest.mark.parametrize("name", CLASSES)
    def test_what_goes_in_comes_out(self, name: str, data: object) -> None:
        assert sdk.unpack(build(named(name), EVENT, data)) == (EVENT, data)

    @pytest.mark.parametrize("name", CLASSES)
    def test_nothing_is_invented(self, name: str) -> None:
        assert sdk.unpack(build(named(name), BARE)) == (BARE, None)

    @pytest.mark.parametrize("name", CLASSES)
    def test_an_event_of_cloudevents_0_3_comes_through(self, name: str) -> None:
        assert sdk.unpack(build(named(name), EVENT_03, b"\xff")) == (EVENT_03, b"\xff")

    @pytest.mark.parametrize("name", CLASSES)
    def test_the_attributes_given_stay_as_they_are(self, name: str) -> None:
        attributes = dict(BARE)
        event = build(named(name), attributes)
        if hasattr(event, "__setitem__"):
            event["subject"] = "changed"
        assert attributes == BARE

    @pytest.mark.parametrize(
        ("annotation", "built"),
        [
            ("cloudevents.core.v1.event.CloudEvent", "cloudevents.core.v1.event.CloudEvent"),
            ("cloudevents.core.base.BaseCloudEvent", "cloudevents.core.v1.event.CloudEvent"),
            ("cloudevents.v1.http.CloudEvent", "cloudevents.v1.http.CloudEvent"),
            ("cloudevents.v1.abstract.CloudEvent", "cloudevents.v1.http.CloudEvent"),
            ("cloudevents.v1.abstract.AnyCloudEvent", "cloudevents.v1.http.CloudEvent"),
            ("cloudevents.v1.pydantic.CloudEvent", "cloudevents.v1.pydantic.CloudEvent"),
            ("cloudevents.v1.pydantic.v1.CloudEvent", "cloudevents.v1.pydantic.v1.CloudEvent"),
            ("cloudevents.v1.sdk.event.v1.Event", "cloudevents.v1.sdk.event.v1.Event"),
            ("cloudevents.v1.sdk.event.v03.Event", "cloudevents.v1.sdk.event.v03.Event"),
            ("cloudevents.v1.sdk.event.base.BaseEvent", "cloudevents.v1.sdk.event.v1.Event"),
        ],
    )
    def test_the_class_asked_for_is_built(self, annotation: str, built: str) -> None:
        assert type(build(named(annotation), EVENT)) is named(built)

    @pytest.mark.parametrize(
        ("annotation", "built"),
        [
            ("cloudevents.core.v1.event.CloudEvent", "cloudevents.core.v03.event.CloudEvent"),
            ("cloudevents.core.base.BaseCloudEvent", "cloudevents.core.v03.event.CloudEvent"),
            ("cloudevents.v1.sdk.event.base.BaseEvent", "cloudevents.v1.sdk.event.v03.Event"),
        ],
    )
    def test_an_event_of_0_3_gets_the_class_of_its_version(
        self, annotation: str, built: str
    ) -> None:
        assert type(build(named(annotation), EVENT_03)) is named(built)

    def test_every_type_listed_has_a_builder(self) -> None:
        names = [named(name) for name in sdk.EVENT_TYPES]
        assert set(map(sdk._dotted, names)) == set(map(sdk._dotted, map(named, CLASSES)))
        assert all(sdk.builder(annotation) for annotation in names)

    @pytest.mark.parametrize("annotation", [dict, list[int], object, "x", None, web.Request])
    def test_no_other_annotation_has_one(self, annotation: object) -> None:
        assert sdk.builder(annotation) is None

    def test_a_type_variable_stands_for_its_bound(self) -> None:
        free = typing.TypeVar("free")
        bound = typing.TypeVar("bound", bound=v1_http.CloudEvent)
        assert type(build(bound, EVENT)) is v1_http.CloudEvent
        assert sdk.builder(free) is None

    @pytest.mark.parametrize(
        "annotation",
        [
            pytest.param(v1_http.CloudEvent | None, id="or none"),
            pytest.param(typing.Optional[v1_http.CloudEvent], id="optional"),  # noqa: UP045
            pytest.param(dict[str, int] | v1_http.CloudEvent, id="or dict"),
            pytest.param(v1_http.CloudEvent | CoreEvent, id="the first of two"),
        ],
    )
    def test_a_union_stands_for_the_class_in_it(self, annotation: object) -> None:
        assert type(build(annotation, EVENT)) is v1_http.CloudEvent
        assert sdk.event_type(annotation) == "cloudevents.v1.http.event.CloudEvent"

    @pytest.mark.parametrize("annotation", [int | None, list[CoreEvent], type(None)])
    def test_a_union_or_list_without_one_has_no_builder(self, annotation: object) -> None:
        assert sdk.builder(annotation) is None
        assert sdk.event_type(annotation) is None

    def test_the_type_asked_for_is_told_of_subclasses_too(self) -> None:
        class Core(CoreEvent): ...

        assert sdk.event_type(Core) == "cloudevents.core.v1.event.CloudEvent"
        assert [sdk.event_type(named(name)) for name in sdk.EVENT_TYPES] == list(sdk.EVENT_TYPES)

    def test_a_subclass_is_built_as_such(self) -> None:
        class Core(CoreEvent): ...

        class Http(v1_http.CloudEvent): ...

        class Model(ModelEvent):
            data: list[int] | None = None

        class Legacy(v1_event.Event): ...

        for cls in (Core, Http, Model, Legacy):
            event = build(cls, EVENT, [1])
            assert type(event) is cls
            assert sdk.unpack(event) == (EVENT, [1])

    def test_a_class_derived_from_an_abstract_one_is_made_by_its_own_means(self) -> None:
        class Own(AbstractEvent):
            @classmethod
            def create(cls, attributes: typing.Any, data: typing.Any) -> "Own":
                event = cls()
                event.kept = (attributes, data)
                return event

            kept: tuple[dict[str, typing.Any], typing.Any]

            def _get_attributes(self) -> dict[str, typing.Any]:
                return self.kept[0]

            def get_data(self) -> typing.Any:
                return self.kept[1]

        class OwnLegacy(BaseEvent):
            def SetExtensions(self, extensions: object) -> None:  # noqa: N802
                self.kept = extensions

            def SetData(self, data: object) -> None:  # noqa: N802
                self.kept_data = data

        assert sdk.unpack(build(Own, EVENT, 1)) == (EVENT, 1)
        assert build(OwnLegacy, BARE, 1).kept == BARE

    def test_a_subclass_that_cannot_hold_the_event_refuses_it(self) -> None:
        class Core(CoreEvent): ...

        with pytest.raises(ValueError, match=r"'specversion' must be '1\.0'"):
            build(Core, EVENT_03)

    @pytest.mark.parametrize("name", CLASSES[:7])
    def test_a_time_that_no_datetime_holds_is_refused_or_kept(self, name: str) -> None:
        attributes = {**BARE, "time": "0000-01-01T00:00:00Z"}
        if "http" in name:
            assert sdk.unpack(build(named(name), attributes)) == (attributes, None)
        else:
            with pytest.raises(ValueError, match="year"):
                build(named(name), attributes)


class TestReceivedTime:
    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05.1Z", datetime(2026, 1, 2, 3, 4, 5, 100000, tzinfo=UTC)),
            ("2026-01-02T03:04:05.1234567Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
            ("2026-01-02T03:04:05.123456789012Z", datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
            ("2026-01-02T03:04:05+05:30", datetime(2026, 1, 1, 21, 34, 5, tzinfo=UTC)),
            ("2026-01-02T03:04:05-00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
            ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)),
            ("2016-12-31T23:59:60.5Z", datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)),
            ("2016-12-31T15:59:60-08:00", datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)),
        ],
    )
    def test_it_is_the_instant_and_keeps_the_text(self, text: str, instant: datetime) -> None:
        time = sdk.ReceivedTime.parse(text)
        assert time == instant
        assert time.isoformat() == text

    @given(st.datetimes(timezones=st.just(UTC)))
    def test_any_datetime_is_read_back(self, instant: datetime) -> None:
        assert sdk.ReceivedTime.parse(instant.isoformat()) == instant

    def test_another_form_is_that_of_a_datetime(self) -> None:
        time = sdk.ReceivedTime.parse(NANOSECONDS)
        assert time.isoformat(timespec="seconds") == "2026-11-23T01:02:03+00:00"
        assert str(time) == "2026-11-23 01:02:03.123456+00:00"

    def test_arithmetic_drops_the_text(self) -> None:
        time = sdk.ReceivedTime.parse(NANOSECONDS)
        later = time + timedelta(seconds=1)
        assert later.isoformat() == "2026-11-23T01:02:04.123456+00:00"
        assert time.replace(microsecond=0).isoformat() == "2026-11-23T01:02:03+00:00"
        assert copy.copy(later) == pickle.loads(pickle.dumps(later)) == later  # noqa: S301

    def test_copies_keep_the_text(self) -> None:
        time = sdk.ReceivedTime.parse(NANOSECONDS)
        assert copy.deepcopy(time).isoformat() == NANOSECONDS
        assert pickle.loads(pickle.dumps(time)).isoformat() == NANOSECONDS  # noqa: S301


class TestUnpack:
    @pytest.mark.parametrize("value", [None, "text", b"", {}, (), [], 1, object(), CoreEvent])
    def test_what_is_no_event_is_none(self, value: object) -> None:
        assert sdk.unpack(value) is None

    def test_a_class_is_looked_at_once(self) -> None:
        class Reply: ...

        before = sdk._reader.cache_info()
        for _ in range(3):
            assert sdk.unpack(Reply()) is None
        after = sdk._reader.cache_info()
        assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)

    def test_the_attributes_are_the_callers_to_change(self) -> None:
        event = v1_http.CloudEvent(dict(BARE))
        unpacked = sdk.unpack(event)
        assert unpacked is not None
        unpacked[0].clear()
        assert event["id"] == "1"

    def test_unset_attributes_are_left_out(self) -> None:
        unpacked = sdk.unpack(v1_http.CloudEvent({**BARE, "subject": None}))  # type: ignore[dict-item]
        assert unpacked is not None
        assert "subject" not in unpacked[0]

    def test_a_time_of_the_function_stays_a_datetime(self) -> None:
        now = datetime.now(UTC)
        unpacked = sdk.unpack(CoreEvent({**BARE, "time": now}))
        assert unpacked is not None
        assert unpacked[0]["time"] is now


class TestHttpMessage:
    EVENT = v1_http.CloudEvent({**BARE, "time": NANOSECONDS}, {"a": 1})

    def test_binary(self) -> None:
        assert sdk.http_message(to_binary(self.EVENT)) == (
            {
                "ce-id": "1",
                "ce-source": "/s",
                "ce-type": "t",
                "ce-specversion": "1.0",
                "ce-time": NANOSECONDS,
            },
            b'{"a": 1}',
        )

    def test_structured(self) -> None:
        message = sdk.http_message(to_structured(self.EVENT))
        assert message is not None
        assert message[0] == {"content-type": "application/cloudevents+json"}
        assert json.loads(message[1])["data"] == {"a": 1}

    @pytest.mark.parametrize("encode", [core_http.to_binary_event, core_http.to_structured_event])
    def test_of_the_core(self, encode: typing.Any) -> None:
        message = encode(build(CoreEvent, EVENT, {"a": 1}))
        assert sdk.http_message(message) == (message.headers, message.body)
        assert NANOSECONDS in str(message)

    def test_values_of_headers_become_text(self) -> None:
        now = datetime(2026, 1, 2, tzinfo=UTC)
        headers = {"ce-flag": True, "ce-count": 7, "ce-time": now, "ce-unset": None}
        assert sdk.http_message((headers, None)) == (
            {"ce-flag": "true", "ce-count": "7", "ce-time": "2026-01-02T00:00:00+00:00"},
            b"",
        )

    @pytest.mark.parametrize("body", ["é", "é".encode(), bytearray("é".encode())])
    def test_any_kind_of_text_or_octets_is_a_body(self, body: object) -> None:
        message = sdk.http_message(({"CE-Id": "1"}, body))
        assert message == ({"CE-Id": "1"}, "é".encode())

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(({"type": "t", "datacontenttype": "text/plain"}, b"x"), id="attributes"),
            pytest.param(({"content-type": "text/plain"}, b"x"), id="other content"),
            pytest.param((b"x", {"ce-id": "1"}), id="body first"),
            pytest.param(({"ce-id": "1"}, {"a": 1}), id="body of data"),
            pytest.param(({"ce-id": "1"}, 200, b""), id="three"),
            pytest.param({"ce-id": "1"}, id="headers alone"),
            pytest.param("text", id="text"),
            pytest.param(None, id="none"),
        ],
    )
    def test_what_is_no_message_is_none(self, value: object) -> None:
        assert sdk.http_message(value) is None

    def test_a_body_that_is_no_unicode_is_an_error(self) -> None:
        with pytest.raises(UnicodeEncodeError):
            sdk.http_message(({"ce-id": "1"}, "\udc80"))

    @pytest.mark.slow
    @given(
        st.dictionaries(
            st.from_regex(r"[a-z0-9]+", fullmatch=True), st.text() | st.integers() | st.booleans()
        )
    )
    def test_attributes_are_never_taken_for_headers(self, attributes: dict[str, object]) -> None:
        assert not sdk.is_http_message(attributes)


class TestDocs:
    TEXT = (Path(__file__).parents[2] / "docs" / "cloudevents-sdk.md").read_text()

    def test_every_class_is_listed(self) -> None:
        listed = set(re.findall(r"`(cloudevents[.\w]+\.\w*Event)`", self.TEXT))
        assert listed == {name for name in CLASSES if ".pydantic.v" not in name}


class TestRecheckOnUpgrade:
    """Faults of SDK 2.2.0 that our own decoding is designed around (design: "Events").

    When one of these fails, the SDK has mended that fault; think again about what we do ourselves.
    """

    REQUEST = types.MappingProxyType(
        {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
    )

    def read(self, headers: Mapping[str, str], body: bytes) -> typing.Any:
        return core_http.from_http_event(core_http.HTTPMessage(dict(headers), body))

    def test_a_ce_header_wins_over_a_structured_content_type(self) -> None:
        headers = {**self.REQUEST, "content-type": "application/cloudevents+json"}
        event = self.read(headers, json.dumps({**BARE, "id": "payload"}).encode())
        assert event.get_id() == "1"  # M12 wants "payload"

    def test_a_missing_id_is_invented(self) -> None:
        headers = {name: v for name, v in self.REQUEST.items() if name != "ce-id"}
        assert self.read(headers, b"").get_id()  # M21 wants an error
        assert self.read({}, b'{"source": "/s", "type": "t"}').get_specversion() == "1.0"

    def test_a_missing_time_is_invented(self) -> None:
        assert self.read(self.REQUEST, b"").get_time() is not None
        assert v1_http.from_http(self.REQUEST, b"")["time"]

    def test_the_constructor_writes_to_its_argument(self) -> None:
        attributes = {"source": "/s", "type": "t"}
        CoreEvent(attributes)
        assert attributes.keys() == {"source", "type", "id", "specversion", "time"}

    def test_a_batch_is_unknown(self) -> None:
        headers = {"content-type": "application/cloudevents-batch+json"}
        with pytest.raises(AttributeError):  # M6 wants its events
            self.read(headers, json.dumps([dict(BARE)]).encode())

    def test_what_is_no_event_is_read_as_a_structured_one(self) -> None:
        with pytest.raises(ValueError, match="Expecting value"):
            self.read({"content-type": "text/plain"}, b"hello")

    def test_malformed_json_becomes_text(self) -> None:
        headers = {**self.REQUEST, "content-type": "application/json"}
        assert self.read(headers, b"{").get_data() == "{"
        assert v1_http.from_http(headers, b"{").data == b"{"

    def test_octets_that_are_utf_8_become_text(self) -> None:
        headers = {**self.REQUEST, "content-type": "application/octet-stream"}
        assert self.read(headers, b"abc").get_data() == "abc"  # M31 wants octets

    def test_octets_that_are_json_are_parsed_by_v1(self) -> None:
        headers = {**self.REQUEST, "content-type": "application/octet-stream"}
        assert v1_http.from_http(headers, b"[1]").data == [1]  # M31 wants octets

    def test_a_list_is_written_as_python_text(self) -> None:
        event = CoreEvent({**BARE, "datacontenttype": "application/json"}, ["a"])  # type: ignore[arg-type]
        assert core_http.to_binary_event(event).body == b"['a']"

    def test_invalid_utf_8_in_a_header_is_replaced(self) -> None:
        event = self.read({**self.REQUEST, "ce-subject": "%C0%A0"}, b"")
        assert "\ufffd" in event.get_subject()  # M17 wants an error

    def test_a_bool_is_written_as_python_text(self) -> None:
        event = CoreEvent({**BARE, "flag": True})
        assert core_http.to_binary_event(event).headers["ce-flag"] == "True"  # M27 wants "true"

    def test_v1_does_not_encode_headers(self) -> None:
        event = v1_http.CloudEvent({**BARE, "subject": "ü\r\n"})
        assert to_binary(event)[0]["ce-subject"] == "ü\r\n"  # M18 wants "%C3%BC%0D%0A"

    def test_an_extension_called_extensions_is_lost_by_v1(self) -> None:
        event = v1_http.CloudEvent({**BARE, "extensions": "x"})
        with pytest.raises(ValueError, match="dictionary update sequence"):
            to_json(event)

    def test_octets_in_json_are_read_back_as_text_by_v1(self) -> None:
        written = to_json(v1_http.CloudEvent(dict(BARE), b"abc"))
        assert v1_http.from_json(written).data == b"abc"
        written = to_json(v1_http.CloudEvent(dict(BARE), b"1"))
        assert v1_http.from_json(written).data == 1  # M33 wants octets

    def test_writing_nothing_to_binary_gives_no_octets(self) -> None:
        headers_and_body: tuple[object, object] = to_binary(v1_http.CloudEvent(dict(BARE)))
        assert headers_and_body[1] is None

    def test_json_format_drops_the_ninth_digit_of_a_second(self) -> None:
        written = json.dumps({**BARE, "time": NANOSECONDS}).encode()
        event = JSONFormat().read(None, written)
        assert event.get_time() == datetime(2026, 11, 23, 1, 2, 3, 123456, UTC)
        assert NANOSECONDS.encode() not in JSONFormat().write(event)
