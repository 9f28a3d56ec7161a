"""What rollouts are steered by, kept in SQL: outcomes in order, statistics, evaluations, and who leads."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    tuple_,
    update,
)

from app.stores.database import Database, insert_into
from app.stores.outcomes import LINES
from app.stores.schema import EVALUATIONS, FIRST_EVENTS, LEASES, OUTCOMES, STATISTICS

EVALUATIONS_KEPT = 10_000
"""Of each rollout."""

FENCE_MS = 1000
"""How long a reader waits for writers that are under way, who wait behind it if others come: not for long."""

AT_ONCE = 500
"""Units of one question, rows of one statement."""


class Line(NamedTuple):
    """An outcome in its order, as JSON text."""

    seq: int
    body: str


class Lines(NamedTuple):
    """Outcomes of a rollout, and the number up to which there is no other, now or ever."""

    lines: Sequence[Line]
    up_to: int


class Kept(NamedTuple):
    """The statistics of a rollout as JSON text, and the last outcome that is in them."""

    seq: int
    body: str


class Evaluation(NamedTuple):
    """What a rollout was found to be at a time, as JSON text."""

    seq: int
    at: datetime
    body: str


class Steering(Database):
    """A database that keeps what rollouts are steered by. Every method raises StoreUnavailableError."""

    async def outcome_lines(self, rollout: str, after: int, limit: int) -> Lines:
        """Return outcomes of a rollout numbered above `after`, in order, and how far that is all there is.

        None is skipped: what is being written now has a higher number than `up_to`, or is returned.
        """
        end = max(after, await self._settled())
        wanted = select(OUTCOMES.c.seq, OUTCOMES.c.body).where(OUTCOMES.c.rollout == rollout)
        wanted = wanted.where(OUTCOMES.c.seq > after, OUTCOMES.c.seq <= end).order_by(OUTCOMES.c.seq).limit(limit)
        found = await self._read(lambda connection: connection.execute(wanted).all())
        lines = [Line(*row) for row in found]
        return Lines(lines, lines[-1].seq if len(lines) == limit else end)

    async def _settled(self) -> int:
        """Return the highest number of an outcome, of which none below is still to come."""
        return await self._write(_settled)

    async def first_events(self, rollout: str, units: Collection[str]) -> set[tuple[str, str]]:
        """Return, of these units, each that has had its first event, with the gate that it is of."""
        wanted = select(FIRST_EVENTS.c.unit, FIRST_EVENTS.c.gate)
        wanted = wanted.where(
            FIRST_EVENTS.c.rollout == rollout, FIRST_EVENTS.c.unit.in_(bindparam("units", expanding=True))
        )
        asked = [*units]
        some = [asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE)]

        def ask(connection: Connection) -> set[tuple[str, str]]:
            return {(unit, gate) for each in some for unit, gate in connection.execute(wanted, {"units": each})}

        return await self._read(ask) if asked else set()

    async def statistics(self, rollout: str) -> Kept | None:
        """Return the statistics of a rollout, None while there are none."""
        wanted = select(STATISTICS.c.seq, STATISTICS.c.body).where(STATISTICS.c.rollout == rollout)
        found = await self._read(lambda connection: connection.execute(wanted).one_or_none())
        return None if found is None else Kept(*found)

    async def keep_statistics(
        self, rollout: str, seq_before: int | None, seq_after: int, body: str, first: Collection[tuple[str, str]]
    ) -> bool:
        """Put statistics in the place of those up to `seq_before`, None for none, with new first events (unit, gate).

        False, and nothing is kept, when others are there: another leader was faster.
        """

        def keep(connection: Connection) -> bool:
            if not _replaced(connection, rollout, seq_before, Kept(seq_after, body)):
                return False
            if first:
                rows = [{"rollout": rollout, "unit": unit, "gate": gate} for unit, gate in sorted(first)]
                connection.execute(insert_into(connection, FIRST_EVENTS).on_conflict_do_nothing(), rows)
            return True

        return await self._write(keep)

    async def add_evaluation(self, rollout: str, at: datetime, body: str) -> int:
        """Keep an evaluation, and return its number."""
        adding = insert(EVALUATIONS).values(rollout=rollout, at=at, body=body).returning(EVALUATIONS.c.seq)
        seq: int = await self._write(lambda connection: connection.execute(adding).scalar_one())
        return seq

    async def evaluations(self, rollout: str, before: int | None = None, limit: int = 50) -> Sequence[Evaluation]:
        """Return evaluations of a rollout, newest first, those numbered below `before`."""
        wanted = select(EVALUATIONS.c.seq, EVALUATIONS.c.at, EVALUATIONS.c.body)
        wanted = wanted.where(EVALUATIONS.c.rollout == rollout).order_by(EVALUATIONS.c.seq.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(EVALUATIONS.c.seq < before)
        found = await self._read(lambda connection: connection.execute(wanted).all())
        return [Evaluation(*row) for row in found]

    async def prune_evaluations(self, rollout: str, limit: int) -> int:
        """Forget evaluations of a rollout beyond the last EVALUATIONS_KEPT, `limit` at most, and return how many."""
        of_it = select(EVALUATIONS.c.seq).where(EVALUATIONS.c.rollout == rollout).order_by(EVALUATIONS.c.seq.desc())
        too_old = of_it.offset(EVALUATIONS_KEPT).limit(limit)
        forget = delete(EVALUATIONS).where(EVALUATIONS.c.seq.in_(too_old))
        return await self._write(lambda connection: connection.execute(forget).rowcount)

    async def prune_first_events(self, ended: Collection[str], limit: int) -> int:
        """Forget first events of rollouts that have ended, `limit` at most, and return how many."""
        columns = (FIRST_EVENTS.c.rollout, FIRST_EVENTS.c.unit, FIRST_EVENTS.c.gate)
        of_them = select(*columns).where(FIRST_EVENTS.c.rollout.in_(sorted(ended))).limit(limit)
        forget = delete(FIRST_EVENTS).where(tuple_(*columns).in_(of_them))
        return await self._write(lambda connection: connection.execute(forget).rowcount) if ended else 0

    async def hold(self, name: str, holder: str, for_s: float) -> bool:
        """Take a lease, or hold it for longer, by the database's clock; false while another holds it."""

        def take(connection: Connection) -> bool:
            now_ms: ColumnElement[int] = literal_column(_NOW_MS[connection.dialect.name], LEASES.c.until_ms.type)
            until_ms = now_ms + round(for_s * 1000)
            taking = insert_into(connection, LEASES).values(name=name, holder=holder, until_ms=until_ms)
            is_free = (LEASES.c.holder == holder) | (LEASES.c.until_ms <= now_ms)
            changed = {each: taking.excluded[each] for each in ("holder", "until_ms")}
            taking = taking.on_conflict_do_update(index_elements=["name"], set_=changed, where=is_free)
            return connection.execute(taking).rowcount == 1

        return await self._write(take)

    async def let_go(self, name: str, holder: str) -> None:
        """Give a lease up, if it is held."""
        giving = delete(LEASES).where(LEASES.c.name == name, LEASES.c.holder == holder)
        await self._write(lambda connection: connection.execute(giving))


_NOW_MS = {
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
}


def _settled(connection: Connection) -> int:
    """Wait until no writer is under way, and read in what is then a snapshot of its own; SQLite has one writer."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = {FENCE_MS}"))
        connection.execute(select(func.pg_advisory_xact_lock(LINES)))
    highest: int = connection.execute(select(func.coalesce(func.max(OUTCOMES.c.seq), 0))).scalar_one()
    return highest


def _replaced(connection: Connection, rollout: str, seq_before: int | None, kept: Kept) -> bool:
    change: Any
    if seq_before is None:
        change = insert_into(connection, STATISTICS).values(rollout=rollout, **kept._asdict()).on_conflict_do_nothing()
    else:
        is_the_same = (STATISTICS.c.rollout == rollout) & (STATISTICS.c.seq == seq_before)
        change = update(STATISTICS).where(is_the_same).values(**kept._asdict())
    return bool(connection.execute(change).rowcount == 1)
