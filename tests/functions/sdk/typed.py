"""A function that only names the class, and answers with an event of it."""

import cloudevents.http as ce


def main(event: ce.CloudEvent) -> ce.CloudEvent:
    attributes = {"type": "com.example.reply", "source": "/typed", "subject": event["subject"]}
    return ce.CloudEvent(attributes, {"got": event.get_data()})
