import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from app.clock import Clock
from app.metrics import Metrics
from app.outcomes import pipeline, spill
from app.outcomes.pipeline import BATCH, Pipeline
from app.outcomes.retention import Retention
from app.stores.outcomes import OutcomeRow, SqlOutcomes
from app.stores.sqlite import outcomes_sqlite_engine
from tests.inprocess import Ticking, settings_in

PATIENCE_S = 30.0
T = "2026-03-29T12:00:00.000000+00:00"


def rows(count: int, prefix: str = "o") -> list[OutcomeRow]:
    return [OutcomeRow(f"{prefix}{number}", "rag", "new", "like", T, T, "{}") for number in range(count)]


@asynccontextmanager
async def opened(folder: Path, flush_s: float = 0.01) -> AsyncIterator[Pipeline]:
    settings = settings_in(folder, outcome_flush_s=flush_s)
    async with (
        SqlOutcomes(outcomes_sqlite_engine(folder / "outcomes.db", busy_timeout_s=0.05)) as store,
        Pipeline(store, settings, Metrics(), Clock()) as each,
    ):
        yield each


def kept(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "outcomes.db")) as file:
        count: int = file.execute("SELECT count(*) FROM outcomes").fetchone()[0]
        return count


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep everyone else from writing, as a database that is away does."""
    with closing(sqlite3.connect(folder / "outcomes.db", isolation_level=None)) as file:
        file.execute("BEGIN EXCLUSIVE")
        yield
        file.execute("ROLLBACK")


async def until_kept(folder: Path, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while kept(folder) != count:
            await asyncio.sleep(0.01)


async def test_what_is_taken_in_is_written_within_the_interval(tmp_path: Path) -> None:
    async with opened(tmp_path) as each:
        each.add(rows(3))
        await until_kept(tmp_path, 3)


async def test_a_full_batch_does_not_wait_for_the_interval(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_s=60) as each:
        each.add(rows(BATCH))
        await until_kept(tmp_path, BATCH)


async def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_s=60) as each:
        each.add(rows(2 * BATCH - 1))
    assert kept(tmp_path) == 2 * BATCH - 1
    assert spill.files_in(tmp_path) == []


async def test_without_the_database_outcomes_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0.01)
    async with opened(tmp_path) as each:
        with locked(tmp_path):
            each.add(rows(5))
            async with asyncio.timeout(PATIENCE_S):
                while not each._is_away:
                    await asyncio.sleep(0.01)
        await until_kept(tmp_path, 5)


async def test_what_cannot_be_written_at_the_end_is_carried_over_by_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path, flush_s=60) as each:
        each.add(rows(5))
        lock = sqlite3.connect(tmp_path / "outcomes.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    lock.close()
    assert kept(tmp_path) == 0
    [file] = spill.files_in(tmp_path)
    assert spill.read(file) == rows(5)
    assert file.stat().st_mode & 0o077 == 0
    async with opened(tmp_path) as again:
        again.add([*rows(5), *rows(1, "p")])
        await until_kept(tmp_path, 6)
    assert spill.files_in(tmp_path) == []


def test_a_spill_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            spill.write(tmp_path, rows(5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [*tmp_path.iterdir()] == []


async def test_a_damaged_spill_is_put_aside_and_holds_nothing_up(tmp_path: Path) -> None:
    damaged = spill.write(tmp_path, rows(2))
    damaged.write_text('["half')
    async with opened(tmp_path) as each:
        each.add(rows(1))
        await until_kept(tmp_path, 1)
    assert damaged.with_suffix(".damaged").read_text() == '["half'
    assert spill.files_in(tmp_path) == []


async def test_a_row_that_the_database_refuses_holds_up_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0)
    async with opened(tmp_path) as each:
        with closing(sqlite3.connect(tmp_path / "outcomes.db")) as file:
            file.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON outcomes WHEN NEW.id = 'o20' "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        each.add(rows(50))
        await until_kept(tmp_path, 49)
        assert not each._waiting


class Tried(SqlOutcomes):
    """Counts how often it was asked to keep rows."""

    tries = 0

    async def append(self, rows: Sequence[OutcomeRow]) -> int:
        """Count, and keep them."""
        self.tries += 1
        return await super().append(rows)


def rename_table(folder: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(folder / "outcomes.db", timeout=PATIENCE_S)) as file:
        file.execute(f"ALTER TABLE {old} RENAME TO {new}")


async def test_while_the_database_can_be_read_but_not_written_no_outcome_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0.02)
    settings = settings_in(tmp_path, outcome_flush_s=0.01)
    async with Tried(outcomes_sqlite_engine(tmp_path / "outcomes.db")) as store:
        await store.check()
        rename_table(tmp_path, "outcomes", "away")
        async with Pipeline(store, settings, Metrics(), Clock()) as each:
            each.add(rows(5))
            async with asyncio.timeout(PATIENCE_S):
                while store.tries < 20:
                    await asyncio.sleep(0.01)
            # the pipeline may hold the lock, and needs the loop to let go of it
            await asyncio.to_thread(rename_table, tmp_path, "away", "outcomes")
            await until_kept(tmp_path, 5)


async def test_old_outcomes_are_forgotten_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.outcomes.retention.AT_ONCE", 2)
    settings = settings_in(tmp_path, outcome_retention_days=90)
    clock = Ticking().clock()
    async with SqlOutcomes(outcomes_sqlite_engine(tmp_path / "outcomes.db")) as store:
        new = [each._replace(received_at="2027-01-01T00:00:00.000000+00:00") for each in rows(3, "new")]
        await store.append([*rows(5, "a"), *new])
        assert await Retention(store, settings, clock, lambda: 0.0).prune() == 5
    assert kept(tmp_path) == 3
