"""A function of today's SDK: its core classes and bindings."""

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event
from cloudevents.core.v1.event import CloudEvent


def main(event: CloudEvent) -> CloudEvent:
    attributes = {**event.get_attributes(), "type": "com.example.reply"}
    return CloudEvent(attributes, event.get_data())


def passed_on(event: BaseCloudEvent) -> BaseCloudEvent:
    return event


def encoded(headers, body) -> HTTPMessage:
    return to_binary_event(from_http_event(HTTPMessage(headers, body)))
