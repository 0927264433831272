"""Bytes that nobody means well with, on the sockets of a real process.

After each of them the process lives, the next good event is answered, the log has one line at most
and no traceback, and the answer, if there is one, is a 4xx that does not repeat what was sent.
"""

import functools
import gzip
import json
import re
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.apps import IS_PLAIN
from tests.support.files import write
from tests.support.serving import Served

ECHO = b"ECHO" * 4
MAX_BODY = 1 << 20

FUNCTION = """
    import logging

    def main(attributes, data):
        if attributes["type"] == "good":
            logging.info("good event")
        return {"type": "reply"}, len(str(data))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = write(tmp_path_factory.mktemp("hostile"), {"func.py": FUNCTION})
    options = ["--log-level", "debug", "--max-body", str(MAX_BODY), "--read-timeout", "1"]
    with Served(directory, "--log-format", "text", *options) as server:
        good_event(server)
        yield server
        server.terminate()


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=20)


def event(body: bytes = b"{}", *headers: bytes, type: bytes = b"t", length: bool = True) -> bytes:
    """A request with an event in binary mode."""
    lines = [
        b"POST / HTTP/1.1",
        b"Host: a",
        b"ce-id: 1",
        b"ce-source: /s",
        b"ce-specversion: 1.0",
        b"ce-type: " + type,
        *headers,
        *([b"Content-Length: %d" % len(body)] if length else []),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(body: bytes, *headers: bytes) -> bytes:
    return event(body, b"Transfer-Encoding: chunked", *headers, length=False)


def structured(body: bytes, kind: bytes = b"") -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n" % len(body)
    return head + b"Content-Type: application/cloudevents%b+json\r\n\r\n" % kind + body


def answers(sock: socket.socket, count: int = 1) -> list[tuple[int, bytes]]:
    """The next answers: status, and all that was received with it; fewer where it is closed."""
    found: list[tuple[int, bytes]] = []
    rest = b""
    while len(found) < count:
        head, end, after = rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head) if end else None
        if end and len(after) >= int(length[1] if length else 0):
            size = int(length[1] if length else 0)
            rest = after[size:]
            if head.split()[1] == b"100":
                continue
            found.append((int(head.split()[1]), head + end + after[:size]))
            continue
        try:
            more = sock.recv(1 << 16)
        except ConnectionError:
            break
        if not more:
            break
        rest += more
    return found


def send(served: Served, data: bytes, count: int = 1) -> list[tuple[int, bytes]]:
    with connect(served) as sock:
        # It may be refused while it is sent; the answer may be there all the same.
        with suppress(ConnectionError):
            sock.sendall(data)
        return answers(sock, count)


def good_event(served: Served) -> list[str]:
    """Send one; the lines of the log before its own."""
    before = len(served.log)
    ((status, _),) = send(served, event(b"{}", b"Prefer: reply", type=b"good"))
    assert status == 200
    served.wait_for("good event")
    return served.log[before:]


def memory(served: Served, field: str = "VmRSS") -> int:
    """In MiB."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) // 1024


def is_refused(found: list[tuple[int, bytes]], statuses: set[int]) -> None:
    for status, text in found:
        assert b"Traceback" not in text
        assert b".py" not in text
        if IS_PLAIN:  # aiohttp itself refuses what is no request, in its own words
            assert status in {*statuses, 400}, text
            continue
        assert status in statuses, text
        assert ECHO not in text
        if status >= 400:
            assert b"application/problem+json" in text


def is_well(served: Served, lines: int = 1) -> None:
    log = good_event(served)[:-1]
    assert served.process.poll() is None
    if IS_PLAIN:  # and logs it
        return
    assert len(log) <= lines, log
    assert "Traceback" not in "".join(log)
    assert ECHO.decode() not in "".join(log)


HEADS = {
    "header of 100 KiB": (event(b"", b"x: " + ECHO * 6400), {431, 400}),
    "header name of 100 KiB": (event(b"", ECHO * 6400 + b": x"), {431, 400}),
    "target of 100 KiB": (
        b"GET /" + ECHO * 6400 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        {431, 400, 414},
    ),
    "10,000 headers": (event(b"", *[b"x%d: %b" % (i, ECHO) for i in range(10_000)]), {431, 400}),
    "200 headers of 4 KiB": (event(b"", *[b"x: " + ECHO * 256] * 200), {431, 400}),
    "repeated ce-id": (event(b"", b"ce-id: " + ECHO), {400}),
    "repeated ce-id in other case": (event(b"", b"CE-ID: " + ECHO), {400}),
    "raw bytes that are no UTF-8": (event(b"", b"ce-subject: \xff\xfe" + ECHO), {400}),
    "attribute with encoded line break": (event(b"", b"ce-subject: " + ECHO + b"%0d%0a"), {400}),
    "attribute with a bad name": (event(b"", b"ce-a_b" + ECHO * 20 + b": x"), {400}),
    "NUL in a header": (event(b"", b"x: a\0b" + ECHO), {400}),
    "CR in a header": (event(b"", b"x: a\rb" + ECHO), {400}),
    "header without a colon": (event(b"", ECHO), {400}),
    "header with a space in its name": (event(b"", b"x " + ECHO + b": y"), {400}),
    "space before the colon": (event(b"", ECHO + b" : y"), {400}),
    "folded header": (event(b"", b"x: y\r\n " + ECHO), {400}),
    "header name that is no ASCII": (event(b"", b"\xc3\xa9" + ECHO + b": y"), {400}),
    "no Host": (b"POST / HTTP/1.1\r\n\r\n", {400}),
    "two Hosts": (event(b"", b"Host: " + ECHO), {400}),
    "no method": (b" / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "method of other characters": (ECHO + b"{} / HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + ECHO, {501}),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: a\r\nx: " + ECHO + b"\r\n\r\n", {400, 405}),
    "asterisk target": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {204, 400}),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", {405, 400}),
    "version 9.9": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", {400, 505}),
    "no version": (b"GET /" + ECHO + b"\r\n\r\n", {400, 405}),
    "noise": (bytes(range(256)) * 8 + b"\r\n\r\n", {400}),
    "NULs": (b"\0" * 1000 + b"\r\n\r\n", {400}),
    "authority that is none": (b"GET http://[" + ECHO + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    "port that is none": (b"POST / HTTP/1.1\r\nHost: a:b:" + ECHO + b"\r\n\r\n", {400}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", {400}),
    "TLS": (
        bytes.fromhex("16030100c8010000c40303") + bytes(32) + ECHO + b"\r\n\r\n" + bytes(64),
        {400},
    ),
    # Nobody has to meet an expectation that is not known (RFC 9110, section 10.1.1).
    "expectation of something else": (event(b"{}", b"Expect: " + ECHO), {417, 200}),
}

BODIES = {
    "chunk size that is none": (chunked(b"zz\r\n" + ECHO + b"\r\n0\r\n\r\n"), {400}),
    "negative chunk size": (chunked(b"-1\r\n" + ECHO + b"\r\n0\r\n\r\n"), {400}),
    "chunk size of 20 digits": (chunked(b"f" * 20 + b"\r\n" + ECHO), {400}),
    "chunk longer than its size": (chunked(b"2\r\n" + ECHO + b"\r\n0\r\n\r\n"), {400}),
    "chunk extension of 100 KiB": (
        chunked(b"2;" + ECHO * 6400 + b"\r\n{}\r\n0\r\n\r\n"),
        {400, 431, 200},
    ),
    "trailer of 100 KiB": (
        chunked(b"2\r\n{}\r\n0\r\nx: " + ECHO * 6400 + b"\r\n\r\n"),
        {400, 431, 200},
    ),
    "Content-Length and Transfer-Encoding": (
        event(b"0\r\n\r\n" + ECHO, b"Transfer-Encoding: chunked"),
        {400},
    ),
    "two lengths": (event(b"{}", b"Content-Length: 5"), {400}),
    "a list of lengths": (event(b"{}", b"Content-Length: 2, 2", length=False), {400}),
    "length with a sign": (event(b"{}", b"Content-Length: +2", length=False), {400}),
    "negative length": (event(b"{}", b"Content-Length: -2", length=False), {400}),
    "length of 40 digits": (
        event(b"{}", b"Content-Length: " + b"9" * 40, length=False),
        {400, 413},
    ),
    "unknown Transfer-Encoding": (
        event(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: " + ECHO, length=False),
        {400, 501},
    ),
    "chunked twice": (
        event(b"2\r\n{}\r\n0\r\n\r\n", b"Transfer-Encoding: chunked, chunked", length=False),
        {400},
    ),
    "announced as too large": (
        event(b"", b"Content-Length: %d" % (MAX_BODY + 1), length=False),
        {413},
    ),
    "too large in chunks": (
        chunked(b"10000\r\n" + b"x" * 65536 + b"\r\n" * 1 + b"10000\r\n" * 0)
        + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 32,
        {413},
    ),
    "malformed JSON": (event(b"{'" + ECHO, b"Content-Type: application/json"), {400}),
    "JSON 100,000 deep": (event(b"[" * 100_000, b"Content-Type: application/json"), {400}),
    "JSON 100,000 deep and closed": (
        event(b"[" * 100_000 + b"]" * 100_000, b"Content-Type: application/json"),
        {400},
    ),
    "integer of 100,000 digits": (
        event(b"9" * 100_000, b"Content-Type: application/json"),
        {400},
    ),
    "text in no charset": (event(b"x", b"Content-Type: text/plain; charset=" + ECHO), {400}),
    "text in a slow charset": (
        event(b"a-" * 100_000, b"Content-Type: text/plain; charset=punycode"),
        {400},
    ),
    "structured and no JSON": (structured(ECHO), {400}),
    "structured 100,000 deep": (structured(b'{"data":' * 100_000), {400}),
    "attribute 100,000 deep": (structured(b'{"id":' + b"[" * 100_000), {400}),
    "attributes without an end": (
        structured(json.dumps({f"A{i}{ECHO.decode() * 3}": i for i in range(10_000)}).encode()),
        {400},
    ),
    "batch of nothing but faults": (structured(b"[" + b"{}," * 100_000 + b"{}]", b"-batch"), {400}),
    "batch 100,000 deep": (structured(b"[" * 100_000, b"-batch"), {400}),
    "format that is none": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
        b"Content-Type: application/cloudevents+" + ECHO + b"\r\n\r\n",
        {415},
    ),
}


def zeros_squeezed(sum_of: Callable[[bytes, int], int], start: int) -> tuple[bytes, int]:
    """300 MiB of zeros as one stream of deflate, and their sum.

    After a full flush every block is squeezed to the same bytes, so that one is enough.
    """
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(1 << 20)
    block = squeeze.compress(zeros) + squeeze.flush(zlib.Z_FULL_FLUSH)
    total = functools.reduce(lambda value, _: sum_of(zeros, value), range(300), start)
    return block * 300 + squeeze.flush(), total


def gzip_bomb() -> bytes:
    body, total = zeros_squeezed(zlib.crc32, 0)
    return gzip.compress(b"")[:10] + body + struct.pack("<II", total, 300 << 20)


def deflate_bomb() -> bytes:
    body, total = zeros_squeezed(zlib.adler32, 1)
    return zlib.compress(b"")[:2] + body + struct.pack(">I", total)


GZIP_BOMB = gzip_bomb()
GZIPPED = gzip.compress(b"{}")
COMPRESSED = {
    "gzip bomb": (event(GZIP_BOMB, b"Content-Encoding: gzip"), {413}),
    "deflate bomb": (event(deflate_bomb(), b"Content-Encoding: deflate"), {413}),
    "gzip bomb in chunks": (
        chunked(
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(GZIP_BOMB), GZIP_BOMB),
            b"Content-Encoding: gzip",
        ),
        {413},
    ),
    "gzip members without an end": (
        event(gzip.compress(b"") * 20_000, b"Content-Encoding: gzip"),
        {400},
    ),
    "no gzip": (event(ECHO, b"Content-Encoding: gzip"), {400}),
    "no deflate": (event(ECHO, b"Content-Encoding: deflate"), {400}),
    "gzip cut off": (
        event(
            gzip.compress(json.dumps([*range(9999)]).encode())[:999],
            b"Content-Encoding: gzip",
            b"Content-Type: application/json",
        ),
        {400},
    ),
    "gzip with a wrong sum": (event(GZIPPED[:-8] + bytes(8), b"Content-Encoding: gzip"), {400}),
    "encoding that is none": (event(ECHO, b"Content-Encoding: " + ECHO), {415}),
    "brotli": (event(ECHO, b"Content-Encoding: br"), {415, 400}),
    "encoded twice": (event(gzip.compress(GZIPPED), b"Content-Encoding: gzip, gzip"), {415}),
}


@pytest.mark.parametrize(
    ("data", "statuses"),
    [pytest.param(*case, id=name) for name, case in {**HEADS, **BODIES, **COMPRESSED}.items()],
)
def test_hostile_bytes_are_refused_and_nothing_else_happens(
    served: Served, data: bytes, statuses: set[int]
) -> None:
    before = memory(served)
    found = send(served, data)
    is_refused(found, statuses)
    assert found, "no answer"
    is_well(served)
    assert memory(served) < before + 64


def test_compressed_events_are_taken(served: Served) -> None:
    for encoding, body in ((b"gzip", GZIPPED), (b"deflate", zlib.compress(b"{}"))):
        ((status, _),) = send(served, event(body, b"Content-Encoding: " + encoding))
        assert status == 200
    is_well(served)


def test_what_comes_out_of_a_bomb_is_never_held_whole(served: Served) -> None:
    """300 MiB came out of each of the bombs above, had they been let."""
    send(served, COMPRESSED["gzip bomb"][0])
    assert memory(served, "VmHWM") < 200


def test_headers_without_an_end_are_refused(served: Served) -> None:
    with connect(served) as sock:
        with suppress(ConnectionError):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n")
            for number in range(200_000):
                sock.sendall(b"x%d: %b\r\n" % (number, ECHO))
        is_refused(answers(sock), {431, 400})
    is_well(served)


def test_a_header_without_an_end_is_refused(served: Served) -> None:
    with connect(served) as sock:
        with suppress(ConnectionError):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nx: ")
            for _ in range(200_000):
                sock.sendall(ECHO)
        is_refused(answers(sock), {431, 400})
    is_well(served)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST / HT", id="half a line"),
        pytest.param(event(b"{}")[:-20], id="half a head"),
        pytest.param(event(b"{}", b"Content-Length: 99", length=False), id="half a body"),
        pytest.param(chunked(b"99\r\n{}"), id="half a chunk"),
        pytest.param(chunked(b"2\r\n{}\r\n"), id="no last chunk"),
        pytest.param(
            event(GZIPPED[:9], b"Content-Encoding: gzip", b"Content-Length: 99", length=False),
            id="half a gzip",
        ),
    ],
)
@pytest.mark.parametrize("end", ["close", "reset", "half-close"])
def test_what_is_cut_off_leaves_nothing(served: Served, data: bytes, end: str) -> None:
    with connect(served) as sock:
        sock.sendall(data)
        if end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end == "half-close":
            sock.shutdown(socket.SHUT_WR)
            is_refused(answers(sock), {400, 408})
    is_well(served)


@pytest.mark.fastpath_only("aiohttp has no time limit for a request that arrives")
@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"POST / HT", id="head"),
        pytest.param(event(b"{}", b"Content-Length: 99", length=False), id="body"),
        pytest.param(chunked(b"99\r\n{}"), id="chunk"),
    ],
)
def test_what_does_not_arrive_is_answered_in_time(served: Served, data: bytes) -> None:
    with connect(served) as sock:
        sock.sendall(data)
        ((status, text),) = answers(sock)
    is_refused([(status, text)], {408})
    is_well(served)


def test_pipelined_events_are_answered_in_order(served: Served) -> None:
    bodies = [b'"%b"' % (b"x" * size) for size in (1, 20, 300)]
    data = b"".join(event(body, b"Content-Type: application/json") for body in bodies)
    found = send(served, data, len(bodies))
    assert [status for status, _ in found] == [200] * 3
    assert [text.rpartition(b"\r\n")[2] for _, text in found] == [b"1", b"20", b"300"]
    is_well(served)


def test_what_follows_a_good_event_is_refused_after_its_answer(served: Served) -> None:
    with connect(served) as sock:
        sock.sendall(event(b"{}"))
        ((status, _),) = answers(sock)
        assert status == 200
        sock.sendall(ECHO + b"{} / HTTP/1.1\r\n\r\n")
        is_refused(answers(sock), {400})
    is_well(served)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            event(
                b"{}", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"
            ),
            id="upgrade to HTTP/2",
        ),
        pytest.param(
            event(b"{}", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x"),
            id="upgrade to a web socket",
        ),
        pytest.param(event(b"{}", b"Expect: 100-continue"), id="expect and send at once"),
        pytest.param(event(b"{}").replace(b"POST / ", b"POST http://a/ "), id="absolute target"),
        pytest.param(
            event(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host: a\r\n", b""),
            id="HTTP/1.0 without Host",
        ),
        pytest.param(b"\r\n\r\n" + event(b"{}"), id="empty lines before it"),
        pytest.param(chunked(b"1\r\n{\r\n1\r\n}\r\n0\r\nx: y\r\n\r\n"), id="chunks and a trailer"),
        pytest.param(
            event(b"{}", b"ce-subject: 100% gr\xc3\xbcn \xf0\x9f\x98\x80"), id="as Go sends"
        ),
        pytest.param(event(b"{}", b'ce-subject: "a \\" b"'), id="quoted"),
        pytest.param(event(b"{}").replace(b"ce-", b"Ce-"), id="names as Go sends them"),
        pytest.param(event(b""), id="no data"),
    ],
)
def test_unusual_events_are_taken(served: Served, data: bytes) -> None:
    ((status, text),) = send(served, data)
    assert status == 200, text
    is_well(served)


@pytest.mark.slow
def test_a_thousand_bare_connections_leave_no_line(served: Served) -> None:
    for _ in range(1000):
        connect(served).close()
    is_well(served, lines=0)


def test_many_pipelined_requests_on_one_connection_are_answered(served: Served) -> None:
    found = send(served, event(b"{}") * 500, 500)
    assert [status for status, _ in found] == [200] * 500
    is_well(served)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["time", "datacontenttype", "{}"])
def test_long_values_stay_behind_in_no_cache(served: Served, name: str) -> None:
    before = memory(served)
    for number in range(70):
        name_or_value = f"{number}{'x' * 900_000}"
        members = {name.format(name_or_value): name_or_value if name != "{}" else "x"}
        body = json.dumps({"id": "1", "source": "/s", "type": "t", "specversion": "1.0", **members})
        ((status, _),) = send(served, structured(body.encode()))
        assert status in (200, 400)
    good_event(served)
    assert memory(served) < before + 32


@pytest.mark.slow
@pytest.mark.timeout(90)  # every case above, four times
def test_memory_is_back_after_all_of_it(served: Served) -> None:
    for data, _ in BODIES.values():
        send(served, data)
    before = memory(served)
    for _ in range(3):
        for data, _ in {**HEADS, **BODIES}.values():
            send(served, data)
    assert memory(served) < before + 32
    good_event(served)
