"""Hypothesis strategies for events, headers and bodies; and reading a message back."""

import json
from datetime import UTC, datetime

from hypothesis import strategies as st
from multidict import CIMultiDict

from pyfunc import Event
from pyfunc.cloudevents.http_binding import ContentMode, Message, content_mode, decode

REQUIRED = {"id": "1", "source": "/s", "type": "t", "specversion": "1.0"}


def read(message: Message) -> list[Event]:
    """Decode a message, in the mode that its headers have."""
    mode = content_mode(CIMultiDict(message.headers))
    assert mode is not None
    return decode(mode, CIMultiDict(message.headers), message.body)


CHARACTERS = st.characters(
    exclude_categories=["Cs", "Cc", "Cn"],
    exclude_characters=[chr(c) for c in (*range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)],
)
TEXT = st.text(CHARACTERS, min_size=1, max_size=20) | st.sampled_from(["%41", "%", '"q"', "\\"])
NAMES = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
TIMES = st.datetimes(
    min_value=datetime(1000, 1, 1),
    timezones=st.just(UTC),
).map(lambda t: t.isoformat().replace("+00:00", "Z"))
EXTENSIONS = st.dictionaries(
    NAMES.filter(
        lambda name: name not in {"data", "time", "subject", "dataschema", "datacontenttype"}
    ).filter(lambda name: name not in {*REQUIRED, "schemaurl", "datacontentencoding"}),
    st.text(CHARACTERS, max_size=20) | st.booleans() | st.integers(-(2**31), 2**31 - 1),
    max_size=4,
)
ATTRIBUTES = st.builds(
    lambda required, optional, extensions: {**extensions, **optional, **required},
    st.fixed_dictionaries(
        {"id": TEXT, "source": TEXT, "type": TEXT, "specversion": st.sampled_from(["1.0", "0.3"])}
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "subject": TEXT,
            "time": TIMES,
            "dataschema": st.from_regex(r"[a-z]{1,8}:[!-~]{0,20}", fullmatch=True),
        },
    ),
    EXTENSIONS,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)
DATA = st.one_of(
    st.just((None, None)),
    st.tuples(st.sampled_from(["application/json", "text/json", "a/b+json; x=y"]), JSON),
    st.tuples(
        st.sampled_from(["text/plain", "text/html; charset=utf-8", "text/csv; charset=utf-16"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    ),
    st.tuples(
        st.sampled_from(["application/octet-stream", "image/png", "application/xml"]),
        st.binary(min_size=1),
    ),
)


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    """A valid event of either version with any data."""
    content_type, data = draw(DATA)
    attributes = draw(ATTRIBUTES)
    if content_type is not None:
        attributes["datacontenttype"] = content_type
    event = Event.unchecked(attributes, data)
    event.has_data = data is not None or content_type is not None
    return event


def as_text(event: Event) -> Event:
    """The event with the attributes that binary mode has, which are strings."""
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in event.attributes.items()
    }
    return Event.unchecked(attributes, event.data)


MODES = st.sampled_from(list(ContentMode))
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "ce-"])
        | st.sampled_from(["Content-Type", "ce-datacontentencoding", "ce-dataschema", "ce-data"])
        | st.text().map("ce-".__add__)
        | st.text(),
        st.text(st.characters())
        | st.sampled_from(["1.0", "0.3", "base64", "application/json", "%", '"', "%ff", "\\"]),
    )
)
BODIES = st.binary() | JSON.map(lambda value: json.dumps(value).encode())
DOCUMENTS = st.dictionaries(
    st.sampled_from([*REQUIRED, "data", "data_base64", "time", "datacontenttype"]) | st.text(),
    JSON | st.sampled_from(["1.0", "0.3", "base64", "text/plain; charset=utf-16"]),
).map(lambda value: json.dumps(value).encode())
