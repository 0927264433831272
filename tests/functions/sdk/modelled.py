"""Pydantic events of SDK 1.x, and a class derived from them."""

from cloudevents.exceptions import GenericException
from cloudevents.pydantic import CloudEvent, from_http
from cloudevents.pydantic.v2 import CloudEvent as CloudEventV2


class OrderPlaced(CloudEvent):
    tenant: int


def main(event: OrderPlaced) -> CloudEvent:
    return CloudEvent(type="com.example.reply", source="/modelled", data={"for": event.tenant})


def parsed(headers, body):
    try:
        return from_http(headers, body)
    except GenericException as error:
        return str(error)


SAME = CloudEvent is CloudEventV2
