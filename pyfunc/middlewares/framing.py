"""The end of a response, which the client has to find (RFC 9112, section 6).

aiohttp frames a response by the headers and the body that it has before it is sent. A header or a
write of the function's own that says otherwise would make a client take a part of one response for
the next one, or wait for more. This module settles it just before the head of a response is sent.
"""

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11

from pyfunc.invoking.wire import has_body

__all__ = ["settle_framing"]


def settle_framing(request: web.Request, response: web.StreamResponse) -> None:
    """Let the headers of a prepared response say where its body ends, and nothing else.

    Args:
        request: The request that it answers.
        response: The response, with its head still to be sent.
    """
    headers = response.headers
    if not has_body(request.method, response.status):
        request.writer.length = 0  # what is written is not sent
        if response.compression:
            # The end of the compressed data is sent all the same.
            headers[hdrs.CONNECTION] = "close"
            response.force_close()
        return
    if isinstance(response, web.Response) and hdrs.CONTENT_LENGTH in headers:
        _settle_length(response)
    if response.chunked:
        headers.popall(hdrs.CONTENT_LENGTH, None)
    elif hdrs.CONTENT_LENGTH in headers or request.version < HttpVersion11:
        headers.popall(hdrs.TRANSFER_ENCODING, None)
    if hdrs.CONTENT_LENGTH not in headers and request.version < HttpVersion11:
        response.force_close()  # the end of the connection is the end of the body


def _settle_length(response: web.Response) -> None:
    """Give the length of the body that is there, whatever the function has said."""
    said = response.headers.popall(hdrs.CONTENT_LENGTH)
    length = response.content_length
    # A body that is still to be read has no length here.
    response.headers[hdrs.CONTENT_LENGTH] = said[0] if length is None else str(length)
