"""Which database a URL means."""

import re
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy

from app.stores.database import Database
from app.stores.records import StoreAddressError
from app.stores.sqlite import outcomes_sqlite_engine, shared_sqlite_engine

Engine = AbstractAsyncContextManager[sqlalchemy.Engine]
"""An engine that is not open yet."""

FORMS = "postgresql://user:password@host/name or sqlite:///path/to/file.db"
POSTGRES = {"postgresql", "postgres", "postgresql+asyncpg"}
HOST = re.compile(r"(\[[^\]]+\]|[^:\[\]\s]*)(:\d{1,5})?")
UPGRADE_S = 3600.0


class DatabaseUrlError(StoreAddressError):
    """CROSSFADE_DATABASE_URL names no database that can be used; the message says why, and shows no password."""


def engine_of(url: str, *, statement_timeout_s: float = 5.0) -> Engine:
    """Choose the engine that a URL means, without opening it. Raises DatabaseUrlError."""
    scheme, _, rest = url.strip().partition("://")
    match scheme.lower():
        case each if each in POSTGRES:
            # a process that has no Postgres does without a tenth of a second of imports
            from app.stores.postgres import postgres_engine  # noqa: PLC0415

            return postgres_engine(_address(f"postgresql://{rest}"), statement_timeout_s=statement_timeout_s)
        case "sqlite" | "sqlite+aiosqlite":
            return shared_sqlite_engine(_file(rest), busy_timeout_s=statement_timeout_s)
        case _:
            raise DatabaseUrlError(f"CROSSFADE_DATABASE_URL must be like {FORMS}")


def outcomes_engine_of(url: str) -> Engine:
    """Choose the engine of the outcomes beside a journal: the same Postgres, or a SQLite file of their own.

    Raises DatabaseUrlError.
    """
    chosen = engine_of(url)
    if is_postgres(url):
        return chosen
    return outcomes_sqlite_engine(outcomes_file_in(_file(url.strip().partition("://")[2]).parent))


def is_postgres(url: str) -> bool:
    """Say whether a URL means Postgres."""
    return url.strip().partition("://")[0].lower() in POSTGRES


def outcomes_file_in(folder: Path) -> Path:
    """Return where SQLite keeps outcomes: not with the state, whose writers and starts they would hold up."""
    return folder / "outcomes.db"


async def upgrade(url: str) -> int | None:
    """Bring a database to this program's schema, however long that takes, and return the one it had, None for none.

    Raises DatabaseUrlError, and StoreUnavailableError when it cannot be reached or a newer program made it.
    """
    async with Database(engine_of(url, statement_timeout_s=UPGRADE_S)) as database:
        return database.schema_found


def _address(dsn: str) -> str:
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise DatabaseUrlError(f"CROSSFADE_DATABASE_URL cannot be read: it must be like {FORMS}") from None
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if "@" in parts.path or not all(HOST.fullmatch(host) for host in hosts):
        raise DatabaseUrlError(
            f"CROSSFADE_DATABASE_URL must be like {FORMS}, / # ? and @ of a password written as %2F %23 %3F and %40"
        )
    if not parts.path.strip("/"):
        raise DatabaseUrlError(f"CROSSFADE_DATABASE_URL names no database: it must be like {FORMS}")
    return dsn


def _file(rest: str) -> Path:
    host, slash, path = rest.partition("/")
    if host:
        raise DatabaseUrlError(f"CROSSFADE_DATABASE_URL needs a third slash, sqlite:///{rest}, to name a file")
    if "?" in path:
        raise DatabaseUrlError("CROSSFADE_DATABASE_URL: sqlite takes no options after `?`")
    if not slash or path in {"", ":memory:"}:
        raise DatabaseUrlError("CROSSFADE_DATABASE_URL names no file, and what is in memory nobody could share")
    return Path(unquote(path))
