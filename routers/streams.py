"""An answer that comes in pieces: the lane is held until its end, and its end decides how it went."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, Self, runtime_checkable

from .call import SendError
from .causes import Cause
from .lanes import Ending
from .model import Route
from .stays import Stay


@runtime_checkable
class Closable(Protocol):
    """What lets go of its source before its end."""

    async def aclose(self) -> None:
        """Let go."""


async def close(rest: object) -> None:
    """Let go of pieces that nobody wants, if there are any."""
    if isinstance(rest, Closable):
        await rest.aclose()


class Stream:
    """The pieces after the first, watched.

    - At the last piece the stay ends as `ending` says.
    - A break, `idle_timeout_ms` without a piece or `max_stream_ms` (from the first byte) over while the backend is
      waited for end it as failed, and raise `SendError`: INTERRUPTED, or TIMEOUT.
    - `aclose`, cancellation, and `max_stream_ms` over while the consumer took its time end it as neutral, unless its
      status said already that the backend failed.
    """

    __slots__ = ("_ending", "_idle_s", "_rest", "_stay", "_until")

    def __init__(self, rest: AsyncIterator[bytes], stay: Stay, route: Route, ending: Ending) -> None:
        self._rest = rest
        self._stay = stay
        self._ending = ending
        self._idle_s = route.idle_timeout_ms / 1000
        self._until = stay.clock() + route.max_stream_ms / 1000

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        left = self._until - self._stay.clock()
        if left <= 0:
            await self.aclose()
            raise SendError(Cause.TIMEOUT, "the stream took longer than max_stream_ms")
        try:
            async with asyncio.timeout(min(left, self._idle_s)):
                return await anext(self._rest)
        except StopAsyncIteration:
            self._stay.end(self._ending)
            raise
        except TimeoutError:
            await self._break_off()
            raise SendError(Cause.TIMEOUT, "the stream stood still, or took too long") from None
        except SendError:
            await self._break_off()
            raise
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Let go of the backend before the stream's end."""
        self._stay.end(Ending.FAILED if self._ending is Ending.FAILED else Ending.NEUTRAL)
        await close(self._rest)

    async def _break_off(self) -> None:
        self._stay.end(Ending.FAILED)
        await close(self._rest)
