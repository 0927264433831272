"""A library-like function: abstract types, and an import that waits for the first request."""

from cloudevents.abstract import AnyCloudEvent, CloudEvent


def main(event: AnyCloudEvent) -> AnyCloudEvent:
    import cloudevents.conversion

    return cloudevents.conversion.from_dict(type(event), cloudevents.conversion.to_dict(event))


def abstract(event: CloudEvent):
    from cloudevents.kafka import to_structured

    return to_structured(event).value
