"""One TCP connection, and all of them: what aiohttp's own protocol leaves open.

Bytes that are no request are answered in a problem document that does not echo them, and leave one
line at DEBUG. A request that starts to arrive has to arrive within a time, and its head within a
size. While the process drains, each answer is the last one of its connection.
"""

import asyncio
import logging
from contextvars import copy_context
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

from pyfunc.errors import RequestError, SlowRequestError
from pyfunc.fastpath.malformed import malformed_error, raw_response
from pyfunc.fastpath.parsing import ParsingHandler
from pyfunc.fastpath.response import DirectResponse
from pyfunc.middlewares.problems import problem

__all__ = ["Connection", "Limits"]

logger = logging.getLogger("pyfunc")

# A body may take a second longer for each so many bytes of it that have arrived.
_SLOWEST = 8192


# With so few connections an answer had better be sent alone: its client is at work again meanwhile.
_FEW = 2

# What reads a body after the answer gets this, as from aiohttp.
_ANSWERED = web.PayloadAccessError()
_HEAD_LATE = "the head of the request did not arrive in time"
_HEAD_LARGE = "the headers are larger than is taken here"


class Limits(msgspec.Struct, frozen=True):
    """Limits of the requests of a connection."""

    head: int
    """The largest head of a request, in bytes."""
    headers: int
    """The most header fields of a request."""
    read_timeout: float
    """How long a request may take to arrive, in seconds; 0 for no limit."""


class Connection(ParsingHandler):
    """One connection.

    Args:
        manager: All connections.
        loop: The loop that it lives on.
        limits: Of requests.
        kwargs: Those of aiohttp's own protocol.
    """

    __slots__ = (
        "_awaited",
        "_head_size",
        "_max_head",
        "_read_timeout",
        "_send_queue",
        "_since",
        "_timer",
    )

    # For aiohttp each of them may be None: without a client, or before it has sent anything.
    _manager: Any
    _parser: Any
    _request_factory: Any
    _request_handler: Any
    _task_handler: Any
    _waiter: Any
    transport: Any

    def __init__(
        self,
        manager: Any,
        *,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            manager,
            loop=loop,
            max_line_size=limits.head,
            max_field_size=limits.head,
            max_headers=limits.headers,
            **kwargs,
        )
        self._read_timeout = limits.read_timeout
        self._send_queue = manager.send_queue
        self._max_head = limits.head
        self._head_size = 0
        self._awaited: StreamReader | None = None
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is here, not even the first byte of one."""
        return self._waits and not self._head_size

    @property
    def used(self) -> float:
        """When it was made, or last gave an answer, on the loop's clock."""
        return self._next_keepalive_close_time - self._keepalive_timeout

    def end(self) -> None:
        """The answers that are not yet under way say that they are the last ones here."""
        if self._manager is not None:  # the client is still there
            self._request_factory = self._manager.request_factory
            self.end_with_current()

    async def start(self) -> None:
        """Answer one request, in a task of its own that was made before the request came.

        aiohttp has one task for a connection and makes another for each request when it is here:
        three rounds of the loop. What is not simple goes that way, and all that follows it.
        """
        following = copy_context()
        if self._close or self._force_close:
            return self._end()
        if not self._messages:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._force_close:  # just now
            return
        if not self._is_simple(*self._messages[0]):
            await super().start()
        elif await self._is_answered():
            self._task_handler = asyncio.Task(self.start(), loop=self._loop, context=following)
        else:
            self._end()

    def data_received(self, data: bytes) -> None:
        """Parse bytes that have arrived, and time what they leave incomplete."""
        known = self._request_count
        awaited, is_queued = self._awaited, bool(self._messages)
        under_way = None if awaited is None or awaited.is_eof() else awaited
        super().data_received(data)
        if under_way is not None and under_way.is_eof():
            if is_queued:
                self._awaited = None
            else:
                self._end_of_body()
        if self._request_count != known:
            self._head_size = 0
            if self._awaited is not None:
                self._break_off(self._awaited)
            body = self._messages[-1][1]
            if not body.is_eof():
                self._watch(body)
        elif data and self._waits:
            self._part_of_head(data)

    def send(self, answer: bytes) -> None:
        """Send a whole answer, soon: together with others, unless it is as well off alone.

        Raises:
            ConnectionError: The client is gone.
        """
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client is gone")
        # With more to answer, or to close, on this connection there is an order to be kept.
        if self._messages or self._close or len(self._manager._connections) <= _FEW:
            transport.write(answer)
        else:
            self._send_queue.send(transport, answer)

    def force_close(self) -> None:
        """Close the connection, once what is to be sent is on its way."""
        self._send_queue.flush()
        super().force_close()

    async def _drain_helper(self) -> None:
        """Wait for a slow client.

        Without the traceback of a client that has left: it would keep the frames that hold the
        response, and the response with them, until the garbage collector runs.
        """
        try:
            await super()._drain_helper()
        except ConnectionError as error:
            raise error.with_traceback(None) from None

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Read on after a pause; aiohttp asks for that with each body, paused or not."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; all that aiohttp looks for beside that is not there with most."""
        if type(resp) is not DirectResponse or request._post is not None or self._upgraded:
            return await super().finish_response(request, resp, start_time)
        try:
            is_sent = resp.is_sent(request)  # type: ignore[arg-type]  # every request is a Request
            if is_sent and self._paused:
                await self._drain_helper()
        except ConnectionError:
            return resp, True
        return (
            (resp, False) if is_sent else await super().finish_response(request, resp, start_time)
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no request, or to a fault of the server itself."""
        if isinstance(exc, HttpProcessingError):
            error = malformed_error(exc)
            logger.debug("refused what %s sent: %s", request.remote, error.detail)
        else:
            error = RequestError("the server failed", status=status)
            logger.error("the server failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        response = problem(error)
        response.headers["Connection"] = "close"
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What ends a connection is no fault of ours if it is a broken body."""
        error = kw.get("exc_info")
        if isinstance(error, web.RequestPayloadError | RequestError | ConnectionError):
            logger.debug("a connection ended: %s", type(error).__name__)
        else:
            super().log_exception(*args, **kw)

    def _is_simple(self, message: Any, body: StreamReader) -> bool:
        """Whether it is a request, and here whole."""
        return type(message) is RawRequestMessage and body.is_eof()

    def _end(self) -> None:
        """No more requests, and no task that waits for one."""
        if not self._force_close:
            self._task_handler = None
            self.transport.close()

    async def _is_answered(self) -> bool:
        """Answer a simple request; whether there may be another one."""
        message, body = self._messages.popleft()
        self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        self._manager.requests_count += 1
        writer = StreamWriter(self, self._loop)
        request = self._request_factory(message, body, self, writer, self._task_handler)
        start = self._loop.time() if self._logging_enabled else None
        try:
            response, is_broken = await self._handle_request(request, start, self._request_handler)
        except Exception as error:
            self.log_exception("an answer could not be sent", exc_info=error)
            return False
        except BaseException:
            self.force_close()
            raise
        finally:
            request._task = None  # it would keep all of this, with an exception that is kept
        body.set_exception(_ANSWERED)
        self._keepalive = bool(response.keep_alive)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )
        return self._keepalive and not (is_broken or self._close or self._force_close)

    @property
    def _waits(self) -> bool:
        # Before its first request it waits also where the handler's task has not run yet.
        waits = self._waiter is not None and not self._waiter.done()
        return (waits or self._request_count == 0) and not self._force_close

    def _break_off(self, body: StreamReader) -> None:
        """What follows a body that is not whole is the parser's complaint about it."""
        if not body.is_eof():
            error = web.RequestPayloadError("the body is malformed")
            # Not at once: a reader that was just woken by the end of a chunk would not see it.
            self._loop.call_soon(body.set_exception, error)
        self._awaited = None

    def _end_of_body(self) -> None:
        """All of a body is here, of a request that was taken before that.

        The parser counts it now, and would count it for ever as one that is yet to be taken, and
        stop before the queue is full, which is when aiohttp lets it go on.
        """
        self._awaited = None
        self._parser.message_consumed()
        super().data_received(b"")

    def _part_of_head(self, data: bytes) -> None:
        if not self._head_size:
            self._watch(None)
        self._head_size += len(data)
        if self._head_size > self._max_head:
            self._refuse(RequestError(_HEAD_LARGE, status=431))

    def _watch(self, awaited: StreamReader | None) -> None:
        """Time what has begun to arrive: a body, or a head for `None`."""
        self._awaited = awaited
        self._since = self._loop.time()
        if self._timer is None and self._read_timeout:
            self._timer = self._loop.call_later(self._read_timeout, self._look)

    def _look(self) -> None:
        """Time is up for what was watched first; it may be here, and another watched since."""
        self._timer = None
        body = self._awaited
        if body is None:
            if self._head_size and self._waits and self._is_late(self._since):
                self._refuse(SlowRequestError(_HEAD_LATE))
        elif not body.is_eof() and body.exception() is None:
            if self._reading_paused or self._buffer_paused:
                self._since = self._loop.time() - body.total_bytes / _SLOWEST  # we are slow
            if self._is_late(self._since + body.total_bytes / _SLOWEST):
                self.end_with_current()
                body.set_exception(SlowRequestError("the body did not arrive in time"))

    def _is_late(self, since: float) -> bool:
        left = since + self._read_timeout - self._loop.time()
        if left <= 0:
            return True
        self._timer = self._loop.call_later(left, self._look)
        return False

    def _refuse(self, error: RequestError) -> None:
        """Answer before a request is here: nothing else is under way on this connection."""
        logger.debug("refused what %s sent: %s", (self.peername or "?")[0], error.detail)
        if self.transport is not None:
            self.transport.write(raw_response(problem(error)))
        self.force_close()

    def _process_keepalive(self) -> None:
        """A connection that has begun to send its next request is not idle any more."""
        if self._head_size:
            self._keepalive_handle = None
        else:
            super()._process_keepalive()
