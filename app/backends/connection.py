"""One HTTP/1.1 connection to a backend: one exchange at a time, and nothing that nobody asked for."""

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from routers.call import Headers, SendError, Upload
from routers.causes import Cause

WHOLE_BYTES = 1 << 20
"""Answers that announce up to this length are read whole, so that a backend dying in mid-answer can be replaced."""

HEAD_BYTES = 1 << 16
"""The longest header line of an answer.

Its head with all interim answers before it may have four times as much, and so may all that comes between two pieces of
a body or after the last: chunk extensions and trailers.
"""

HEAD_LINES = 256
"""The most header lines of an answer."""

BUFFER_BYTES = 1 << 16
"""What is read ahead of a slow caller, besides one read of the event loop; and written at a time of a long body."""

ONE_WRITE_BYTES = 1 << 20
"""The longest body of a call that is written at once; longer ones would hold up the event loop."""

_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class Connection(asyncio.Protocol):
    """`ask`, then wait with `begun`, then `take` what has come and wait for `more` until the answer is `done`.

    `status` and `headers` hold once the answer has begun. When it is done, `is_reusable` says whether the next call
    may have the connection; what comes in between closes it. `lost` is called once, when the connection has gone.
    """

    def __init__(self, loop: AbstractEventLoop, lost: Callable[["Connection"], None]) -> None:
        self._loop = loop
        self._lost = lost
        self._parser: HttpResponseParser | None = None
        self._waiter: Future[None] | None = None
        self._writable: Future[None] | None = None
        self._upload: Task[None] | None = None
        self.exchanges = 0
        self.idle_since = 0.0
        self._forget_answer()
        self.done = True

    def _forget_answer(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.done = False
        self._error: SendError | None = None
        self._pieces: list[bytes] = []
        self._unread = self._since_body = 0
        self._keeps_alive = self._is_stream = self._ends_with_connection = self._is_paused = False

    # what the client calls

    @property
    def is_open(self) -> bool:
        """Whether a request can be written."""
        return not self._transport.is_closing()

    @property
    def is_reusable(self) -> bool:
        """Whether both sides have nothing more to say about the last exchange, and may have another."""
        uploaded = self._writable is None and (self._upload is None or self._upload.done())
        return self.done and self._keeps_alive and uploaded and self.is_open

    def ask(self, head: bytes, body: bytes, upload: Upload | None = None, *, wants_body: bool) -> None:
        """Write a request, its body as it comes for an upload.

        The answer has no body unless one is wanted (HEAD), whatever its headers say.
        """
        self._forget_answer()
        self.exchanges += 1
        self._wants_body = wants_body
        if self._parser is None:
            self._parser = HttpResponseParser(self)
        if upload is not None:
            self._transport.write(head)
            self._upload = self._loop.create_task(self._pass_on(upload))
        elif len(body) <= ONE_WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._upload = self._loop.create_task(self._write(body))

    async def begun(self) -> None:
        """Wait for the whole answer, or the first piece of a long one. Raises SendError."""
        while not self._has_news():
            await self._change()

    async def more(self) -> None:
        """Wait for another piece, or the answer's end. Raises SendError when the backend breaks off."""
        while not (self._pieces or self.done):
            await self._change()

    def take(self) -> bytes:
        """Return what has come of the body since the last time, and read on."""
        pieces = self._pieces
        self._pieces, self._unread = [], 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Hang up at once; an answer on its way breaks off, even one that the connection's end would have ended."""
        if not self.done and self._error is None:
            self._error = SendError(Cause.INTERRUPTED, "was hung up on")
        if self._upload is not None:
            self._upload.cancel()
        self._transport.abort()

    async def _change(self) -> None:
        if self._error is not None:
            raise self._error
        waiter = self._waiter = self._loop.create_future()
        await waiter

    def _has_news(self) -> bool:
        return self.done or (self._is_stream and bool(self._pieces))

    async def _write(self, body: bytes) -> None:
        view = memoryview(body)
        for start in range(0, len(body), BUFFER_BYTES):
            if self._writable is not None:
                await self._writable
            if not self.is_open:
                return
            self._transport.write(view[start : start + BUFFER_BYTES])

    async def _pass_on(self, upload: Upload) -> None:
        is_chunked = upload.length is None
        async for piece in upload.pieces():
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
            if self._writable is not None:
                await self._writable
            if not self.is_open:
                return
        if is_chunked:
            self._transport.write(b"0\r\n\r\n")

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer, or hang up if nobody waits for one."""
        if self.done or self._parser is None or self._error is not None:
            self.close()
            return
        self._since_body += len(data)
        try:
            self._parser.feed_data(data)
            self._check_body_comes()
        except HttpParserUpgrade:
            self._fail(Cause.GARBAGE, "switches protocols, which nobody asked for")
        except HttpParserError as error:
            self._fail(Cause.GARBAGE, f"is no HTTP: {error.__context__ or error}"[:200])
        self._wake()

    def pause_writing(self) -> None:
        """Let the rest of a long body wait."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """Go on with it."""
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """End an answer that has no other end, and break off any other."""
        self.resume_writing()
        self._lost(self)
        if self._error is None and self._ends_with_connection and error is None:
            self.done = True
        elif self._error is None and not self.done:
            self._error = SendError(Cause.INTERRUPTED, f"hung up: {error or 'end of stream'}"[:200])
        self._wake()

    def _fail(self, cause: Cause, detail: str) -> None:
        if not self.done:
            self._error = SendError(cause, detail)
        self.close()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and (self._error is not None or self._has_news()):
            waiter.set_result(None)

    def _check_body_comes(self) -> None:
        if self._since_body > 4 * HEAD_BYTES and not self.done:
            raise HttpParserError("the head of the answer is too long, or what comes between and after its body")

    # what the parser calls, in the words of httptools

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request."""
        if self.done:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header line; trailers are passed by."""
        if self.status or self.done:
            return
        if len(name) + len(value) > HEAD_BYTES or len(self.headers) == HEAD_LINES:
            raise HttpParserError("a header line is too long, or there are too many")
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Decide how the body is read; interim answers are passed by."""
        parser = self._parser
        if self.done or parser is None:
            return
        status = parser.get_status_code()
        if not 100 <= status < 600:
            raise HttpParserError(f"{status} is no status")
        if status < 200:
            self.headers = []
            return
        self.status = status
        self._keeps_alive = parser.should_keep_alive()
        if not self._wants_body:
            # this parser would wait for the body that the headers announce
            self._parser, self.done = None, True
            return
        length, is_chunked = _framing(self.headers)
        self._is_stream = length is None or length > WHOLE_BYTES
        self._ends_with_connection = length is None and not is_chunked and status not in _BODILESS

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        if self.done:
            self.close()
            return
        self._since_body = 0
        self._pieces.append(body)
        self._unread += len(body)
        if self._is_stream and self._unread > BUFFER_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """End the answer."""
        if self.status:
            self.done = True


def _framing(headers: Headers) -> tuple[int | None, bool]:
    """Return the length that is announced, if any, and whether the body comes in chunks.

    Raises HttpParserError for any other coding: it belongs to one hop, and the caller would not be told of it.
    """
    length, is_chunked = None, False
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"content-length":
            length = int(value)
        elif lowered == b"transfer-encoding":
            if is_chunked or value.strip().lower() != b"chunked":
                raise HttpParserError("the answer has a transfer coding that nobody asked for")
            is_chunked = True
    return length, is_chunked
