"""Kills in the journal: orders that Redis has not got, and how every process finds the lines it has not read yet."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.stores.engines import engine_of
from app.stores.fleet import FleetStore
from app.stores.journal import SqlJournal
from app.stores.records import Action, Collection, Entry, StaleError, StoreUnavailableError
from app.stores.redis import RedisStore
from app.stores.schema import JOURNAL
from tests.app.stores.changes import NOW, change
from tests.app.stores.live import EMPTY, new_prefix, stores

KILL = Collection.KILL
POSTGRES = pytest.mark.xdist_group("postgres")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=POSTGRES)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new_url()


@pytest.fixture
async def journal(url: str) -> AsyncIterator[SqlJournal]:
    """Open a journal on an empty database."""
    async with SqlJournal(engine_of(url)) as opened:
        yield opened


@pytest.fixture
async def live(redis: str) -> AsyncIterator[RedisStore]:
    """Open an empty live state."""
    async with stores(redis, prefix=new_prefix()) as [store]:
        yield store


def entry(revision: int, collection: Collection) -> Entry:
    """Make what the live state says of one change."""
    return Entry(0, "e", revision, NOW, "mina", Action.CREATE, collection, f"k{revision}", 1, "{}", "because")


async def test_orders_are_lines_without_a_revision_and_make_no_state(journal: SqlJournal) -> None:
    await journal.append([entry(1, Collection.FLAG)])
    await journal.order([change("a", 0, collection=KILL), change("b", 1, collection=KILL)])
    [flag, *orders] = (await journal.journal())[::-1]
    assert [(each.revision, each.version, each.action, each.key) for each in orders] == [
        (None, None, Action.CREATE, "a"),
        (None, None, Action.UPDATE, "b"),
    ]
    assert {(each.epoch, each.actor, each.at, each.body) for each in orders} == {(flag.epoch, "mina", NOW, "{}")}
    latest = await journal.latest()
    assert latest is not None
    assert [document.key for document in latest.documents] == ["k1"]
    assert await journal.gone() == {}


async def test_every_line_of_a_kill_is_read_once_and_nothing_else(journal: SqlJournal) -> None:
    assert await journal.kill_lines(set()) == []
    await journal.append([entry(1, Collection.FLAG), entry(2, KILL), entry(3, Collection.FLAG)])
    await journal.order([change("a", 0, collection=KILL)])
    lines = await journal.kill_lines(set())
    assert [line.key for line in lines] == ["k2", "a"]
    seen = {line.seq for line in lines}
    assert await journal.kill_lines(seen) == []
    await journal.append([entry(4, KILL)])
    assert [line.key for line in await journal.kill_lines(seen)] == ["k4"]


async def test_a_line_that_is_committed_late_is_read_though_later_ones_were_before(journal: SqlJournal) -> None:
    await journal.append([entry(1, KILL), entry(2, KILL), entry(3, KILL)])
    [first, late, last] = await journal.kill_lines(set())
    assert await journal.kill_lines({first.seq, last.seq}) == [late]


@POSTGRES
async def test_a_number_given_before_another_may_be_readable_after_it(new_postgres_url: Callable[[], str]) -> None:
    url = new_postgres_url()
    async with SqlJournal(engine_of(url)) as journal, engine_of(url) as engine:
        async with AsyncEngine(engine.execution_options(writing=True)).connect() as slow:
            await slow.execute(insert(JOURNAL), [_row("slow")])
            await journal.order([change("quick", 0, collection=KILL)])
            [quick] = await journal.kill_lines(set())
            await slow.commit()
        [late] = await journal.kill_lines({quick.seq})
        assert (late.key, late.seq < quick.seq) == ("slow", True)


def _row(key: str) -> dict[str, object]:
    about = {"epoch": "e", "at": NOW, "actor": "mina", "action": Action.CREATE, "reason": ""}
    return about | {"collection": KILL.value, "key": key, "body": "{}"}


async def test_new_kills_are_found_by_an_index_among_many_lines(journal: SqlJournal) -> None:
    def plan(connection: Connection) -> str:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            rows = connection.execute(text("EXPLAIN SELECT count(*) FROM journal WHERE collection = 'kill'"))
        else:
            rows = connection.execute(text("EXPLAIN QUERY PLAN SELECT seq FROM journal WHERE collection = 'kill'"))
        return "\n".join(str(row) for row in rows)

    found = await journal._read(plan)
    assert "using journal_kills" in found or "USING COVERING INDEX" in found


async def test_nobody_waits_long_for_a_journal_that_does_not_answer(tmp_path: Path, live: RedisStore) -> None:
    await live.refill(EMPTY)
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    async with SqlJournal(engine_of(url)) as journal, engine_of(url) as engine:
        fleet = FleetStore(live, journal, patience_s=0.1)
        async with AsyncEngine(engine.execution_options(writing=True)).begin() as holder:
            await holder.execute(text("SELECT 1"))
            async with asyncio.timeout(2):
                [written] = await fleet.write([change("a", 0)])
                assert (written.seq, written.revision) == (0, 1)
                with pytest.raises(StaleError):
                    await fleet.insist([change("a", 0, collection=KILL), change("a", 0)])
        await fleet.carry("first")
        assert 1 in [line.revision for line in await journal.journal()]


async def test_of_many_writes_only_the_first_waits_for_a_journal_that_does_not_answer(
    tmp_path: Path, live: RedisStore
) -> None:
    await live.refill(EMPTY)
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    async with SqlJournal(engine_of(url)) as journal, engine_of(url) as engine:
        fleet = FleetStore(live, journal, patience_s=0.5)
        async with AsyncEngine(engine.execution_options(writing=True)).begin() as holder:
            await holder.execute(text("SELECT 1"))
            async with asyncio.timeout(1.5):
                seqs = [(await fleet.write([change("a", version)]))[0].seq for version in range(8)]
            assert seqs == [0] * 8
        async with asyncio.timeout(10):
            versions = count(8)
            while (await fleet.write([change("a", next(versions))]))[0].seq == 0:
                await fleet.carry("first")
        assert [line.revision for line in await journal.journal()][-8:] == [8, 7, 6, 5, 4, 3, 2, 1]


async def test_what_the_live_state_refuses_as_stale_becomes_an_order(journal: SqlJournal, live: RedisStore) -> None:
    await live.refill(EMPTY)
    fleet = FleetStore(live, journal)
    [made] = await fleet.insist([change("a", 0, collection=KILL)])
    [ordered] = await fleet.insist([change("a", 0, '{"released": 1}', collection=KILL)])
    assert (made.revision, ordered.revision, ordered.version) == (1, None, None)
    assert [line.revision for line in await fleet.kill_lines(set())] == [1, None]


async def test_a_journal_that_failed_says_so_together_with_the_live_state(tmp_path: Path, live: RedisStore) -> None:
    closed = SqlJournal(engine_of(f"sqlite:///{tmp_path / 'journal.db'}"))
    with pytest.raises(StoreUnavailableError, match=r"Redis holds no state.*; the store is not open"):
        await FleetStore(live, closed).insist([change("a", 0, collection=KILL)])
