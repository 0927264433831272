import re
from typing import Any

import pytest
from multidict import CIMultiDict

from pyfunc.function.trace_context import TraceContext, request_id, trace_context
from tests.support.events import EXTENSION, HEADER, TRACE


def ids_of(headers: dict[str, str], attributes: dict[str, Any] | None = None) -> tuple[str, ...]:
    found = trace_context(CIMultiDict(headers), attributes, "not hexadecimal")
    return found.trace_id, found.span_id, found.flags, found.state


@pytest.mark.parametrize(
    ("headers", "attributes", "trace_id"),
    [
        pytest.param({"traceparent": HEADER}, None, TRACE, id="header"),
        pytest.param({"Traceparent": HEADER}, {"traceparent": EXTENSION}, TRACE, id="header wins"),
        pytest.param({}, {"traceparent": EXTENSION}, "1" * 32, id="extension"),
        pytest.param({"traceparent": "x"}, {"traceparent": EXTENSION}, "1" * 32, id="bad header"),
        pytest.param({"traceparent": f"01{HEADER[2:]}-more"}, None, TRACE, id="later version"),
    ],
)
def test_the_trace_is_the_headers_else_the_events(
    headers: dict[str, str], attributes: dict[str, Any] | None, trace_id: str
) -> None:
    assert ids_of(headers, attributes)[0] == trace_id


@pytest.mark.parametrize(
    "traceparent",
    [
        pytest.param(f"ff{HEADER[2:]}", id="version ff"),
        pytest.param(HEADER.upper(), id="upper case"),
        pytest.param(f"{HEADER}-more", id="more in version 00"),
        pytest.param(HEADER.replace(TRACE, "0" * 32), id="no trace"),
        pytest.param(HEADER.replace("00f067aa0ba902b7", "0" * 16), id="no span"),
        pytest.param(HEADER[:-1], id="short"),
        pytest.param("", id="empty"),
        pytest.param("00-" + "a" * 100_000, id="long"),
    ],
)
def test_a_traceparent_that_is_none_starts_a_new_trace(traceparent: str) -> None:
    trace_id, span_id, flags, state = ids_of({"traceparent": traceparent, "tracestate": "a=1"})
    assert re.fullmatch(r"[0-9a-f]{32}", trace_id)
    assert re.fullmatch(r"[0-9a-f]{16}", span_id)
    assert trace_id != TRACE
    assert (flags, state) == ("00", "")


def test_two_traceparents_start_a_new_trace() -> None:
    headers = CIMultiDict([("traceparent", HEADER), ("traceparent", HEADER)])
    assert trace_context(headers, None, "x").trace_id != TRACE


def test_tracestates_are_joined_and_unusable_ones_dropped() -> None:
    headers = CIMultiDict([("traceparent", HEADER), ("tracestate", "a=1"), ("tracestate", "b=2")])
    assert trace_context(headers, None, "x").state == "a=1,b=2"
    assert ids_of({"traceparent": HEADER, "tracestate": "a" * 513})[3] == ""
    assert ids_of({"traceparent": HEADER, "tracestate": "a=\xff"})[3] == ""


def test_only_flags_that_are_defined_are_handed_on() -> None:
    assert ids_of({"traceparent": f"{HEADER[:-2]}ff"})[2] == "03"


def test_a_trace_that_starts_here_is_named_after_the_request() -> None:
    made = request_id(CIMultiDict())
    assert trace_context(CIMultiDict(), None, made).trace_id == made


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param("abc-123_~:/+=@.Z", True, id="usual characters"),
        pytest.param("a" * 128, True, id="128 characters"),
        pytest.param("a" * 129, False, id="129 characters"),
        pytest.param("", False, id="empty"),
        pytest.param("a b", False, id="space"),
        pytest.param('a"b', False, id="quote"),
        pytest.param("a\x1b[2J", False, id="escape"),
        pytest.param("\xe4", False, id="not ASCII"),
    ],
)
def test_a_request_id_is_taken_over_where_it_is_harmless(given: str, taken: bool) -> None:
    found = request_id(CIMultiDict({"X-Request-Id": given}))
    assert (found == given) is taken
    assert re.fullmatch(r"[!-~]{1,128}", found)


def test_headers_and_lines_carry_the_context_on() -> None:
    context = TraceContext("1" * 32, "2" * 16, "01", "a=1")

    assert context.headers == {"traceparent": context.traceparent, "tracestate": "a=1"}
    assert context.lines == f"traceparent: {context.traceparent}\r\ntracestate: a=1\r\n"
    assert "tracestate" not in TraceContext("1" * 32, "2" * 16, "01").headers


def test_event_with_a_traceparent_keeps_it() -> None:
    context = TraceContext("1" * 32, "2" * 16, "01", "a=1")
    new: dict[str, Any] = {}
    traced = {"traceparent": EXTENSION}

    context.extend(new)
    context.extend(traced)

    assert new == context.headers
    assert traced == {"traceparent": EXTENSION}
