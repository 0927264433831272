"""The oldest style: placeholders, setters, marshallers and converters."""

import json

from cloudevents.sdk import converters, marshaller
from cloudevents.sdk.converters import binary, structured
from cloudevents.sdk.event import v1


def main(headers, body):
    reader = marshaller.NewHTTPMarshaller(
        [structured.NewJSONHTTPCloudEventConverter(), binary.NewBinaryHTTPCloudEventConverter()]
    )
    event = reader.FromRequest(v1.Event(), headers, body, json.loads)
    reply = (
        v1.Event()
        .SetEventType("com.example.reply")
        .SetSource("/marshalled")
        .SetEventID(f"re-{event.EventID()}")
        .SetContentType("application/json")
        .SetData({"got": event.Data()})
    )
    return marshaller.NewDefaultHTTPMarshaller().ToRequest(reply, converters.TypeBinary, json.dumps)


def returned(event: v1.Event):
    return v1.Event().SetEventType("t").SetSource("/s").SetEventID(event.id).SetData(event.Data())
