"""A database that is opened, brought to this program's schema, and asked in whole transactions."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib import import_module
from typing import Any, Self, TypeVar
from uuid import uuid4

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.util import greenlet_spawn

from app.stores.records import StoreRefusedError, StoreUnavailableError
from app.stores.schema import META
from app.stores.upgrade import NewerSchemaError, prepare

T = TypeVar("T")

REFUSALS = {"22", "23", "54"}
"""Classes of Postgres' errors that are about values: of their form, of constraints, of what is too large."""


def random_epoch() -> str:
    """Name an epoch as no other is named."""
    return uuid4().hex


class Database:
    """Opens and closes an engine; one `async with` for each instance."""

    def __init__(
        self,
        engine: AbstractAsyncContextManager[Engine],
        new_epoch: Callable[[], str] = random_epoch,
        *,
        may_be_away: bool = False,
        beside: "Database | None" = None,
    ) -> None:
        """Take an engine; when another of the same database is open `beside`, nothing is asked when this is opened."""
        self._opening = engine
        self._new_epoch = new_epoch
        self._may_be_away = may_be_away
        self._beside = beside
        self._engine: Engine | None = None
        self._closing = AsyncExitStack()
        self._is_prepared = False
        self._turn_to_prepare = asyncio.Lock()
        self._turn_to_write = asyncio.Lock()
        self.schema_found: int | None = None

    async def __aenter__(self) -> Self:
        """Open the database and bring its tables to this program's schema.

        Raises StoreUnavailableError; when the database may be away, only if it is there and cannot be used: otherwise,
        or if it is not asked, what is first asked of it afterwards brings its tables to the schema, unless that was
        done for the one beside: a newer program may have made them newer since.
        """
        async with AsyncExitStack() as opened:
            engine = await opened.enter_async_context(self._opening)
            try:
                if self._beside is None:
                    await self._prepare(engine)
            except StoreUnavailableError as error:
                if isinstance(error, NewerSchemaError) or not self._may_be_away:
                    raise
            self._engine, self._closing = engine, opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the write that is running finish, then close the database."""
        async with self._turn_to_write:
            self._engine = None
            await self._closing.aclose()

    async def check(self) -> None:
        """Raise StoreUnavailableError unless the store answers."""
        await self._read(lambda connection: connection.execute(select(META.c.revision)))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await _to_its_end(_transaction(await self._ready(), work))

    async def _write(self, work: Callable[[Connection], T]) -> T:
        # writers queue here, in order, rather than poll for the database's lock
        async with self._turn_to_write:
            engine = await self._ready()
            return await _to_its_end(_transaction(engine.execution_options(writing=True), work))

    async def _ready(self) -> Engine:
        if self._engine is None:
            raise StoreUnavailableError("the store is not open")
        if not self.is_prepared:
            await _to_its_end(self._prepare(self._engine))
        return self._engine

    @property
    def is_prepared(self) -> bool:
        """Whether the tables were brought to this program's schema since the database was opened."""
        return self._is_prepared or (self._beside is not None and self._beside.is_prepared)

    async def _prepare(self, engine: Engine) -> None:
        async with self._turn_to_prepare:
            if not self.is_prepared:
                self.schema_found = await _transaction(
                    engine.execution_options(writing=True),
                    lambda connection: prepare(connection, self._new_epoch),
                )
                self._is_prepared = True


def insert_into(connection: Connection, table: Table) -> Any:
    """Return the insertion of the connection's database, which can say what happens on a conflict."""
    # the engine has imported its own dialect, and a start does without the other
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await a transaction that a cancelled caller does not cut short: the driver would leave it open, and its lock."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            # asked for, lest asyncio complain of an error that nobody is waiting for any more
            task.exception()
        raise


async def _transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        return await greenlet_spawn(_transacted, engine, work)
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        what = str(cause) or "it does not answer"
        kind = StoreRefusedError if _is_about_what_was_given(error) else StoreUnavailableError
        raise kind(f"the database {engine.url.database} failed: {what}") from error


def _is_about_what_was_given(error: Exception) -> bool:
    """Say whether the same would be refused again: a full disk or a lock is none of it, a value is."""
    if isinstance(error, IntegrityError | DataError):
        return True
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return str(state)[:2] in REFUSALS


def _transacted(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Work in one transaction; wherever the driver waits, the greenlet this runs in does, and not the event loop."""
    with engine.begin() as connection:
        return work(connection)
