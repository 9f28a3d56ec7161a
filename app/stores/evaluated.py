"""When each variant of a flag was given last, and which flags others were told to be stale, in an SQL database."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from app.stores.database import Database, insert_into
from app.stores.schema import FLAGS_EVALUATED, FLAGS_TOLD_STALE

AT_ONCE = 500
"""Rows of one transaction, which holds other writers up for milliseconds."""

NOBODY = ("", "")
"""The place of the time since which evaluations are noted: no flag has an empty key."""


IN_BULK = "*"
"""What stands before a variant that was given among all flags, to a caller who may want none: no name has it."""


class LastEvaluated(NamedTuple):
    """When a variant of a flag was given last, in seconds since 1970."""

    flag: str
    variant: str
    at: int


class Evaluated(Database):
    """A database that keeps when flags were evaluated. Every method raises StoreUnavailableError."""

    async def add_evaluated(self, rows: Sequence[LastEvaluated]) -> None:
        """Keep times, of each flag's variant the latest."""
        # in one order everywhere, or processes that keep the same would wait for each other for ever
        in_order = sorted(rows)
        for start in range(0, len(in_order), AT_ONCE):
            some = [each._asdict() for each in in_order[start : start + AT_ONCE]]
            await self._write(partial(_keep, rows=some))

    async def note_evaluations_since(self, at: int) -> None:
        """Keep since when evaluations are noted, unless that is known."""
        first = LastEvaluated(*NOBODY, at)._asdict()
        await self._write(
            lambda connection: connection.execute(
                insert_into(connection, FLAGS_EVALUATED).on_conflict_do_nothing(), [first]
            )
        )

    async def evaluated(self, flag: str | None = None) -> Sequence[LastEvaluated]:
        """Return the times of a flag's variants, or of all; NOBODY's is since when there are any."""
        wanted = select(FLAGS_EVALUATED)
        if flag is not None:
            wanted = wanted.where(FLAGS_EVALUATED.c.flag == flag)
        found = await self._read(lambda connection: connection.execute(wanted.order_by(*_PLACE)).all())
        return [LastEvaluated(*row) for row in found]

    async def noted_since(self) -> int | None:
        """Return since when evaluations are noted, None for never, in seconds since 1970."""
        _, _, at = next(iter(await self.evaluated(NOBODY[0])), (None, None, None))
        return at

    async def forget_evaluated(self, flag: str) -> None:
        """Forget the times of a flag."""
        gone = delete(FLAGS_EVALUATED).where(FLAGS_EVALUATED.c.flag == flag)
        await self._write(lambda connection: connection.execute(gone))

    async def told_stale(self) -> Mapping[str, int]:
        """Return which flags others were told to be stale, and when, in seconds since 1970."""
        found = await self._read(lambda connection: connection.execute(select(FLAGS_TOLD_STALE)).all())
        return {row.flag: row.at for row in found}

    async def claim_stale(self, flag: str, at: int) -> bool:
        """Say whether the caller is the one to tell that a flag is stale: it is so for one caller."""

        def claim(connection: Connection) -> bool:
            claiming = insert_into(connection, FLAGS_TOLD_STALE).values(flag=flag, at=at)
            return connection.execute(claiming.on_conflict_do_nothing()).rowcount > 0

        return await self._write(claim)

    async def forget_stale(self, flag: str) -> None:
        """Forget that a flag was told to be stale."""
        gone = delete(FLAGS_TOLD_STALE).where(FLAGS_TOLD_STALE.c.flag == flag)
        await self._write(lambda connection: connection.execute(gone))


_PLACE = (FLAGS_EVALUATED.c.flag, FLAGS_EVALUATED.c.variant)


def _keep(connection: Connection, rows: Sequence[Mapping[str, str | int]]) -> None:
    keeping = insert_into(connection, FLAGS_EVALUATED)
    is_later = keeping.excluded.at > FLAGS_EVALUATED.c.at
    connection.execute(
        keeping.on_conflict_do_update(index_elements=[*_PLACE], set_={"at": keeping.excluded.at}, where=is_later), rows
    )
