from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from pytest_aiohttp.plugin import AiohttpClient

from pyfunc.request.forms import parse_form
from pyfunc.request.view import Request
from tests.support.flask_twin import BOUNDARY, END, MULTIPART, URLENCODED, part
from tests.support.views import view_app


async def test_a_form_of_several_megabytes_arrives_whole(aiohttp_client: AiohttpClient) -> None:
    # Line ends and parts of the boundary are what a parser looks at twice.
    content = (b"\r\n--" + BOUNDARY[:-1].encode() + bytes(range(256))) * 18_000
    text = "€" * 1_000_000

    def look(req: Request) -> Any:
        return [
            req.files["upload"].read() == content,
            req.files["upload"].filename,
            req.form["text"] == text,
            len(req.get_data()) > len(content),
        ]

    client = await aiohttp_client(view_app(look))
    form = part('name="upload"; filename="größe.bin"', content)
    form += part('name="text"', text.encode()) + END
    response = await client.post("/", data=BytesIO(form), headers={"Content-Type": MULTIPART})

    assert len(content) > 5_000_000
    assert await response.json() == [True, "größe.bin", True, True]


@pytest.mark.parametrize("fill", [b"\xff", b"\r", b"\n", b"\r\n", b"\r\n--"])
def test_no_line_end_moves_into_a_value_at_the_border_of_a_chunk(fill: bytes) -> None:
    """As in pallets/werkzeug#2761, #3065, #3118 and #3285, where a parser took 64 KiB at a time."""
    for size in range((1 << 16) - 250, (1 << 16) + 10):
        content = (b"X\n" + fill * size)[:size]
        body = part('name="a"', b"550") + part('name="f"; filename="f"', content)
        form = parse_form(body + part('name="b"', b"A73290_SN3") + END, MULTIPART)
        assert form.fields["a"] == "550"
        assert form.files["f"].read() == content
        assert form.fields["b"] == "A73290_SN3"


@pytest.mark.parametrize(
    ("parameter", "filename"),
    [
        ('filename="a;b=c.txt"', "a;b=c.txt"),
        ('filename="x=y.txt"', "x=y.txt"),
        ('filename="a\\"b.txt"', 'a"b.txt'),
        ('filename="%22q%22.txt"', '"q".txt'),
        ("filename=plain.txt", "plain.txt"),
        ('filename="a.txt" ; other=b', "a.txt"),
        ('FILENAME="a.txt"', "a.txt"),
        ("filename=\"a.txt\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
    ],
)
def test_a_name_of_a_file_may_hold_what_separates_parameters(parameter: str, filename: str) -> None:
    """As in pillarjs/multiparty#101 and yhirose/cpp-httplib#2574, where it was cut there."""
    form = parse_form(part(f'name="f"; {parameter}', b"") + END, MULTIPART)
    assert [file.filename for file in form.files.values()] == [filename]


async def test_a_file_can_be_saved_to_a_path_and_to_a_file(
    aiohttp_client: AiohttpClient, tmp_path: Path
) -> None:
    def look(req: Request) -> Any:
        file = req.files["f"]
        file.save(tmp_path / "by path")
        file.seek(0)
        file.save(str(tmp_path / "by name"))
        file.seek(2)
        rest = BytesIO()
        file.save(rest)
        file.close()
        return [rest.getvalue().decode(), file.stream.closed, repr(file)]

    client = await aiohttp_client(view_app(look))
    form = FormData()
    form.add_field("f", b"content", filename="a.txt", content_type="text/plain")
    response = await client.post("/", data=form)

    assert await response.json() == ["ntent", True, "<UploadedFile: 'a.txt' ('text/plain')>"]
    assert (tmp_path / "by path").read_bytes() == b"content"
    assert (tmp_path / "by name").read_bytes() == b"content"


@pytest.mark.parametrize(
    ("content_type", "body", "status", "detail"),
    [
        pytest.param(
            MULTIPART,
            part('name="a"', b"1"),
            400,
            "the multipart form is malformed: Unexpected end of multipart stream (parser closed)",
            id="cut off",
        ),
        pytest.param(
            MULTIPART,
            b"",
            400,
            "the multipart form is malformed: Unexpected end of multipart stream (parser closed)",
            id="empty",
        ),
        pytest.param(
            "multipart/form-data",
            END,
            400,
            "the multipart form's Content-Type names no boundary",
            id="no boundary",
        ),
        pytest.param(
            MULTIPART,
            f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n1\r\n".encode() + END,
            400,
            "the multipart form is malformed: Missing Content-Disposition segment header",
            id="a part without a name",
        ),
        pytest.param(
            MULTIPART,
            part('name="a"', b"1") * 1001 + END,
            413,
            "the form has more than 1000 parts, or headers of a part that are too large",
            id="too many parts",
        ),
        pytest.param(
            URLENCODED,
            b"a&" * 1001,
            413,
            "the form has more than 1000 fields",
            id="too many fields",
        ),
        pytest.param(
            URLENCODED, b"a=\xff", 400, "the form is not UTF-8 text", id="urlencoded, not text"
        ),
    ],
)
async def test_a_malformed_form_is_refused(
    content_type: str, body: bytes, status: int, detail: str, aiohttp_client: AiohttpClient
) -> None:
    client = await aiohttp_client(view_app(lambda req: len(req.form)))
    response = await client.post("/", data=body, headers={"Content-Type": content_type})
    assert (response.status, await response.json()) == (status, {"detail": detail})
