"""The requests that are sent, and what a right answer to each looks like."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """An HTTP response, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Workload:
    """One kind of request; `events` is how many events it carries."""

    name: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = "/"
    events: int = 1


Check = Callable[[Answer], bool]

DATA = {"name": "World", "order": {"id": 4711, "items": ["apple", "pear"], "total": 12.5}}
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "7d3f0a3e-2f4a-4f4e-9a53-0f6c6b6f1f10",
    "source": "/benchmark",
    "type": "com.example.greet",
    "time": "2026-01-02T03:04:05Z",
}


def _structured(number: int = 0) -> dict[str, object]:
    own = {"id": f"{ATTRIBUTES['id']}-{number}", "datacontenttype": "application/json"}
    return {**ATTRIBUTES, **own, "data": DATA}


HELLO = Workload("hello", b"World", {"Content-Type": "text/plain"})
BINARY = Workload(
    "binary event",
    json.dumps(DATA).encode(),
    {"Content-Type": "application/json", **{f"ce-{k}": v for k, v in ATTRIBUTES.items()}},
)
STRUCTURED = Workload(
    "structured event",
    json.dumps(_structured()).encode(),
    {"Content-Type": "application/cloudevents+json"},
)
BATCH = Workload(
    "batch of 100",
    json.dumps([_structured(number) for number in range(100)]).encode(),
    {"Content-Type": "application/cloudevents-batch+json"},
    events=100,
)


def sized(size: int) -> Workload:
    """A body of `size` bytes that is no text."""
    return Workload(f"{size} bytes", b"\xff" * size, {"Content-Type": "application/octet-stream"})


def says_hello(answer: Answer) -> bool:
    """`Hello World`, whatever the content type."""
    return answer.status == 200 and answer.body == b"Hello World"


def accepted(answer: Answer) -> bool:
    """What functions-framework answers to every event."""
    return answer.status == 200 and answer.body == b"OK"


def replies(answer: Answer) -> bool:
    """The reply event, in binary mode."""
    return (
        answer.status == 200
        and answer.headers.get("ce-type") == "com.example.reply"
        and answer.headers.get("ce-specversion") == "1.0"
        and bool(answer.headers.get("ce-id"))
        and json.loads(answer.body) == {"greeting": "Hello World"}
    )


def replies_in_batch(answer: Answer) -> bool:
    """A hundred reply events, in batched mode and in order."""
    if not answer.headers.get("content-type", "").startswith("application/cloudevents-batch+json"):
        return False
    events = json.loads(answer.body)
    greetings = [event["data"]["greeting"] for event in events]
    return answer.status == 200 and greetings == ["Hello World"] * 100


def counts_batch(answer: Answer) -> bool:
    """A batch of one reply event, which tells how many events were read."""
    if answer.status != 200:
        return False
    return [event["data"] for event in json.loads(answer.body)] == [{"greeted": 100}]
