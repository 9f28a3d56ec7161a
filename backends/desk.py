"""Where queries wait for an engine that is synchronous: one at a time in a thread, and a bounded queue."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

LONGEST_QUEUE = 256


@dataclass
class Desk:
    """Answers one query at a time in a thread; a few may wait, the rest are told to come back."""

    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def answer(self, request: Request, work: Callable[[], dict[str, object]]) -> Response:
        """Do the work, unless its caller has given up before its turn came. Raises HTTPException 503."""
        if self.waiting >= LONGEST_QUEUE:
            raise HTTPException(503, f"{LONGEST_QUEUE} queries are waiting already", {"Retry-After": "1"})
        self.waiting += 1
        try:
            async with self.turn:
                if await request.is_disconnected():
                    raise ClientDisconnect
                return JSONResponse(await asyncio.to_thread(work))
        finally:
            self.waiting -= 1
