"""Answers that are kept in Redis, so that every process of a fleet may give them again."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.answers import Kept

T = TypeVar("T")

PATIENCE_S = 0.05
"""How long a call waits for Redis, whose answer it can do without."""

PAUSE_S = 1.0
"""For how long nobody asks after Redis has failed, so that one call in a second waits for it and not all."""

log = structlog.get_logger("crossfade.cache")


class AnswersInRedis:
    """Keeps answers under one prefix, each until nobody may use it any more.

    While Redis is away nothing is found and nothing kept: the backends are asked. `monotonic` is in seconds.
    """

    def __init__(self, client: Redis, monotonic: Callable[[], float], prefix: str = "{crossfade}:answer:") -> None:
        self._client = client
        self._monotonic = monotonic
        self._prefix = prefix
        self._asks_from = -math.inf

    async def find(self, key: bytes, now: float) -> Kept | None:
        """Return what is kept under a key and still usable."""
        text = await self._unless_away(lambda: self._client.get(self._name(key)))
        kept = _read(text) if isinstance(text, str) else None
        return kept if kept is not None and kept.usable_until > now else None

    async def keep(self, key: bytes, kept: Kept) -> None:
        """Keep an answer in the place of any other under its key."""
        # the time an answer spent elsewhere makes this a little long; `usable_until` is what counts
        usable_ms = max(1, round((kept.usable_until - kept.made_at) * 1000))
        await self._unless_away(lambda: self._client.set(self._name(key), _written(kept), px=usable_ms))

    async def _unless_away(self, question: Callable[[], Awaitable[T]]) -> T | None:
        now = self._monotonic()
        if now < self._asks_from:
            return None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await question()
        # a RuntimeError is what uvloop calls a connection that has just been closed
        except (RedisError, OSError, RuntimeError, TimeoutError) as error:
            self._asks_from = now + PAUSE_S
            log.warning("the cache in Redis is away", why=f"{type(error).__name__} {error}"[:200])
            return None

    def _name(self, key: bytes) -> str:
        return self._prefix + key.hex()


def _written(kept: Kept) -> str:
    """Write times and headers as a line of JSON, and the body behind it: bytes as the letters of Latin-1."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in kept.headers]
    about = orjson.dumps((kept.made_at, kept.fresh_until, kept.usable_until, headers)).decode()
    return f"{about}\n{kept.body.decode('latin-1')}"


def _read(text: str) -> Kept | None:
    """Read what was written, None for what another version wrote."""
    about, _, body = text.partition("\n")
    try:
        made_at, fresh_until, usable_until, headers = orjson.loads(about)
        told = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return Kept(told, body.encode("latin-1"), float(made_at), float(fresh_until), float(usable_until))
    except (ValueError, TypeError, AttributeError):
        return None
