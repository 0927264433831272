"""`invoke` as a process: what it sends, what it shows, and with which code it ends."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import ROOT, Served, environment, pyfunc

ECHO = """\
import logging

def main(event, headers, path, query):
    logging.info("invoked")
    print("printed")
    extra = {"path": path, "query": dict(query), "x": headers.get("x")}
    reply = {"type": "a.b", "datacontenttype": "application/json"}
    return reply, {"attributes": event.attributes, "data": event.data, **extra}
"""
PLAIN = """\
async def main(method, path, query, headers, req):
    body = (await req.read()).decode()
    found = {"method": method, "path": path, "query": list(query.items()), "body": body}
    return {**found, "type": headers.get("content-type"), "x": headers.get("x")}
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    (tmp_path / "func.py").write_text(ECHO)
    return tmp_path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "func.py").write_text(PLAIN)
    return tmp_path


def invoke(directory: Path, *arguments: str) -> Any:
    """The JSON that is shown."""
    done = pyfunc("invoke", "--json", *arguments, cwd=directory)
    assert done.stderr == ""
    return json.loads(done.stdout)


def received(directory: Path, *arguments: str) -> Any:
    """What the function was given."""
    found = invoke(directory, *arguments)
    return found["events"][0]["data"] if found["events"] else json.loads(found["body"])


def test_alone_it_sends_an_event_to_an_event_function(echo: Path) -> None:
    got = received(echo)
    assert got["data"] == {"hello": "world"}
    assert got["attributes"]["type"] == "com.example.sample"
    assert got["attributes"]["source"] == "/pyfunc/sample"
    assert got["attributes"]["datacontenttype"] == "application/json"


def test_alone_it_asks_an_http_function(plain: Path) -> None:
    got = received(plain)
    assert (got["method"], got["path"], got["body"]) == ("GET", "/", "")


@pytest.mark.parametrize(
    "name",
    ["demo", "echo", "hello", "order", "stream"],
)
def test_alone_it_does_something_useful_with_an_example(name: str) -> None:
    done = pyfunc("invoke", cwd=ROOT / "examples" / name)
    assert done.returncode == 0
    assert done.stdout.startswith("200 OK\n")


def test_every_part_of_an_event_can_be_given(echo: Path) -> None:
    words = "--type t --source /s --subject su --id 7 --extension tenant=a=b --extension n=1"
    more = "--path /x?y=1 --query a=b&c --header x:z"
    got = received(echo, "--data", '{"n": 1}', *words.split(), *more.split())
    attributes = got["attributes"]
    assert attributes.pop("time")
    attributes.pop("traceparent", None)
    assert attributes == {
        "specversion": "1.0",
        "type": "t",
        "source": "/s",
        "subject": "su",
        "id": "7",
        "tenant": "a=b",
        "n": "1",
        "datacontenttype": "application/json",
    }
    assert got["data"] == {"n": 1}
    assert (got["path"], got["query"], got["x"]) == ("/x", {"y": "1", "a": "b&c"}, "z")


@pytest.mark.parametrize(
    ("mode", "content_type"),
    [
        ("binary", "application/json"),
        ("structured", "application/cloudevents+json"),
        ("batched", "application/cloudevents-batch+json"),
    ],
)
def test_mode_is_chosen(echo: Path, mode: str, content_type: str) -> None:
    found = invoke(echo, "--mode", mode, "--data", "[1]")
    assert found["request"]["headers"]["content-type"] == content_type
    assert found["events"][0]["data"]["data"] == [1]


@pytest.mark.parametrize(
    ("data", "content_type", "told"),
    [
        pytest.param(b'{"n": 1}', None, "application/json", id="JSON"),
        pytest.param("grüße".encode(), None, "text/plain; charset=utf-8", id="text"),
        pytest.param(b"\xff\0", None, "application/octet-stream", id="octets"),
        pytest.param(b"<a/>", "application/xml", "application/xml", id="as told"),
    ],
)
def test_content_type_of_a_file_is_found_out(
    echo: Path, data: bytes, content_type: str | None, told: str
) -> None:
    (echo / "func.py").write_text("def main(event): return event")
    (echo / "data").write_bytes(data)
    more = ["--content-type", content_type] if content_type else []
    found = invoke(echo, "--data-file", "data", *more)
    assert found["events"][0]["datacontenttype"] == told


def test_data_comes_from_standard_input(echo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pyfunc", "invoke", "--json", "--data-file", "-"],
        cwd=echo,
        env=environment(),
        input=b"[1, 2]",
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["events"][0]["data"]["data"] == [1, 2]


EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"n": 1}}


@pytest.mark.parametrize(
    ("document", "flags", "content_type"),
    [
        pytest.param(EVENT, (), "application/cloudevents+json", id="event"),
        pytest.param([EVENT], (), "application/cloudevents-batch+json", id="batch"),
        pytest.param(EVENT, ("--mode", "binary"), "application/json", id="in another mode"),
        pytest.param(EVENT, ("--id", "1"), "application/cloudevents+json", id="attribute given"),
    ],
)
def test_event_comes_from_a_file(
    echo: Path, document: Any, flags: tuple[str, ...], content_type: str
) -> None:
    (echo / "event.json").write_text(json.dumps(document))
    found = invoke(echo, "--event-file", "event.json", *flags)
    assert found["request"]["headers"]["content-type"] == content_type
    got = found["events"][0]["data"]
    assert (got["attributes"]["id"], got["attributes"]["type"], got["data"]) == ("1", "t", {"n": 1})


def test_event_file_is_sent_as_it_is(echo: Path) -> None:
    (echo / "event.json").write_text('{"specversion": "1.0"}')
    found = invoke(echo, "--event-file", "event.json")
    assert (found["status"], found["request"]["body"]) == (400, '{"specversion": "1.0"}')


def test_octets_of_an_event_file_survive_another_mode(echo: Path) -> None:
    (echo / "func.py").write_text("def main(data): return {'type': 'a.b'}, list(data)")
    document = {**EVENT, "data_base64": "/wA=", "datacontenttype": "application/octet-stream"}
    del document["data"]
    (echo / "event.json").write_text(json.dumps(document))
    found = invoke(echo, "--event-file", "event.json", "--mode", "binary")
    assert found["events"][0]["data"] == [255, 0]


def test_plain_request_has_every_part(plain: Path) -> None:
    words = "--method PUT --path /x%20y --query a=1 --query a=2 --header x:y --data hello"
    assert received(plain, *words.split()) == {
        "method": "PUT",
        "path": "/x y",
        "query": [["a", "1"], ["a", "2"]],
        "body": "hello",
        "type": "text/plain; charset=utf-8",
        "x": "y",
    }


def test_http_function_can_be_sent_an_event(plain: Path) -> None:
    found = invoke(plain, "--type", "t", "--data", "1")
    assert found["request"]["headers"]["ce-type"] == "t"
    assert not found["ok"]  # a broker takes JSON that is no event for a failed delivery


def test_body_fits_the_annotation(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text(
        "from typing import TypedDict\n"
        "class Order(TypedDict):\n    n: int\n    name: str\n"
        "def main(body: Order): return body"
    )
    assert received(tmp_path) == {"n": 1, "name": "text"}


@pytest.mark.parametrize(
    ("raised", "status", "sentence", "code"),
    [
        ("ValueError('secret')", 500, "repeat the event after the back-off", 1),
        ("pyfunc.Retry(after=30)", 503, "repeat the event after 30 seconds", 1),
        ("pyfunc.Reject('no')", 422, "not repeat the event but hand it to the dead letter", 1),
    ],
)
def test_failure_ends_with_1_and_tells_what_a_broker_does(
    tmp_path: Path, raised: str, status: int, sentence: str, code: int
) -> None:
    (tmp_path / "func.py").write_text(f"import pyfunc\ndef main(event): raise {raised}")
    done = pyfunc("invoke", cwd=tmp_path)
    assert done.returncode == code
    assert done.stdout.startswith(f"{status} ")
    assert sentence in done.stdout.replace("\n", " ")


def test_failing_function_shows_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(event):\n    return 1 / 0\n")
    done = pyfunc("invoke", cwd=tmp_path)
    assert re.search(r'File ".*func.py", line 2, in main', done.stderr)
    assert "ZeroDivisionError" in done.stderr


def test_people_are_shown_status_headers_event_data_time_and_verdict(echo: Path) -> None:
    done = pyfunc("invoke", cwd=echo)
    pattern = (
        r"printed\n200 OK\n(?s:.*)^Content-Type: application/json\n(?s:.*)\nevent\n"
        r"(?s:.*)^  type +a\.b\n(?s:.*)^data\n  \{\n(?s:.*)^  \}\n\nIt took \d+ ms\.\n"
        r"A Knative broker would acknowledge the event and forward the reply: 200 with an\n"
        r"event of type a\.b\.\n"
    )
    assert re.fullmatch(pattern, done.stdout, re.M), done.stdout
    assert "invoked" in done.stderr


def test_json_keeps_the_log_and_what_is_printed(echo: Path) -> None:
    logged, printed = invoke(echo)["log"]
    assert "invoked" in logged
    assert printed == "printed"


def test_every_member_of_the_json_is_documented(echo: Path) -> None:
    documented = (ROOT / "docs/invoke.md").read_text()
    found = invoke(echo)
    names = [*found, *found["request"], *(f"outcome.{name}" for name in found["outcome"])]
    names.remove("outcome")
    assert [name for name in names if f"`{name}`" not in documented] == []


def test_hooks_are_called(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text(
        "seen = []\n"
        "def on_startup(): seen.append('started')\n"
        "def on_shutdown(): print('stopped')\n"
        "def main(body): return seen\n"
    )
    assert received(tmp_path) == ["started"]
    assert "stopped" in invoke(tmp_path)["log"]


def test_hook_that_fails_ends_with_4(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def on_startup(): 1 / 0\ndef main(): ...\n")
    done = pyfunc("invoke", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert "on_startup" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "pyfunc/invoking/hooks.py" not in done.stderr


def test_limits_are_those_of_start(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(body): return body")
    assert invoke(tmp_path, "--max-body", "2", "--data", "123")["status"] == 413


def test_port_of_the_user_is_not_used(plain: Path) -> None:
    with Served(plain) as served:
        done = pyfunc("invoke", cwd=plain, env={"PORT": str(served.port)})
        assert done.returncode == 0


def test_server_that_is_running_is_asked(
    echo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    with Served(echo) as served:
        got = received(elsewhere, "--url", served.url, "--path", "/x", "--data", "[1]")
    assert (got["path"], got["data"]) == ("/x", [1])


def test_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    done = pyfunc("invoke", "--url", "http://127.0.0.1:1/", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "http://127.0.0.1:1/ did not answer" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--data", "it's @here: $HOME", "--header", "x:"), id="text"),
        pytest.param(("--data-file", "octets"), id="octets"),
        pytest.param(("--mode", "structured", "--path", "/{a}", "--query", "b=[c]&d"), id="globs"),
    ],
)
def test_curl_sends_the_same(echo: Path, arguments: tuple[str, ...]) -> None:
    (echo / "func.py").write_text(
        "def main(event, path, query):\n"
        "    return {'type': 'a.b'}, [repr(event.data), path, list(query.items())]"
    )
    (echo / "octets").write_bytes(b"\xff\0\n")
    with Served(echo) as served:
        there = ("--url", served.url, "--id", "1", *arguments)
        found = invoke(echo, *there)
        command = pyfunc("invoke", "--curl", *there, cwd=echo).stdout
        shown = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout.splitlines()[-1]) == found["events"][0]["data"]


def test_curl_command_is_one_of_a_shell(plain: Path) -> None:
    done = pyfunc("invoke", "--curl", "--method", "PUT", cwd=plain)
    words = shlex.split(done.stdout)
    assert words[0] == "curl"
    assert words[-1] == "http://localhost:8080"
    assert words[words.index("--request") + 1] == "PUT"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--extension tenant", "--extension is 'tenant': expected NAME=VALUE"),
        ("--header x", "--header is 'x': expected NAME:VALUE"),
        ("--extension Tenant=a", "Tenant: expected a name of lower-case letters and digits"),
        ("--data 1 --data-file x", "--data and --data-file are both given"),
        ("--data-file nope", "--data-file nope cannot be read: No such file or directory"),
        ("--event-file nope", "--event-file nope cannot be read"),
        ("--event-file func.py", "--event-file func.py is not an event: malformed JSON"),
        ("--event-file number", "expected the JSON object of an event"),
        ("--method PUT --type t", "but events are sent by POST: omit it"),
        ("--mode xml", "invalid choice: 'xml'"),
        ("--header x:a\rb", "a line break"),
    ],
)
def test_flag_that_cannot_be_used_ends_with_2(echo: Path, arguments: str, told: str) -> None:
    (echo / "number").write_text("1")
    done = pyfunc("invoke", *arguments.split(" "), cwd=echo)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_function_that_cannot_be_served_ends_with_3(tmp_path: Path) -> None:
    (tmp_path / "func.py").write_text("def main(colour): ...")
    done = pyfunc("invoke", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "colour" in done.stderr
