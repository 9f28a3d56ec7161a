"""One suite, both databases."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.stores.engines import outcomes_engine_of
from app.stores.outcomes import STATEMENT, OutcomeRow, SqlOutcomes, Wanted
from app.stores.records import StoreRefusedError

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new_url()


@pytest.fixture
async def outcomes(url: str) -> AsyncIterator[SqlOutcomes]:
    async with SqlOutcomes(outcomes_engine_of(url)) as opened:
        yield opened


def text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def row(number: int, *, route: str = "rag", side: str = "new", kind: str = "like", at: datetime = NOON) -> OutcomeRow:
    return OutcomeRow(f"o{number:04}", route, side, kind, text(at), text(at), f'{{"id": "o{number:04}", "value": 1.0}}')


async def found(outcomes: SqlOutcomes, **wanted: object) -> list[str]:
    first, last = await outcomes.span()
    bodies = await outcomes.bodies(first, last, Wanted(**wanted))  # type: ignore[arg-type]  # named as the fields are
    return [body.split('"')[3] for body in bodies]


async def test_what_is_kept_is_given_back_in_order_word_by_word(outcomes: SqlOutcomes) -> None:
    rows = [row(number) for number in range(2 * STATEMENT + 1)]
    assert await outcomes.append(rows) == len(rows)
    first, last = await outcomes.span()
    assert [*await outcomes.bodies(first, last, Wanted())] == [each.body for each in rows]


async def test_nothing_is_kept_twice_within_a_route(outcomes: SqlOutcomes) -> None:
    assert await outcomes.append([row(1), row(2), row(1)]) == 2
    assert await outcomes.append([row(2), row(3)]) == 1
    assert await outcomes.append([row(1, route="persona")]) == 1
    assert await found(outcomes) == ["o0001", "o0002", "o0003", "o0001"]


async def test_of_two_outcomes_with_one_id_the_first_is_kept(outcomes: SqlOutcomes) -> None:
    first, second = row(1)._replace(body='{"id": "zzz"}'), row(1)._replace(body='{"id": "aaa"}')
    assert await outcomes.append([first, second]) == 1
    assert await found(outcomes) == ["zzz"]


async def test_what_breaks_a_rule_of_the_database_is_refused_with_all_that_came_with_it(outcomes: SqlOutcomes) -> None:
    against_the_rules: Any = {"kind": None}
    with pytest.raises(StoreRefusedError):
        await outcomes.append([row(1), row(2)._replace(**against_the_rules)])
    assert await found(outcomes) == []


async def test_an_empty_database_has_nothing(outcomes: SqlOutcomes) -> None:
    assert await outcomes.span() == (0, 0)
    assert await found(outcomes) == []


async def test_only_what_is_wanted_is_given(outcomes: SqlOutcomes) -> None:
    hour = timedelta(hours=1)
    await outcomes.append(
        [
            row(1),
            row(2, route="persona"),
            row(3, side="legacy"),
            row(4, kind="share"),
            row(5, at=NOON + hour),
            row(6, side=""),
        ]
    )
    assert await found(outcomes, route="persona") == ["o0002"]
    assert await found(outcomes, side="legacy") == ["o0003"]
    assert await found(outcomes, kind="share", route="rag") == ["o0004"]
    assert await found(outcomes, since=NOON + hour) == ["o0005"]
    assert await found(outcomes, until=NOON + hour, side="new", kind="like") == ["o0001", "o0002"]


async def test_old_outcomes_are_forgotten_in_steps_and_no_others(outcomes: SqlOutcomes) -> None:
    old = NOON - timedelta(days=91)
    await outcomes.append([*(row(number, at=old) for number in range(5)), row(7), row(8, at=old)])
    over = NOON - timedelta(days=90)
    assert [await outcomes.prune(over, 3) for _ in range(2)] == [3, 2]
    assert await found(outcomes) == ["o0007", "o0008"]


async def test_processes_that_report_the_same_at_once_keep_it_once(url: str, outcomes: SqlOutcomes) -> None:
    async with SqlOutcomes(outcomes_engine_of(url)) as other:
        rows = [row(number) for number in range(1000)]
        one, two = await asyncio.gather(outcomes.append(rows), other.append(rows[::-1]))
        assert one + two == 1000
    assert len(await found(outcomes)) == 1000


async def test_outcomes_lie_beside_a_journal_of_sqlite_and_not_in_it(tmp_path: Path) -> None:
    async with SqlOutcomes(outcomes_engine_of(f"sqlite:///{tmp_path / 'journal.db'}")) as outcomes:
        await outcomes.append([row(1)])
    assert not (tmp_path / "journal.db").exists()
    with closing(sqlite3.connect(tmp_path / "outcomes.db")) as file:
        assert file.execute("SELECT count(*) FROM outcomes").fetchone() == (1,)
