"""The store in an SQL database: a write is one transaction over documents, journal and revision."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Self, TypeVar
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.stores.records import (
    Action,
    Change,
    Collection,
    Entry,
    Snapshot,
    StaleError,
    Stored,
    StoreUnavailableError,
)
from app.stores.schema import DOCUMENTS, JOURNAL, META, prepare

T = TypeVar("T")


def random_epoch() -> str:
    """Name an epoch as no other is named."""
    return uuid4().hex


class SqlStore:
    """A store over an engine that it opens and closes; one `async with` for each instance."""

    def __init__(
        self, engine: AbstractAsyncContextManager[AsyncEngine], new_epoch: Callable[[], str] = random_epoch
    ) -> None:
        self._opening = engine
        self._new_epoch = new_epoch
        self._engine: AsyncEngine | None = None
        self._closing = AsyncExitStack()
        self._turn_to_write = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open the database and make its tables when it is empty. Raises StoreUnavailableError."""
        async with AsyncExitStack() as opened:
            engine = await opened.enter_async_context(self._opening)
            await _transaction(
                engine.execution_options(writing=True),
                lambda connection: connection.run_sync(prepare, self._new_epoch),
            )
            self._engine, self._closing = engine, opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the write that is running finish, then close the database."""
        async with self._turn_to_write:
            self._engine = None
            await self._closing.aclose()

    async def load(self) -> Snapshot:
        """Return the whole state, read at one moment."""
        return await self._read(_load)

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none, one revision each; on return they survive a crash of the process.

        Raises StaleError when a document is not at the version its change expects. A write that has begun goes on to
        its end when the caller is cancelled.
        """

        async def apply_all(connection: AsyncConnection) -> Sequence[Entry]:
            return [await _apply(connection, change) for change in changes]

        return await self._write(apply_all)

    async def note(self, at: datetime, actor: str, action: Action, collection: str, key: str, reason: str) -> None:
        """Put an action that changes no document into the journal."""
        line = {"at": at, "actor": actor, "action": action, "collection": collection, "key": key, "reason": reason}
        await self._write(lambda connection: connection.execute(_NOTE, line))

    async def journal(
        self,
        *,
        collection: str | None = None,
        key: str | None = None,
        prefix: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Entry]:
        """Return journal entries, newest first: those of a key, of keys with a prefix, with a `seq` below `before`."""
        wanted = _matching(collection, key, before)
        if prefix is not None:
            wanted = wanted.where(JOURNAL.c.key.startswith(prefix, autoescape=True))
        wanted = wanted.order_by(JOURNAL.c.seq.desc()).limit(max(limit, 0))
        return [_entry(row) for row in await self._read(lambda connection: connection.execute(wanted))]

    async def version(self, collection: Collection, key: str, version: int) -> Entry | None:
        """Return the journal entry that wrote this version of a document."""
        wanted = _matching(collection, key, None).where(JOURNAL.c.version == version)
        found = (await self._read(lambda connection: connection.execute(wanted))).one_or_none()
        return _entry(found) if found else None

    async def check(self) -> None:
        """Raise StoreUnavailableError unless the store answers."""
        await self._read(lambda connection: connection.execute(select(META.c.revision)))

    async def _read(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return await _to_its_end(_transaction(self._opened(), work))

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        # writers queue here, in order, rather than poll for the database's lock
        async with self._turn_to_write:
            return await _to_its_end(_transaction(self._opened().execution_options(writing=True), work))

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise StoreUnavailableError("the store is not open")
        return self._engine


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await a transaction that a cancelled caller does not cut short: the driver would leave it open, and its lock."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _transaction(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    try:
        async with engine.begin() as connection:
            return await work(connection)
    except (DBAPIError, PoolTimeoutError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StoreUnavailableError(f"the database {engine.url.database} failed: {cause}") from error


async def _load(connection: AsyncConnection) -> Snapshot:
    epoch, revision = (await connection.execute(select(META.c.epoch, META.c.revision))).one()
    documents = map(_stored, await connection.execute(select(DOCUMENTS)))
    return Snapshot(epoch, revision, tuple(sorted(documents, key=attrgetter("collection", "key"))))


async def _apply(connection: AsyncConnection, change: Change) -> Entry:
    name = {"collection": change.collection.value, "key": change.key}
    epoch, revision = (await connection.execute(_NEXT_REVISION)).one()
    live, last = (await connection.execute(_VERSIONS, name)).one()
    if live != change.expected or (change.action is Action.DELETE and not live):
        raise StaleError(live)
    written = name | {"version": last + 1, "body": change.body}
    await connection.execute(_FORGET, name)
    if change.body is not None:
        await connection.execute(insert(DOCUMENTS), written | {"updated_at": change.at, "updated_by": change.actor})
    line: dict[str, Any] = written | {
        "epoch": epoch,
        "revision": revision,
        "action": change.action,
        "reason": change.reason,
    }
    line |= {"at": change.at.astimezone(UTC), "actor": change.actor}
    return Entry(seq=(await connection.execute(_LINE, line)).scalar_one(), **line)


def _is_named(table: Table) -> ColumnElement[bool]:
    return and_(table.c.collection == bindparam("collection"), table.c.key == bindparam("key"))


# an UPDATE, so that it also holds back every other writer until the transaction ends
_NEXT_REVISION = update(META).values(revision=META.c.revision + 1).returning(META.c.epoch, META.c.revision)

_LIVE = select(DOCUMENTS.c.version).where(_is_named(DOCUMENTS)).scalar_subquery()
_LAST = select(func.max(JOURNAL.c.version)).where(_is_named(JOURNAL)).scalar_subquery()
_VERSIONS = select(func.coalesce(_LIVE, 0), func.coalesce(_LAST, 0))

_FORGET = delete(DOCUMENTS).where(_is_named(DOCUMENTS))

_LINE = insert(JOURNAL).returning(JOURNAL.c.seq)
_NOTE = insert(JOURNAL).values(epoch=select(META.c.epoch).scalar_subquery())


def _matching(collection: str | None, key: str | None, before: int | None) -> Select[Any]:
    entries = select(JOURNAL)
    if collection is not None:
        entries = entries.where(JOURNAL.c.collection == collection)
    if key is not None:
        entries = entries.where(JOURNAL.c.key == key)
    return entries if before is None else entries.where(JOURNAL.c.seq < before)


def _stored(row: Row[Any]) -> Stored:
    return Stored(**row._asdict() | {"collection": Collection(row.collection)})


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._asdict() | {"action": Action(row.action)})
