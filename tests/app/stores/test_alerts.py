"""One suite, both databases."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.stores.alerts import KEPT_DAYS, MOST_NOTICES, AlertRow, Alerts, NoticeRow, WantedAlerts
from app.stores.engines import outcomes_engine_of
from tests.app.stores.changes import NOW

SAME_S = 300.0


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_alerts(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Alerts]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Alerts(outcomes_engine_of(url))


@pytest.fixture
async def alerts(new_alerts: Callable[[], Alerts]) -> AsyncIterator[Alerts]:
    async with new_alerts() as opened:
        yield opened


def row(name: str, at_s: float = 0, route: str = "rag", *, is_resolved: bool = False) -> AlertRow:
    at = NOW + timedelta(seconds=at_s)
    return AlertRow(name, at, "error", route, is_resolved, f"{name}@{at_s:g}")


def joined(before: str, now: str) -> str:
    return f"{before},{now}"


async def told(alerts: Alerts) -> list[tuple[str, str, int]]:
    found = await alerts.alerts(WantedAlerts(), None, 1000)
    return [(each.body, each.route, each.times) for each in found]


async def test_what_comes_again_within_the_time_counts_up_and_later_is_another(alerts: Alerts) -> None:
    for at_s in (0, 299, 598, 898):
        await alerts.add_alerts([row("a", at_s)], SAME_S, joined)
    assert await told(alerts) == [("a@898", "rag", 1), ("a@0,a@299,a@598", "rag", 3)]
    newest = (await alerts.alerts(WantedAlerts(), None, 10))[1]
    assert (newest.at, newest.last_at) == (NOW, NOW + timedelta(seconds=598))


async def test_alerts_of_one_body_are_told_apart_by_route_and_joined_by_fingerprint(alerts: Alerts) -> None:
    rows = [row("a"), row("a", route=""), row("b"), row("a", 1)]
    await alerts.add_alerts(rows, SAME_S, joined)
    assert await told(alerts) == [("b@0", "rag", 1), ("a@0", "", 1), ("a@0,a@1", "rag", 2)]


async def test_what_is_resolved_ends_the_last_one_however_old_and_counts_nothing(alerts: Alerts) -> None:
    await alerts.add_alerts([row("a")], SAME_S, joined)
    await alerts.add_alerts([row("a", 9000, is_resolved=True), row("z", 9000, is_resolved=True)], SAME_S, joined)
    assert await told(alerts) == [("z@9000", "rag", 1), ("a@0,a@9000", "rag", 1)]


async def test_alerts_are_kept_for_thirty_days_after_they_came_last(alerts: Alerts) -> None:
    await alerts.add_alerts([row("a"), row("b")], SAME_S, joined)
    await alerts.add_alerts([row("b", 200)], SAME_S, joined)
    await alerts.add_alerts([row("c", KEPT_DAYS * 86_400 + 100)], SAME_S, joined)
    assert [body for body, _, _ in await told(alerts)] == ["c@2.5921e+06", "b@0,b@200"]


async def test_processes_that_add_the_same_at_once_make_one_of_it(new_alerts: Callable[[], Alerts]) -> None:
    async with new_alerts() as first, new_alerts() as second:
        await first.check()
        both = [each.add_alerts([row("a"), row("b")], SAME_S, joined) for each in (first, second) * 5]
        await asyncio.gather(*both)
        assert [times for _, _, times in await told(first)] == [10, 10]


async def test_the_last_thousand_notices_are_kept(alerts: Alerts) -> None:
    rows = [NoticeRow(0, NOW, "killed", f"{number}") for number in range(MOST_NOTICES + 5)]
    await alerts.add_notices(rows[:3])
    await alerts.add_notices(rows[3:])
    found = await alerts.notices()
    assert [each.body for each in found] == [f"{number}" for number in range(MOST_NOTICES + 4, 4, -1)]
    assert found[0].at == NOW
