"""The request as a plain `def` sees it: synchronous, its body read, with Flask's names.

Any other attribute is looked up on aiohttp's request. Each part is computed when the function asks
for it. Parsing headers and forms is left to `headers` and `forms`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import Any, BinaryIO, Literal, overload
from urllib.parse import quote, unquote_to_bytes

from aiohttp import web

from pyfunc.errors import MalformedBodyError, RequestError
from pyfunc.request.forms import FORM_TYPES, Form, UploadedFile, parse_form, parse_query
from pyfunc.request.headers import (
    Accept,
    Authorization,
    UserAgent,
    parse_accept,
    parse_authorization,
    parse_cookies,
    parse_date,
    parse_options,
)
from pyfunc.request.multidicts import Headers, MultiDict
from pyfunc.request.wsgi import (
    WSGIEnviron,
    body_headers,
    body_length,
    path_bytes,
    query_bytes,
    wsgi_environ,
)

__all__ = ["Request"]

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

# What a path and a query may hold unquoted (URL standard, "URL writing").
_PATH_SAFE = "!$&'()*+,/:;=@%"
_QUERY_SAFE = "!$&'()*+,/:;=?@%"
_NOT_ASCII = "(?:%[89A-Fa-f][0-9A-Fa-f])+"


class Request:
    """A synchronous view of a request whose body has been read.

    Args:
        request: aiohttp's request; attributes that are not found here are looked up there.
        body: The whole body.
    """

    root_path = script_root = ""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self._request = request
        self._body = body

    # The body

    @overload
    def get_data(
        self, cache: bool = ..., as_text: Literal[False] = ..., parse_form_data: bool = ...
    ) -> bytes: ...
    @overload
    def get_data(
        self, cache: bool = ..., *, as_text: Literal[True], parse_form_data: bool = ...
    ) -> str: ...
    @overload
    def get_data(
        self, cache: bool = ..., as_text: bool = ..., parse_form_data: bool = ...
    ) -> bytes | str: ...
    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> bytes | str:
        """The body, as text if `as_text`; empty if `parse_form_data` and the body is a form."""
        data = b"" if parse_form_data and self.mimetype in FORM_TYPES else self._body
        return data.decode(errors="replace") if as_text else data

    @property
    def data(self) -> bytes:
        """The body, or nothing where it is a form: that is in `form` and `files`."""
        return self.get_data(parse_form_data=True)

    @cached_property
    def stream(self) -> BinaryIO:
        """The body as a binary file."""
        return BytesIO(self._body)

    @property
    def is_json(self) -> bool:
        """Whether `Content-Type` is JSON: `application/json`, or ending in `+json`."""
        mimetype = self.mimetype
        return mimetype == "application/json" or (
            mimetype.startswith("application/") and mimetype.endswith("+json")
        )

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body parsed as JSON; the same object every time unless `cache` is false.

        Args:
            force: Parse it whatever its `Content-Type` is.
            silent: Answer `None` instead of raising an error.
            cache: Keep what was parsed, and use what was kept.

        Raises:
            RequestError: `Content-Type` is not JSON (status 415).
            MalformedBodyError: The body is not JSON.
        """
        if not (force or self.is_json):
            return self._no_json(silent)
        if cache and "_json" in self.__dict__:
            return self._json
        try:
            return self._json if cache else _parse_json(self._body)
        except MalformedBodyError:
            if silent:
                return None
            raise

    @property
    def json(self) -> Any:
        """The body parsed as JSON, as `get_json()` does."""
        return self.get_json()

    @cached_property
    def _json(self) -> Any:
        return _parse_json(self._body)

    def _no_json(self, silent: bool) -> None:
        if not silent:
            raise RequestError(
                "the function takes JSON: send it with `Content-Type: application/json`",
                status=415,
            )

    @cached_property
    def _form(self) -> Form:
        return parse_form(self._body, self.content_type)

    @property
    def form(self) -> MultiDict[str]:
        """The text fields of the form in the body.

        Raises:
            MalformedBodyError: The body claims to be a form, and is not.
            RequestError: The form has too many parts (status 413).
        """
        return self._form.fields

    @property
    def files(self) -> MultiDict[UploadedFile]:
        """The files of the form in the body; raises what `form` raises."""
        return self._form.files

    # The request line

    @property
    def method(self) -> str:
        """The method, in upper case."""
        return self._request.method

    @property
    def scheme(self) -> str:
        """The scheme, `http` or `https`."""
        return self._request.scheme

    @property
    def is_secure(self) -> bool:
        """Whether the scheme is `https`."""
        return self.scheme == "https"

    @cached_property
    def path(self) -> str:
        """The path, decoded, with one slash at its start: two would make a link to another host."""
        return "/" + path_bytes(self._request).decode(errors="replace").lstrip("/")

    @property
    def query_string(self) -> bytes:
        """The query as it was sent, without the question mark."""
        return query_bytes(self._request)

    @property
    def full_path(self) -> str:
        """The decoded path and the query, with a question mark even where there is no query."""
        return f"{self.path}?{self.query_string.decode(errors='replace')}"

    @cached_property
    def args(self) -> MultiDict[str]:
        """The parameters of the query."""
        return parse_query(self.query_string.decode(errors="replace"))

    @cached_property
    def values(self) -> MultiDict[str]:
        """The parameters of the query, then the fields of the form unless the method is GET."""
        pairs = list(self.args.items(multi=True))
        if self.method != "GET":
            pairs += self.form.items(multi=True)
        return MultiDict(pairs, "query parameter or form field")

    @property
    def host(self) -> str:
        """The host that the request was sent to, with its port unless that is the scheme's own."""
        return self._request.host.removesuffix(_DEFAULT_PORTS.get(self.scheme, ""))

    @property
    def host_url(self) -> str:
        """Scheme and host, with a slash at the end."""
        return f"{self.scheme}://{self.host}/"

    root_url = host_url
    url_root = host_url

    @property
    def base_url(self) -> str:
        """The URL without its query, readable: what is not ASCII is not quoted."""
        return _readable(self.host_url + quote(self.path[1:], safe=_PATH_SAFE))

    @property
    def url(self) -> str:
        """The whole URL, readable: what is not ASCII is not quoted."""
        query = quote(self.query_string, safe=_QUERY_SAFE)
        return f"{self.base_url}?{_readable(query)}" if query else self.base_url

    @property
    def remote_addr(self) -> str | None:
        """The address of the other end of the connection; `None` if there is none."""
        return self._request.remote

    @property
    def access_route(self) -> list[str]:
        """The addresses that `X-Forwarded-For` lists, else the other end of the connection.

        Callers can write anything there: trust it only behind a proxy that sets it.
        """
        forwarded = self.headers.get("X-Forwarded-For")
        if forwarded is not None:
            return [address.strip() for address in forwarded.split(",")]
        return [] if self.remote_addr is None else [self.remote_addr]

    # The headers

    @cached_property
    def headers(self) -> Headers:
        """The headers, as they hold for the decoded body."""
        return Headers(body_headers(self._request, self._body))

    @property
    def origin(self) -> str | None:
        """The `Origin` header."""
        return self.headers.get("Origin")

    @property
    def referrer(self) -> str | None:
        """The `Referer` header."""
        return self.headers.get("Referer")

    @property
    def user_agent(self) -> UserAgent:
        """The `User-Agent` header; empty if there is none."""
        return UserAgent(self.headers.get("User-Agent", ""))

    @cached_property
    def cookies(self) -> MultiDict[str]:
        """The cookies."""
        return MultiDict(parse_cookies(self.headers.get("Cookie", "")), "cookie")

    @cached_property
    def authorization(self) -> Authorization | None:
        """The credentials of the `Authorization` header; `None` if none can be read there."""
        return parse_authorization(self.headers.get("Authorization"))

    @cached_property
    def accept_mimetypes(self) -> Accept:
        """The media types that the caller takes."""
        return parse_accept(self.headers.get("Accept"))

    @property
    def content_type(self) -> str | None:
        """The `Content-Type` header as it was sent."""
        return self.headers.get("Content-Type")

    @property
    def content_encoding(self) -> str | None:
        """The `Content-Encoding` header, where the body still has that coding."""
        return self.headers.get("Content-Encoding")

    @property
    def content_length(self) -> int | None:
        """The length of the body in bytes; `None` if the request has none."""
        return body_length(self._request, self._body)

    @cached_property
    def _content_type(self) -> tuple[str, dict[str, str]]:
        return parse_options(self.content_type)

    @property
    def mimetype(self) -> str:
        """The media type in lower case, without parameters; empty if there is none."""
        return self._content_type[0]

    @property
    def mimetype_params(self) -> dict[str, str]:
        """The parameters of the media type, such as `charset`."""
        return self._content_type[1]

    @property
    def date(self) -> datetime | None:
        """The `Date` header; `None` if there is none or it is no date."""
        return parse_date(self.headers.get("Date"))

    @cached_property
    def environ(self) -> WSGIEnviron:
        """The request as a WSGI environ (PEP 3333), for functions that look there."""
        return wsgi_environ(self._request, self._body)

    # aiohttp's request: its attributes, and what its middlewares keep in it

    def __getattr__(self, name: str) -> Any:
        # Looked up before it is set, as copying does, this would ask itself without end.
        if name == "_request":
            raise AttributeError(name)
        return getattr(self._request, name)

    def __getitem__(self, key: Any) -> Any:
        return self._request[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._request[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._request[key]

    def __contains__(self, key: object) -> bool:
        return key in self._request

    def __iter__(self) -> Iterator[Any]:
        return iter(self._request)

    def __repr__(self) -> str:
        return f"<Request {self.url!r} [{self.method}]>"


def _parse_json(body: bytes) -> Any:
    """Python's own parser, as in Flask: it takes what other Python programs send, like `NaN`."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "too deeply nested" if isinstance(error, RecursionError) else error
        raise MalformedBodyError(f"the body is not JSON: {reason}") from error


def _readable(url: str) -> str:
    """Undo the quoting of characters that are not ASCII, as browsers show an address."""
    return re.sub(_NOT_ASCII, _unquoted, url)


def _unquoted(match: re.Match[str]) -> str:
    try:
        return unquote_to_bytes(match[0]).decode()
    except UnicodeDecodeError:  # not text: it stays as it came
        return match[0]
