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
from app.outcomes.pipeline import BATCH, MOST_BYTES, Pipeline
from app.outcomes.retention import Retention
from app.refresh import Live, write_document
from app.stores.aftermath import Aftermath
from app.stores.outcomes import OutcomeRow, SqlOutcomes
from app.stores.records import Collection, Snapshot, Stored
from app.stores.sqlite import outcomes_sqlite_engine
from rollouts.model import RolloutState
from tests.inprocess import Ticking, settings_in
from tests.steered import SINCE, rollout_of

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


async def test_none_is_dropped_however_often_the_lock_is_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0)
    async with opened(tmp_path) as each:
        with locked(tmp_path):
            each.add(rows(2))
            # as often as it takes to halve any batch down to one row
            for _ in range(15):
                await failed_once_more(each)
            assert len(each._waiting) == 2
        await until_kept(tmp_path, 2)


async def failed_once_more(each: Pipeline) -> None:
    each._is_away = False
    async with asyncio.timeout(PATIENCE_S):
        while not each._is_away:
            await asyncio.sleep(0.01)


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


def refuse(folder: Path, refused: str) -> None:
    """Have the database refuse the outcome of this id from now on."""
    with closing(sqlite3.connect(folder / "outcomes.db")) as file:
        file.execute(
            f"CREATE TRIGGER refuse BEFORE INSERT ON outcomes WHEN NEW.id = '{refused}' "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )


async def until_none_waits(each: Pipeline) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while each._waiting:
            await asyncio.sleep(0.01)


async def test_a_row_that_the_database_refuses_holds_up_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0)
    async with opened(tmp_path) as each:
        refuse(tmp_path, "o20")
        each.add(rows(50))
        await until_none_waits(each)
    assert kept(tmp_path) == 49


async def test_a_transaction_is_bounded_by_its_text_too(tmp_path: Path) -> None:
    long = [each._replace(body='"' + "x" * MOST_BYTES + '"') for each in rows(3)]
    async with opened(tmp_path, flush_s=0.01) as each:
        each.add(long)
        assert each._next() == long[:1]
        await until_none_waits(each)
    assert kept(tmp_path) == 3


class Counting(SqlOutcomes):
    """Knows how often it was asked to write."""

    attempts = 0

    async def append(self, rows: Sequence[OutcomeRow]) -> int:
        """Count, and write."""
        self.attempts += 1
        return await super().append(rows)


async def until_tried(store: Counting, attempts: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while store.attempts < attempts:
            await asyncio.sleep(0.01)


async def test_a_database_that_can_be_read_and_not_written_loses_nothing_however_often_it_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0)
    settings = settings_in(tmp_path, outcome_flush_s=0.01)
    engine = outcomes_sqlite_engine(tmp_path / "outcomes.db", busy_timeout_s=0.01)
    async with Counting(engine) as store, Pipeline(store, settings, Metrics(), Clock()) as each:
        with locked(tmp_path):
            each.add(rows(5))
            await until_tried(store, 3 * BATCH.bit_length())
            await store.check()
            assert len(each._waiting) == 5
        await until_kept(tmp_path, 5)


async def test_a_spill_that_cannot_be_written_yet_costs_no_outcome_that_came_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0)
    spill.write(tmp_path, rows(5))
    settings = settings_in(tmp_path, outcome_flush_s=0.01)
    engine = outcomes_sqlite_engine(tmp_path / "outcomes.db", busy_timeout_s=0.01)
    async with Counting(engine) as store:
        with locked(tmp_path):
            async with Pipeline(store, settings, Metrics(), Clock()) as each:
                await until_tried(store, 3 * BATCH.bit_length())
                each.add(rows(1, "later"))
                await until_tried(store, 6 * BATCH.bit_length())
                assert len(each._waiting) == 1
    async with opened(tmp_path):
        await until_kept(tmp_path, 6)


async def test_a_row_of_a_spill_that_the_database_refuses_holds_up_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "AGAIN_S", 0)
    spill.write(tmp_path, [*rows(50), OutcomeRow("", "", "", "", "no time", T, "{}")])
    async with opened(tmp_path) as each:
        with closing(sqlite3.connect(tmp_path / "outcomes.db")) as file:
            file.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON outcomes WHEN NEW.at = 'no time' "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        each.add(rows(1, "new"))
        await until_kept(tmp_path, 51)
        async with asyncio.timeout(PATIENCE_S):
            while each._waiting:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("text", ['["half', "\xff"], ids=["damaged", "not UTF-8"])
async def test_a_damaged_spill_that_another_process_has_put_aside_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    damaged = spill.write(tmp_path, rows(2))
    damaged.write_bytes(text.encode("latin-1"))
    move = Path.replace

    def as_the_second(self: Path, target: Path) -> Path:
        move(self, target)
        return move(self, target)

    monkeypatch.setattr(Path, "replace", as_the_second)
    async with opened(tmp_path) as each:
        each.add(rows(1))
        await until_kept(tmp_path, 1)


async def test_a_spill_that_cannot_be_taken_away_is_written_once_and_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise PermissionError(30, "Read-only file system")

    spill.write(tmp_path, rows(5))
    monkeypatch.setattr(Path, "unlink", read_only)
    for number in (1, 2):
        async with opened(tmp_path) as each:
            each.add(rows(number, "new"))
            await until_kept(tmp_path, 5 + number)


async def test_old_outcomes_are_forgotten_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.outcomes.retention.AT_ONCE", 2)
    settings = settings_in(tmp_path, outcome_retention_days=90)
    clock = Ticking().clock()
    async with Aftermath(outcomes_sqlite_engine(tmp_path / "outcomes.db")) as store:
        new = [each._replace(received_at="2027-01-01T00:00:00.000000+00:00") for each in rows(3, "new")]
        await store.append([*rows(5, "a"), *new])
        assert await Retention(store, Live(None, lambda _: None), settings, clock, lambda: 0.0).prune() == 5
    assert kept(tmp_path) == 3


async def test_of_rollouts_that_ended_what_was_kept_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.stores.steering.EVALUATIONS_KEPT", 1)
    rollouts = [rollout_of(2, name="a", state=RolloutState.ROLLED_BACK), rollout_of(2, name="b")]
    live = Live(None, lambda _: None)
    documents = [Stored(Collection.ROLLOUT, each.id, 1, write_document(each), SINCE, "test") for each in rollouts]
    live.load(Snapshot("e", 1, tuple(documents)))
    async with Aftermath(outcomes_sqlite_engine(tmp_path / "outcomes.db")) as store:
        for each in rollouts:
            await store.keep_statistics(each.id, None, 1, "{}", [("u", "errors")])
            await store.add_evaluation(each.id, SINCE, "1")
            await store.add_evaluation(each.id, SINCE, "2")
        assert await Retention(store, live, settings_in(tmp_path), Ticking().clock(), lambda: 0.0).prune() == 2
        assert await store.first_events("a-1", ["u"]) == set()
        assert await store.first_events("b-1", ["u"]) == {("u", "errors")}
        assert [each.body for each in await store.evaluations("b-1")] == ["2"]
        assert await store.statistics("a-1") is not None
