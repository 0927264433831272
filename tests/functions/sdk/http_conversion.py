"""A Flask-style function of SDK 1.x: it reads the request and writes the reply by itself."""

from cloudevents.conversion import to_dict
from cloudevents.http import CloudEvent, from_http, from_json, to_binary, to_json, to_structured


def main(headers, body):
    event = from_http(headers, body)
    reply = CloudEvent(
        {"type": "com.example.reply", "source": "/adder", "id": f"re-{event['id']}"},
        {"sum": sum(event.data["numbers"]), "of": to_dict(event)["type"]},
    )
    return to_binary(reply)


def structured(headers, body):
    event = from_http(headers, body)
    event["type"] = "com.example.reply"
    return to_structured(event)


def passed_on(event: CloudEvent):
    return from_json(to_json(event))
