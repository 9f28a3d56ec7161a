"""A time limit that does not run while an upload waits for its caller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .call import Upload

TICK_S = 0.01
"""How late the limit may be noticed at most."""


@asynccontextmanager
async def backend_timeout(limit_s: float, upload: Upload) -> AsyncIterator[None]:
    """Cancel what is done inside, and raise TimeoutError, when the backend was waited for `limit_s` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + limit_s - upload.waited_s()
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def look() -> None:
            nonlocal timer
            left_s = until + upload.waited_s() - loop.time()
            if left_s > 0:
                timer = loop.call_later(max(left_s, TICK_S), look)
            else:
                limit.reschedule(loop.time())

        timer = loop.call_later(limit_s, look)
        try:
            yield
        finally:
            timer.cancel()
