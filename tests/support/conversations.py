"""Random conversations over HTTP/1.1, and the functions that they are held with.

Each request has a token of its own, which its response has to show. The seed of the random numbers
decides every byte. Nothing of aiohttp and of pyfunc is used.
"""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from tests.support.talking import Conversation, Piece, Request, Response, short

__all__ = ["FUNCTIONS", "conversation"]

_REPORT = """\
import asyncio, contextvars, json, time, zlib

seen = contextvars.ContextVar("seen", default="")

def report(token, before, body, context, **more):
    known = {"token": token, "before": before, "after": seen.get(), "id": context.id}
    return known | {"size": len(body), "sum": zlib.crc32(body)} | more
"""

_HTTP = """
async def main(query, body: bytes, context, method):
    before = seen.get()
    seen.set(query["token"])
    if "wait" in query:
        await asyncio.sleep(float(query["wait"]))
    pad = "x" * int(query.get("pad", 0))
    known = report(query["token"], before, body, context, method=method, pad=pad)
    return parts(json.dumps(known)) if "stream" in query else known

async def parts(text):
    for start in range(0, len(text), 100):
        await asyncio.sleep(0)
        yield text[start:start + 100]
"""

_EVENTS = """
async def main(attributes, data, context):
    before = seen.get()
    seen.set(data["token"])
    if "wait" in data:
        await asyncio.sleep(data["wait"])
    known = report(data["token"], before, data["pad"].encode(), context)
    return {"id": attributes["id"], "source": "/replies", "type": "reply"}, known
"""


def _sync(source: str) -> str:
    return source.replace("async def", "def").replace("await asyncio.sleep", "time.sleep")


FUNCTIONS = {
    "async HTTP": _REPORT + _HTTP,
    "sync HTTP": _REPORT + _sync(_HTTP),
    "async events": _REPORT + _EVENTS,
    "sync events": _REPORT + _sync(_EVENTS),
}

# Longer than the queue of requests that aiohttp has for a connection.
_LONG = 80

_GARBAGE = (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nNo colon\r\n\r\n")


def conversation(random: Random, kind: str) -> Conversation:
    """Make up a conversation with one of `FUNCTIONS`."""
    count = _LONG if random.random() < 0.02 else random.choice((1, 1, 2, 3, 5, 8, 13))
    ending = random.choice(("keep", "keep", "close", "close", "garbage", "abort", "abort"))
    make = _http_request if kind.endswith("HTTP") else _event_request
    requests = [
        make(random, ending == "close" and index == count - 1, count == _LONG)
        for index in range(count)
    ]
    responses = random.randint(0, count) if ending == "abort" else count
    pieces = _pieces(random, requests[:responses])
    if ending == "garbage":
        pieces += [("response", count - 1), random.choice(_GARBAGE)]
    elif ending == "abort":
        if responses and requests[responses - 1].may_be_last:
            pieces.append(("response", responses - 1))
        rest = b"".join(request.head + request.body for request in requests[responses:])
        pieces += _cut(random, rest[: random.randint(0, len(rest))])
    return Conversation(requests, pieces, ending, responses, random.random() < 0.5)


def _pieces(random: Random, requests: Sequence[Request]) -> list[Piece]:
    is_pipelined = random.random() < 0.7
    pieces: list[Piece] = []
    octets = b""
    for index, request in enumerate(requests):
        if index and (requests[index - 1].may_be_last or not is_pipelined):
            pieces += [*_cut(random, octets), ("response", index - 1)]
            octets = b""
        octets += request.head
        if request.waits_for_continue:
            pieces += [*_cut(random, octets), ("continue", index)]
            octets = b""
        octets += request.body
    return pieces + _cut(random, octets)


def _cut(random: Random, octets: bytes) -> list[bytes]:
    """Split bytes at random places, or not at all, or after each."""
    if len(octets) < 400 and random.random() < 0.1:
        return [octets[place : place + 1] for place in range(len(octets))]
    places = sorted(random.randint(0, len(octets)) for _ in range(random.choice((0, 0, 1, 3, 9))))
    return [
        octets[start:end]
        for start, end in zip([0, *places], [*places, len(octets)], strict=True)
        if start < end
    ]


def _http_request(random: Random, closes: bool, is_small: bool) -> Request:
    token = f"{random.getrandbits(64):016x}"
    method = random.choice(("GET", "HEAD", "POST", "POST", "PUT"))
    query = {"token": token}
    if random.random() < 0.3:
        query["wait"] = f"{random.random() / 50:.4f}"
    pad = 0
    if random.random() < 0.15 and not is_small:
        query["pad"] = str(pad := random.choice((100, 10_000, 100_000)))
    is_old = closes and random.random() < 0.3  # HTTP/1.0
    if random.random() < 0.15 and method != "HEAD" and not is_old:
        query["stream"] = "1"
    body = b""
    if method in ("POST", "PUT"):
        body = random.randbytes(_size(random, is_small))
    named = {"X-Request-Id": token} if random.random() < 0.3 else {}

    def check(response: Response) -> None:
        assert response.status == 200, "the status is not 200"
        id = response.headers["x-request-id"]
        assert id == named.get("X-Request-Id", id), "the id of the request is another one"
        if method == "HEAD":
            assert int(response.headers["content-length"]) > 0, "a response to HEAD has no length"
            return
        _check_report(
            json.loads(response.body), token, body, response, method=method, pad="x" * pad
        )

    target = "/?" + "&".join(f"{name}={value}" for name, value in query.items())
    return _request(random, f"{method} {target}", named, body, closes, is_old, check)


def _event_request(random: Random, closes: bool, is_small: bool) -> Request:
    count = random.choice((0, 0, 0, 0, 1, 3, 12))  # 0 is no batch
    events = [_event(random, is_small or count > 1) for _ in range(count or 1)]

    def check(response: Response) -> None:
        assert response.status == 200, "the status is not 200"
        if count:
            assert response.headers["content-type"] == "application/cloudevents-batch+json"
            replies = [(reply["id"], reply["data"]) for reply in json.loads(response.body)]
        else:
            replies = [(response.headers["ce-id"], json.loads(response.body))]
        assert [id for id, _ in replies] == [event["id"] for event in events], "other replies"
        for event, (_, data) in zip(events, replies, strict=True):
            _check_report(data, event["id"], event["data"]["pad"].encode(), response)

    if count:
        media, body = "application/cloudevents-batch+json", json.dumps(events).encode()
    elif random.random() < 0.5:
        media, body = "application/cloudevents+json", json.dumps(events[0]).encode()
    else:
        media, body = "application/json", json.dumps(events[0]["data"]).encode()
    headers = {"Content-Type": media}
    if media == "application/json":
        headers |= {f"ce-{name}": value for name, value in events[0].items() if name != "data"}
    return _request(random, "POST /", headers, body, closes, False, check)


def _event(random: Random, is_small: bool) -> dict[str, Any]:
    token = f"{random.getrandbits(64):016x}"
    data: dict[str, Any] = {"token": token, "pad": "y" * _size(random, is_small)}
    if random.random() < 0.3:
        data["wait"] = round(random.random() / 50, 4)
    return {"specversion": "1.0", "id": token, "source": "/stress", "type": "test", "data": data}


def _size(random: Random, is_small: bool) -> int:
    return random.choice((0, 1, 10) if is_small else (0, 10, 1000, 70_000, 300_000))


def _request(
    random: Random,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    closes: bool,
    is_old: bool,
    check: Callable[[Response], None],
) -> Request:
    """A request on the wire, with its body in one of several ways."""
    lines = [f"{target} HTTP/1.{0 if is_old else 1}", "Host: stress"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if closes and not is_old:
        lines.append("Connection: close")
    expects = bool(body) and not is_old and random.random() < 0.1
    if expects:
        lines.append("Expect: 100-continue")
    is_chunked = bool(body) and not is_old and random.random() < 0.4
    if is_chunked:
        lines.append("Transfer-Encoding: chunked")
        chunks = (b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in _cut(random, body))
        body = b"".join(chunks) + b"0\r\n\r\n"
    elif not target.startswith(("GET", "HEAD")):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join([*lines, "", ""]).encode()
    waits = expects and random.random() < 0.7
    return Request(head, body, check, target.startswith("HEAD"), waits, is_chunked)


def _check_report(
    report: Mapping[str, Any], token: str, body: bytes, response: Response, **more: str
) -> None:
    """Compare what the function saw with what was sent."""
    expected: dict[str, object] = {"token": token, "before": "", "after": token, **more}
    expected |= {"id": response.headers["x-request-id"]}
    expected |= {"size": len(body), "sum": zlib.crc32(body)}
    wrong = {
        name: report.get(name) for name, value in expected.items() if report.get(name) != value
    }
    assert not wrong, f"the function saw {short(str(wrong))}, not {short(str(expected))}"
