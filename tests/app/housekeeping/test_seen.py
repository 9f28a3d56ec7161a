"""What is given is noted, waits for SQL, and is kept in the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from app.housekeeping import seen as seen_module
from app.housekeeping.seen import Seen
from app.refresh import Live
from app.stores.evaluated import NOBODY, Evaluated, LastEvaluated
from app.stores.records import StoreUnavailableError
from tests.inprocess import Service, Ticking, running, settings_in

START = 1_800_000_000


class Away:
    """A database that takes nothing until it is back."""

    def __init__(self) -> None:
        self.is_away = True
        self.kept: list[LastEvaluated] = []

    async def note_evaluations_since(self, at: int) -> None:
        if self.is_away:
            raise StoreUnavailableError("away")
        self.kept.append(LastEvaluated(*NOBODY, at))

    async def add_evaluated(self, rows: Sequence[LastEvaluated]) -> None:
        if self.is_away:
            raise StoreUnavailableError("away")
        self.kept += rows


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    """Have two flags in force."""
    async with running(settings_in(tmp_path)) as service:
        for key in "ab":
            await service.ok("POST", "/flags", {"key": key})
        yield service.services.live


def seen_by(live: Live, away: Away, time: Ticking) -> Seen:
    return Seen(live, cast(Evaluated, away), time.clock(), lambda: 0.5)


async def test_what_sql_does_not_take_waits_with_its_time_and_is_kept_once(live: Live) -> None:
    away, time = Away(), Ticking()
    seen = seen_by(live, away, time)
    seen.note("a", "on")
    await seen.carry()
    time.seconds += 60
    seen.note("b", "off")
    await seen.carry()
    away.is_away = False
    time.seconds += 60
    await seen.carry()
    assert sorted(away.kept) == [("", "", START + 120), ("a", "on", START), ("b", "off", START + 60)]
    await seen.carry()
    assert len(away.kept) == 3


async def test_while_sql_is_away_no_more_waits_than_there_are_variants(live: Live) -> None:
    away, time = Away(), Ticking()
    seen = seen_by(live, away, time)
    for number in range(1000):
        seen.note("a", "on")
        seen.note_at([LastEvaluated(f"gone-{number}", "on", START)])
        await seen.carry()
        time.seconds += 1
    away.is_away = False
    await seen.carry()
    assert sorted(away.kept)[1:] == [("a", "on", START + 999)]


async def test_the_later_of_what_is_noted_here_and_reported_by_others_counts(live: Live) -> None:
    away, time = Away(), Ticking()
    away.is_away = False
    seen = seen_by(live, away, time)
    seen.note_at([LastEvaluated("a", "on", 5), LastEvaluated("a", "on", 3), LastEvaluated("b", "on", 7)])
    seen.note("b", "on")
    await seen.carry()
    assert sorted(away.kept)[1:] == [("a", "on", 5), ("b", "on", START)]


async def test_whatever_fails_evaluations_are_kept_later(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    away, time = Away(), Ticking()
    seen = seen_by(live, away, time)
    seen.note("a", "on")
    with monkeypatch.context() as patched:
        patched.setattr(away, "note_evaluations_since", None)
        await seen.carry()
    away.is_away = False
    await seen.carry()
    assert sorted(away.kept)[1:] == [("a", "on", START)]


async def test_a_stop_keeps_what_was_noted_and_the_next_start_knows_it(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as service:
        await service.with_rag(100)
        await asked(service, "mina")
    async with running(settings_in(tmp_path)) as service:
        told = await service.ok("GET", "/flags/rag-v2/evaluated")
        assert told["last_evaluated"] == "2027-01-15T08:00:00Z"


async def test_it_is_kept_every_minute_while_the_service_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "EVERY_S", 0.01)
    async with running(settings_in(tmp_path)) as service:
        await service.with_rag(100)
        await asked(service, "mina")
        kept = service.services.aftermath
        async with asyncio.timeout(20):
            while not await kept.evaluated("rag-v2"):
                await asyncio.sleep(0.01)


async def asked(service: Service, user: str) -> None:
    await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": user}})
