"""A caller's body on its way: read as the backend takes it, kept for the next backend, and bounded."""

import asyncio
from collections.abc import Callable
from typing import Self

from app.api.asgi import CallerLeftError, Message, Receive, piece_of, too_large, too_slow

AHEAD_BYTES = 1 << 16
"""What is read of a body before its backend has taken what came until then, besides one piece."""


class Upload:
    """Reads the body whenever somebody waits at `receive`, which stands in for the caller's own, and keeps it.

    The body of `length` bytes, None for one in chunks, has at most `limit` of them and keeps its reader waiting for
    `seconds` in all at most; else `receive` raises ProblemError 413 or 408. `first` is the piece that is here.
    """

    def __init__(
        self,
        receive: Receive,
        first: bytes,
        length: int | None,
        *,
        limit: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.length = length
        self.is_whole = False
        self._receive = receive
        self._limit = limit
        self._seconds = self._left_s = seconds
        self._clock = clock
        self._kept: list[bytes] = []
        self._size = self._taken = 0
        self._came = asyncio.Event()
        self._wanted = asyncio.Event()
        self._taker: _Pieces | None = None
        self._waiting_since: float | None = None
        self._waited_s = 0.0
        if length is not None and length > limit:
            raise too_large(limit)
        self._keep(first)

    def pieces(self) -> "_Pieces":
        """Return the body from its start, as it comes; whoever took pieces before gets no more."""
        self._stop_waiting()
        self._taken = 0
        self._taker = _Pieces(self)
        return self._taker

    def whole(self, most: int) -> bytes | None:
        """Return the body once all of it has come, if it has at most so many bytes."""
        has_come = self.is_whole or self._size == self.length
        return b"".join(self._kept) if has_come and self._size <= most else None

    def waited_s(self) -> float:
        """Return for how long, in all, the backend had everything that had come and waited for the caller."""
        since = self._waiting_since
        return self._waited_s if since is None else self._waited_s + self._clock() - since

    async def receive(self) -> Message:
        """Return the caller's next message, and keep the piece of the body in it."""
        if self.is_whole:
            return await self._receive()
        while self._size - self._taken > AHEAD_BYTES:
            self._wanted.clear()
            await self._wanted.wait()
        began = self._clock()
        try:
            async with asyncio.timeout(self._left_s):
                message = await self._receive()
        except TimeoutError:
            raise too_slow(self._seconds) from None
        finally:
            self._left_s -= self._clock() - began
        if message["type"] == "http.request":
            self._keep(piece_of(message))
            if not message.get("more_body", False):
                self._end()
        return message

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise too_large(self._limit)
        if self.length is not None and self._size > self.length:
            raise CallerLeftError
        if piece:
            self._kept.append(piece)
            self._came.set()

    def _end(self) -> None:
        if self.length is not None and self._size != self.length:
            raise CallerLeftError
        self.is_whole = True
        self._came.set()

    async def take(self, taker: "_Pieces", index: int) -> bytes:
        """Wait for the piece of this index, and return it, or nothing at the end."""
        while taker is self._taker:
            if index < len(self._kept):
                piece = self._kept[index]
                self._taken += len(piece)
                self._wanted.set()
                return piece
            if self.is_whole:
                break
            await self._wait(taker)
        return b""

    async def _wait(self, taker: "_Pieces") -> None:
        self._came.clear()
        self._waiting_since = self._clock()
        try:
            await self._came.wait()
        finally:
            if taker is self._taker:
                self._stop_waiting()

    def _stop_waiting(self) -> None:
        self._waited_s, self._waiting_since = self.waited_s(), None


class _Pieces:
    """One reading of an upload, from its start."""

    __slots__ = ("_index", "_upload")

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._index = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._upload.take(self, self._index)
        if not piece:
            raise StopAsyncIteration
        self._index += 1
        return piece
