"""Parse forms and queries that are in memory into multi-dicts of text and files.

Uploaded files have the attributes of Werkzeug's, which functions written for Flask rely on.
Reading a request is left to `view`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qsl

import msgspec

from pyfunc.errors import MalformedBodyError, RequestError
from pyfunc.request.headers import parse_options
from pyfunc.request.multidicts import Headers, MultiDict

if TYPE_CHECKING:
    import os

    from multipart import MultipartSegment  # type: ignore[import-untyped]

__all__ = [
    "FORM_TYPES",
    "URLENCODED",
    "Form",
    "UploadedFile",
    "has_too_many_fields",
    "parse_form",
    "parse_query",
]

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
FORM_TYPES = frozenset({URLENCODED, MULTIPART})

# As many parts as Werkzeug and aiohttp take, as many fields as PHP and Django: each costs far more
# to hold than its bytes to send.
MAX_PARTS = 1000

# Others would let a caller choose any codec of Python's; browsers only ever send UTF-8.
_PART_CHARSETS = frozenset({"ascii", "us-ascii", "utf-8", "iso-8859-1"})


class UploadedFile:
    """A file of a multipart form: its content as a stream, and the headers of its part.

    Attributes:
        stream: The content, seekable, from its start.
        name: The name of the form's field.
        filename: As the caller sent it, so no path to use unchecked; empty if no file was chosen.
        headers: The headers of the file's part.
    """

    def __init__(self, content: bytes, name: str, filename: str, headers: Headers) -> None:
        self.stream: BinaryIO = BytesIO(content)
        self.name = name
        self.filename = filename
        self.headers = headers

    @property
    def content_type(self) -> str | None:
        """The part's `Content-Type` as it was sent."""
        return self.headers.get("Content-Type")

    @property
    def mimetype(self) -> str:
        """The part's media type in lower case, without parameters; empty if it has none."""
        return parse_options(self.content_type)[0]

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the part's media type, such as `charset`."""
        return parse_options(self.content_type)[1]

    @property
    def content_length(self) -> int:
        """The part's `Content-Length` in bytes; 0 if it has none."""
        return self.headers.get("Content-Length", 0, type=int)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from the current position, or the rest."""
        return self.stream.read(size)

    def save(self, dst: str | os.PathLike[str] | BinaryIO, buffer_size: int = 64 * 1024) -> None:
        """Copy the rest of the stream to a path, or to a file open for binary writing."""
        if isinstance(dst, str) or hasattr(dst, "__fspath__"):
            with Path(dst).open("wb") as file:
                shutil.copyfileobj(self.stream, file, buffer_size)
        else:
            shutil.copyfileobj(self.stream, dst, buffer_size)

    def close(self) -> None:
        """Free the content."""
        self.stream.close()

    def __bool__(self) -> bool:
        return bool(self.filename)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.stream)

    def __getattr__(self, name: str) -> Any:
        # Not found here, `stream` would be asked for its own stream without end.
        if name == "stream":
            raise AttributeError(name)
        return getattr(self.stream, name)

    def __repr__(self) -> str:
        return f"<UploadedFile: {self.filename!r} ({self.content_type!r})>"


class Form(msgspec.Struct, frozen=True):
    """A form's fields and files."""

    fields: MultiDict[str]
    files: MultiDict[UploadedFile]


def parse_query(query: str, kind: str = "query parameter") -> MultiDict[str]:
    """Read a URL's query, or anything encoded like one; bytes that are no UTF-8 are replaced."""
    return MultiDict(parse_qsl(query, keep_blank_values=True), kind)


def parse_form(body: bytes, content_type: str | None) -> Form:
    """Read a form of either encoding; a body of any other type is an empty form.

    Raises:
        MalformedBodyError: The body does not keep to the encoding that its type names.
        RequestError: The form has more than 1000 fields or parts (status 413).
    """
    mimetype, options = parse_options(content_type)
    if mimetype == MULTIPART:
        return _parse_multipart(body, options.get("boundary", ""))
    if mimetype == URLENCODED:
        return _form(_urlencoded_fields(body), ())
    return _form((), ())


def _form(fields: Iterable[tuple[str, str]], files: Iterable[tuple[str, UploadedFile]]) -> Form:
    return Form(MultiDict(fields, "form field"), MultiDict(files, "file"))


def _urlencoded_fields(body: bytes) -> list[tuple[str, str]]:
    if has_too_many_fields(body):
        raise RequestError(f"the form has more than {MAX_PARTS} fields", status=413)
    return parse_qsl(_form_text(body), keep_blank_values=True)


def has_too_many_fields(body: bytes) -> bool:
    """Whether a urlencoded form has more fields than are accepted."""
    return body.count(b"&") > MAX_PARTS


def _form_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedBodyError("the form is not UTF-8 text") from error


def _parse_multipart(body: bytes, boundary: str) -> Form:
    # Imported late: only functions that read a multipart form need the parser.
    from multipart import MultipartError, ParserLimitReached

    if not boundary:
        raise MalformedBodyError("the multipart form's Content-Type names no boundary")
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, UploadedFile]] = []
    try:
        for segment, content in _segments(body, boundary):
            name, filename = _names(segment)
            if filename is None:
                fields.append((name, content.decode(_charset(segment), "replace")))
            else:
                files.append((name, UploadedFile(content, name, filename, _headers(segment))))
    except ParserLimitReached as error:
        raise RequestError(
            f"the form has more than {MAX_PARTS} parts, or headers of a part that are too large",
            status=413,
        ) from error
    except MultipartError as error:
        raise MalformedBodyError(f"the multipart form is malformed: {error}") from error
    return _form(fields, files)


def _segments(body: bytes, boundary: str) -> Iterator[tuple[MultipartSegment, bytes]]:
    from multipart import MultipartSegment, PushMultipartParser

    with PushMultipartParser(boundary, max_segment_count=MAX_PARTS) as parser:
        chunks: list[bytes] = []
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, chunks = event, []
            elif event is None:
                yield segment, b"".join(chunks)
            else:
                chunks.append(event)


def _names(segment: MultipartSegment) -> tuple[str, str | None]:
    """The names of a part and its file, also as RFC 5987 writes them, which older clients do."""
    disposition = segment.header("Content-Disposition")
    if "*=" not in disposition:
        return segment.name or "", segment.filename
    extended = parse_options(disposition)[1]
    return extended.get("name", segment.name or ""), extended.get("filename", segment.filename)


def _headers(segment: MultipartSegment) -> Headers:
    return Headers(segment.headerlist)


def _charset(segment: MultipartSegment) -> str:
    charset = (segment.charset or "").lower()
    return charset if charset in _PART_CHARSETS else "utf-8"
