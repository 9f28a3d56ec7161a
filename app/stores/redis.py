"""The live state in Redis: every write is one script, which no other comes between; nothing is tried twice."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import uuid4

from redis.asyncio import BlockingConnectionPool, Redis, Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.stores.records import (
    Change,
    Collection,
    EmptyError,
    Entry,
    Mark,
    Snapshot,
    StaleError,
    StoreAddressError,
    StoreUnavailableError,
    StrangeError,
)
from app.stores.redis_link import RedisLink
from app.stores.redis_scripts import MARK, OUTLINE, REFILL, SINCE, WRITE
from app.stores.redis_text import applied, brought_up, entry, line_of, name_of, stored, text_of
from app.stores.sentinel_url import SCHEME, sentinel_address

T = TypeVar("T")

FORMS = "redis://[user:password@]host:6379/0 or redis+sentinel://[user:password@]host:26379,host:26379/service"

NAMES_A_PLACE = re.compile(r"unix:///\S+|redis\+sentinel://\S+|rediss?://[^\s/?]+(/\d*)?(\?\S*)?")

WAITING_S = 60
"""How long a state that was put aside waits to be put in; who puts it in has died, or has been cut off, by then."""

NOBODY_GONE: Mapping[tuple[Collection, str], int] = MappingProxyType({})


class RedisUrlError(StoreAddressError):
    """CROSSFADE_REDIS_URL names no Redis; the message shows no password."""


@asynccontextmanager
async def redis_client(url: str, connect_timeout_s: float = 0.5) -> AsyncIterator[Redis]:
    """Make a client that connects when it is first asked something; how long it may take is for who asks to say.

    The URL is one of redis-py's, or `redis+sentinel://host:port,host:port/service`. Raises RedisUrlError.
    """
    # a write that is tried again after it has been applied would be stale
    options: dict[str, Any] = {
        # with RESP3 the driver neither sees that an idle connection was closed nor reads a PONG between messages
        "protocol": 2,
        "decode_responses": True,
        "retry": Retry(NoBackoff(), 0),
        # in Python 3.11 the driver's own time limit now and then swallows a cancellation
        "socket_timeout": None,
        "socket_connect_timeout": connect_timeout_s,
    }
    try:
        client, sentinels = _clients_of(url.strip(), options)
    except (ValueError, TypeError):
        raise RedisUrlError(f"CROSSFADE_REDIS_URL must be like {FORMS}") from None
    async with AsyncExitStack() as opened:
        for each in (*sentinels, client):
            await opened.enter_async_context(each)
        yield client


def _clients_of(url: str, options: dict[str, Any]) -> tuple[Redis, Sequence[Redis]]:
    """Return the client of an address, and those of the sentinels that it asks, which it does not close itself."""
    if not NAMES_A_PLACE.fullmatch(url):
        # the driver would take another host, or another database, than the one that was meant
        raise ValueError("the URL names no host, or no database by its number")
    if url.startswith(SCHEME):
        address = sentinel_address(url)
        login = {"db": address.db, "username": address.username, "password": address.password}
        sentinel = Sentinel(  # type: ignore[no-untyped-call] # redis-py has not typed it
            address.sentinels, sentinel_kwargs=options, **options, **login
        )
        return sentinel.master_for(address.service), sentinel.sentinels
    # whoever finds no free connection waits for one rather than fail
    pool = BlockingConnectionPool.from_url(url, timeout=None, **options)
    # an unknown option is noticed when a connection is made, which does not connect yet
    pool.make_connection()  # type: ignore[no-untyped-call] # redis-py has not typed it
    return Redis.from_pool(pool), ()


class RedisStore(RedisLink):
    """The live state under one prefix; the hash tag in the prefix keeps its keys on one node.

    `kept_changes` is about how many changes `since` reaches back. What may be long is read and put in by pages of
    `page_size`, since every answer has to come within `timeout_s`.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str = "{crossfade}",
        kept_changes: int = 100_000,
        silence_s: float = 5.0,
        page_size: int = 500,
        timeout_s: float = 1.0,
    ) -> None:
        super().__init__(client, timeout_s, silence_s)
        self._keys = [f"{prefix}:{each}" for each in ("state", "documents", "versions", "changes")]
        self._channel = f"{prefix}:changed"
        self._kept_changes = kept_changes
        self._page_size = page_size
        self._outline = client.register_script(OUTLINE)
        self._since = client.register_script(SINCE)
        self._write = client.register_script(WRITE)
        self._refill = client.register_script(REFILL)
        self._mark = client.register_script(MARK)

    async def mark(self) -> Mark | None:
        """Return where the state is, None when it is empty."""
        epoch, revision = await self.asked(self._mark(self._keys))
        return None if epoch is None else Mark(epoch, int(revision))

    async def load(self) -> Snapshot | None:
        """Return the whole state, as it is at one moment; None when it is empty.

        It is read in pages, each within the time limit, and then brought up to what has changed in the meantime.
        """
        (epoch, revision), names = await self.asked(self._outline(self._keys))
        if epoch is None:
            return None
        pages = [await self.asked(self._client.hmget(self._keys[1], page)) for page in _pages(names, self._page_size)]
        texts: Iterator[Any] = filter(None, chain.from_iterable(pages))
        later = await self.since(epoch, int(revision))
        if later is None:
            raise StoreUnavailableError("Redis failed: its state was lost while it was being read")
        return brought_up(Snapshot(epoch, int(revision), tuple(map(stored, texts))), later)

    async def write(self, changes: Sequence[Change], known: Mark | None = None) -> Sequence[Entry]:
        """Apply all changes or none, one revision each, and ring.

        Raises StaleError when a document is not at the version its change expects, EmptyError on an empty state,
        StrangeError on one of another epoch than `known`, or before it, and StoreUnavailableError; after the last one
        the changes may have been applied all the same, but never in part.
        """
        wanted = [argument for change in changes for argument in _arguments(change)]
        told = (self._channel, self._kept_changes, *(known or ("", "")))
        answer = await self.asked(self._write(self._keys, [*told, *wanted]))
        match answer:
            case None:
                raise EmptyError("Redis holds no state: it has been emptied or is new, and is to be refilled")
            case str():
                raise StrangeError("Redis holds another state than the one that was known of it")
            case int():
                raise StaleError(answer)
        epoch, before, versions = answer
        return [
            applied(change, epoch, revision, version)
            for revision, (change, version) in enumerate(zip(changes, versions, strict=True), before + 1)
        ]

    async def since(self, epoch: str, revision: int) -> Sequence[Entry] | None:
        """Return what came after a revision, in order.

        None when only loading the whole state tells: another epoch, an empty Redis, changes no longer kept, or a
        Redis that has lost its latest changes.
        """
        entries: list[Entry] = []
        page = await self._page_after(epoch, revision)
        goal = page[0] if page else 0
        while page:
            entries += page[1]
            if revision + len(entries) >= goal:
                # the goal is where a write ended; what follows may be a part of the next
                return entries[: goal - revision]
            page = await self._page_after(epoch, revision + len(entries))
        return None

    async def rings(self) -> AsyncIterator[None]:
        """Ring once when listening begins, so that nothing is missed, and then at every change.

        Raises StoreUnavailableError when the connection is lost.
        """
        async with aclosing(self.messages(self._channel)) as messages:
            async for _ in messages:
                yield

    async def refill(
        self,
        snapshot: Snapshot,
        gone: Mapping[tuple[Collection, str], int] = NOBODY_GONE,
        *,
        over: Mark | None = None,
    ) -> bool:
        """Put a state in and ring if there is none, or the one `over` is still there; false when there is another.

        `gone` has the last versions of deleted documents, which a document made again continues.
        """
        texts = {name_of(each.collection, each.key): text_of(each) for each in snapshot.documents}
        versions = {name_of(each.collection, each.key): each.version for each in snapshot.documents}
        versions |= {name_of(*name): version for name, version in gone.items()}
        if await self.mark() not in {None, over}:
            return False
        waiting = [await self._put_aside(texts), await self._put_aside(versions)]
        told = (self._channel, snapshot.epoch, snapshot.revision, len(texts), len(versions), *(over or ("", "")))
        return bool(await self.asked(self._refill([*self._keys, *waiting], told)))

    async def check(self) -> None:
        """Raise StoreUnavailableError unless Redis answers."""
        await self.asked(self._client.ping())

    async def _page_after(self, epoch: str, revision: int) -> tuple[int, list[Entry]] | None:
        """Return the latest revision and the first changes after one; None when they have a gap."""
        (here, now), found = await self.asked(self._since(self._keys, [revision, self._page_size]))
        if here != epoch:
            return None
        entries = [entry(epoch, each) for each in found]
        wanted = min(int(now) - revision, self._page_size)
        gapless = len(entries) == wanted and (not entries or entries[-1].revision == revision + wanted)
        return (int(now), entries) if gapless else None

    async def _put_aside(self, fields: Mapping[str, str] | Mapping[str, int]) -> str:
        """Put a hash, page by page, where it waits for its moment, and goes away when that does not come."""
        key = f"{self._keys[1]}:{uuid4().hex}"
        for page in _pages([*fields.items()], self._page_size):
            async with self._client.pipeline(transaction=True) as together:
                together.hset(key, mapping=dict(page))
                together.expire(key, WAITING_S)
                await self.asked(together.execute())
        return key


def _arguments(change: Change) -> tuple[str | int, ...]:
    name = name_of(change.collection, change.key)
    return name, change.expected, change.action, line_of(change), change.body or ""


def _pages(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
