"""Baselines in an SQL database: figures that were kept under a name, to compare later ones with."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from app.stores.database import Database, insert_into
from app.stores.schema import BASELINES


class Baseline(NamedTuple):
    """What was kept under a name, when and by whom; `body` is JSON text."""

    name: str
    at: datetime
    actor: str
    body: str


class Baselines(Database):
    """A database that keeps baselines. Every method raises StoreUnavailableError."""

    async def keep_baseline(self, baseline: Baseline) -> None:
        """Keep a baseline, in the place of what had its name."""
        await self._write(lambda connection: _keep(connection, baseline))

    async def baseline(self, name: str) -> Baseline | None:
        """Return a baseline, None for an unknown name."""
        wanted = select(BASELINES).where(BASELINES.c.name == name)
        found = await self._read(lambda connection: connection.execute(wanted).one_or_none())
        return None if found is None else Baseline(*found)

    async def baselines(self, after: str, limit: int) -> Sequence[Baseline]:
        """Return baselines by name, those behind `after`."""
        wanted = select(BASELINES).where(BASELINES.c.name > after).order_by(BASELINES.c.name).limit(limit)
        found = await self._read(lambda connection: connection.execute(wanted).all())
        return [Baseline(*row) for row in found]

    async def forget_baseline(self, name: str) -> bool:
        """Forget a baseline, and say whether there was one."""
        gone = delete(BASELINES).where(BASELINES.c.name == name)
        return await self._write(lambda connection: connection.execute(gone).rowcount) > 0


def _keep(connection: Connection, baseline: Baseline) -> None:
    keeping = insert_into(connection, BASELINES)
    written = {name: value for name, value in baseline._asdict().items() if name != BASELINES.c.name.name}
    connection.execute(
        keeping.values(**baseline._asdict()).on_conflict_do_update(index_elements=["name"], set_=written)
    )
