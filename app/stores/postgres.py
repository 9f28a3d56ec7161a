"""Postgres: the journal of a fleet, or a whole store; every wait for it has an end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.util import greenlet_spawn

CONNECTIONS = 5


@asynccontextmanager
async def postgres_engine(
    dsn: str, *, connect_timeout_s: float = 2.0, statement_timeout_s: float = 5.0
) -> AsyncIterator[Engine]:
    """Open a pool to `postgresql://user:password@host/name?sslmode=…`, read as libpq does; it asks nothing."""
    engine = create_engine(
        # the driver reads the address; the name is for messages, which must not show the password
        URL.create("postgresql+asyncpg", database=unquote(urlsplit(dsn).path.lstrip("/"))),
        connect_args={
            "dsn": dsn,
            "timeout": connect_timeout_s,
            "command_timeout": statement_timeout_s,
            "server_settings": {"application_name": "crossfade"},
        },
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=connect_timeout_s + statement_timeout_s,
        # a connection that the server has dropped meanwhile is replaced before it is used
        pool_pre_ping=True,
    )
    event.listen(engine, "begin", _begin)
    try:
        yield engine
    finally:
        await greenlet_spawn(engine.dispose)


def _begin(connection: Connection) -> None:
    """Read at one moment; and let no writer that is frozen or cut off hold the others up."""
    if connection.get_execution_options().get("writing"):
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '10s'")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
