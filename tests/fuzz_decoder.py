"""Fuzz the decoder by hand: `python -m tests.fuzz_decoder [SECONDS]`.

Whatever the octets, there is an event that can be sent on, or a 400, and nothing else; the suite
does the same for a few seconds, in `test_events.py`.
"""

import random
import sys
import time
from collections.abc import Iterator

from multidict import CIMultiDict

from pyfunc.cloudevents.http_binding import ContentMode, decode, encode, encode_batch
from pyfunc.errors import RequestError

SEEDS = (
    b'{"id":"1","source":"/s","type":"t","specversion":"1.0","data":{"a":[1,2.5,null,"x"]}}',
    b'{"id":"1","source":"/s","type":"t","specversion":"0.3","datacontentencoding":"base64",'
    b'"data":"AAH/","datacontenttype":"application/json"}',
    b'{"id":"1","source":"/s","type":"t","specversion":"1.0","data_base64":"AAH/",'
    b'"datacontenttype":"text/plain; charset=utf-16","time":"2026-11-23T01:02:03.5Z"}',
    b'[{"id":"1","source":"/s","type":"t","specversion":"1.0","subject":"a b","ext":5}]',
    b"ce-id: 1\nce-source: /s\nce-type: t\nce-specversion: 1.0\nce-ext: %E2%82%AC\n\n{}",
    b'ce-id: "a\\"b"\nce-source: /s\nce-type: t\nce-specversion: 0.3\n'
    b"ce-datacontentencoding: base64\nContent-Type: text/plain; charset=latin-1\n\nAAH/",
)
TOKENS = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"null", b"true", b"1e999", b"-1", b"\n"),
    *(b"\\ud800", b"\xef\xbb\xbf", b"\xff", b"\0", b"%", b"%ff", b"%25", b"9" * 30, b"[" * 300),
    *(b"data", b"data_base64", b"id", b"time", b"9999-12-31T23:59:60Z", b"1.0", b"0.3", b"ce-"),
    *(b"datacontenttype", b"application/json", b"text/plain; charset=idna", b"charset=punycode"),
)


def feed(octets: bytes) -> None:
    """Decode it in every mode; an event that comes out goes in again."""
    head, _, body = octets.partition(b"\n\n")
    lines = head.decode("utf-8", "surrogateescape").split("\n")
    headers = CIMultiDict(
        (name.strip(), value.strip()) for name, _, value in (x.partition(":") for x in lines)
    )
    for mode, content in (
        (ContentMode.BINARY, body),
        (ContentMode.STRUCTURED, octets),
        (ContentMode.BATCHED, octets),
    ):
        try:
            events = decode(mode, headers, content)
            for event in events:
                event.data  # noqa: B018 - read for the first time
        except RequestError as error:
            if error.status != 400:
                raise AssertionError(error.status) from error
            error.detail.encode()
            continue
        for event in events:
            encode(event)
            encode(event, ContentMode.STRUCTURED)
        encode_batch(events)


def mutated(random: random.Random) -> bytes:
    """A seed with some of it cut, doubled, swapped or overwritten."""
    octets = bytearray(random.choice(SEEDS))
    for _ in range(random.randint(1, 6)):
        start = random.randrange(len(octets) + 1)
        end = min(len(octets), start + random.randint(0, 12))
        choice = random.randrange(4)
        if choice == 0:
            octets[start:end] = random.choice(TOKENS)
        elif choice == 1:
            octets[start:start] = random.choice(TOKENS)
        elif choice == 2:
            octets[start:end] = random.randbytes(end - start)
        else:
            octets[start:start] = octets[start:end] * random.randint(1, 3)
    return bytes(octets)


def inputs(seconds: float, seed: int) -> Iterator[bytes]:
    """Mutated seeds, for so long."""
    generator = random.Random(seed)  # noqa: S311 - not a secret: the same ones again for a seed
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield mutated(generator)


def main(seconds: float, seed: int) -> None:
    """Feed mutated seeds; the same number makes the same ones again."""
    count = 0
    for octets in inputs(seconds, seed):
        try:
            feed(octets)
        except BaseException:
            sys.stderr.write(f"seed {seed}, input {octets!r}\n")
            raise
        count += 1
    sys.stdout.write(f"{count} inputs, no fault\n")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60, time.time_ns())
