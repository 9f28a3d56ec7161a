"""A time limit that takes no delay of its own event loop for somebody else's."""

import asyncio
from types import TracebackType

from .call import Upload

HELD_UP_S = 0.005
"""A timer that comes this much too late comes from a loop that was held up."""

LOOK_AGAIN_S = 0.05
"""For how long, at most, such a loop looks whether what was waited for has long been there."""


TICK_S = 0.01
"""How late, at most, it is noticed that an upload goes on."""


class Within:
    """`async with Within(limit_s)`: raises TimeoutError like `asyncio.timeout` when the block takes longer.

    An event loop that was held up itself may run its timers before it looks at its sockets. It is given as long as it
    was held up, LOOK_AGAIN_S at most, to find that the answer came in time. Time in which an upload waits for its
    caller does not count.
    """

    __slots__ = ("_due", "_handle", "_limit_s", "_loop", "_timeout", "_upload", "_waited_s")

    def __init__(self, limit_s: float, upload: Upload | None = None) -> None:
        self._upload = upload
        self._waited_s = 0.0 if upload is None else upload.waited_s()
        self._limit_s = limit_s
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._limit_s
        self._handle = self._loop.call_at(self._due, self._over)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _over(self) -> None:
        now = self._loop.time()
        if self._upload is not None and self._is_put_off(self._upload, now):
            return
        held_up_s = now - self._due
        self._timeout.reschedule(now if held_up_s < HELD_UP_S else now + min(held_up_s, LOOK_AGAIN_S))

    def _is_put_off(self, upload: Upload, now: float) -> bool:
        waited_s = upload.waited_s()
        self._due += waited_s - self._waited_s
        self._waited_s = waited_s
        if self._due <= now:
            return False
        self._handle = self._loop.call_at(max(self._due, now + TICK_S), self._over)
        return True
