"""One connection to a backend: writes a request as the backend takes it, reads its answer as the caller takes it."""

from asyncio import AbstractEventLoop, BaseTransport, Future, Protocol, Transport
from collections.abc import Callable
from typing import cast

from app.backends.reading import MalformedError, Reading
from app.backends.request import ONE_WRITE_BYTES, Request
from routers.call import SendError
from routers.causes import Cause

BUFFER_BYTES = 1 << 16
"""What is read ahead of a slow caller; one read of the event loop (up to 256 KiB) may come on top."""


class LostRaceError(SendError):
    """A used connection was closed before it brought a byte of the answer: the backend may not have seen the call."""


class Connection(Protocol):
    """One connection, with at most one request on it.

    `on_idle` is called when it can take another request, `on_lost` when it is gone.
    """

    _transport: Transport

    def __init__(
        self,
        loop: AbstractEventLoop,
        on_idle: Callable[["Connection"], None],
        on_lost: Callable[["Connection"], None],
    ) -> None:
        self._loop = loop
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._reading: Reading | None = None
        self._waiter: Future[None] | None = None
        self._fault: SendError | None = None
        self._unsent = memoryview(b"")
        self._may_write = True
        self._is_paused = False
        self._has_answered = False
        self._is_fresh = True
        self._is_lost = False
        self.idle_until = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether it can take no request any more."""
        return self._is_lost or self._transport.is_closing()

    def connection_made(self, transport: BaseTransport) -> None:
        """Remember where to write."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what waits for bytes: some answers are complete by it, the others have failed."""
        self._is_lost = True
        reading, self._reading = self._reading, None
        if reading is not None and (exc is not None or not reading.end()):
            self._fault = self._loss(exc)
        self._wake()
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for makes the connection unusable."""
        reading = self._reading
        if reading is None:
            self.close()
            return
        self._has_answered = True
        try:
            reading.feed(data)
        except MalformedError as error:
            self._fail(SendError(Cause.GARBAGE, str(error)[:200]))
            return
        if reading.is_complete:
            self._settle(reading)
        elif reading.held > BUFFER_BYTES and not reading.is_whole:
            self._is_paused = True
            self._transport.pause_reading()
        if reading.is_ready:
            self._wake()

    def pause_writing(self) -> None:
        """Write no more of the body until the backend has taken what is on its way."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on with the body."""
        self._may_write = True
        self._write_on()

    async def ask(self, request: Request) -> Reading:
        """Write the request, and return its answer once there is enough of it to hand back.

        Raises `SendError`; cancelled, it closes the connection, for nobody could tell later whose answer comes.
        """
        if self.is_closed:
            raise SendError(Cause.CONNECT, "the backend closed the connection at once")
        reading = self._reading = Reading(is_head=request.is_head)
        self._has_answered = False
        self._transport.write(request.head)
        if request.body:
            self._unsent = memoryview(request.body)
            self._write_on()
        await self._until_ready(reading)
        return reading

    async def more(self, reading: Reading) -> bytes:
        """Return the next piece of an answer, or nothing at its end. Raises `SendError`."""
        if not reading.held and not reading.is_complete:
            self._read_on()
            await self._until_ready(reading)
        return reading.take()

    def leave(self, reading: Reading) -> None:
        """Close the connection if the answer still comes on it."""
        if self._reading is reading:
            self.close()

    def close(self) -> None:
        """Close at once, whatever is on its way."""
        if not self._is_lost:
            self._fail(SendError(Cause.INTERRUPTED, "the connection was closed on our side"))

    async def _until_ready(self, reading: Reading) -> None:
        try:
            while not reading.is_ready:
                await self._event(reading)
        except BaseException:
            self.leave(reading)
            raise

    async def _event(self, reading: Reading) -> None:
        if self._reading is not reading:
            raise self._fault or SendError(Cause.INTERRUPTED, "the connection is closed")
        self._waiter = self._loop.create_future()
        await self._waiter

    def _write_on(self) -> None:
        while self._unsent and self._may_write and not self._is_lost:
            piece, self._unsent = self._unsent[:ONE_WRITE_BYTES], self._unsent[ONE_WRITE_BYTES:]
            self._transport.write(piece)

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    def _settle(self, reading: Reading) -> None:
        """Let go of a complete answer: whoever asked holds it, the connection is free or of no more use."""
        self._reading = None
        self._is_fresh = False
        if reading.is_reusable and not self._unsent and self._may_write and not self.is_closed:
            self._read_on()
            self._on_idle(self)
        else:
            self.close()

    def _fail(self, fault: SendError) -> None:
        if self._reading is not None:
            self._reading = None
            self._fault = fault
        self._is_lost = True
        self._unsent = memoryview(b"")
        self._transport.abort()
        self._wake()

    def _loss(self, exc: Exception | None) -> SendError:
        why = "the backend closed the connection" if exc is None else f"{type(exc).__name__}: {exc}"[:200]
        kind = SendError if self._is_fresh or self._has_answered else LostRaceError
        return kind(Cause.INTERRUPTED, why)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
