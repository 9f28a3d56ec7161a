"""How Redis is asked, whatever it is asked for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import RedisError

from app.stores.records import StoreUnavailableError

T = TypeVar("T")


class RedisLink:
    """How Redis is asked: within `timeout_s`, and with errors of ours.

    After `silence_s` without a message the connection is asked whether it still is one.
    """

    def __init__(self, client: Redis, timeout_s: float = 1.0, silence_s: float = 5.0) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._silence_s = silence_s

    def script(self, text: str) -> Callable[[Sequence[str], Sequence[Any]], Awaitable[Any]]:
        """Return a function that has Redis run a script with keys and arguments."""
        return self._client.register_script(text)

    async def messages(self, channel: str) -> AsyncGenerator[str | None, None]:
        """Give None when listening begins, so that nothing is missed, and then every message.

        Raises StoreUnavailableError when the connection is lost.
        """
        async with self._as_unavailable(), self._client.pubsub() as doorbell:
            await self.asked(doorbell.subscribe(channel))
            while True:
                message = await self._heard(doorbell)
                if message["type"] != "pong":
                    yield message["data"] if message["type"] == "message" else None

    async def asked(self, question: Awaitable[T]) -> T:
        """Return the answer. Raises StoreUnavailableError."""
        async with self._as_unavailable():
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await question
            except TimeoutError as error:
                raise StoreUnavailableError(f"Redis failed: no answer within {self._timeout_s:g} s") from error

    @asynccontextmanager
    async def _as_unavailable(self) -> AsyncIterator[None]:
        try:
            yield
        # a RuntimeError is what uvloop calls a connection that has just been closed
        except (RedisError, OSError, RuntimeError) as error:
            # the driver does not see that a connection was reset while nobody asked; each would fail one question
            await self._client.connection_pool.disconnect(inuse_connections=False)
            raise StoreUnavailableError(f"Redis failed: {_told(error)}") from error

    async def _heard(self, doorbell: PubSub) -> dict[str, Any]:
        message: dict[str, Any] | None = await doorbell.get_message(timeout=self._silence_s)
        if message is None:
            await self.asked(doorbell.ping())
            message = await doorbell.get_message(timeout=self._silence_s)
        if message is None:
            raise StoreUnavailableError("Redis failed: it does not answer any more")
        return message


def _told(error: Exception) -> str:
    """Return what a person has of an error: without the driver's objects, and where in a script it was."""
    said = str(error)
    if isinstance(error, MasterNotFoundError):
        return f"{said.partition(' : ')[0]}: no sentinel that can be reached names one"
    return said.rpartition(": -")[2] if said.startswith("Error running script") else said
