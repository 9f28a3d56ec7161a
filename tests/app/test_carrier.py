"""What waits in memory on its way to SQL."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app import carrier
from app.carrier import Carrier
from app.stores.records import StoreUnavailableError


class Letters(Carrier):
    """Meets one fate after the other."""

    def __init__(self, *fates: Exception | None) -> None:
        super().__init__("letters", 0.0, lambda: 0.5)
        self.fates = [*fates]
        self.is_carried = asyncio.Event()

    async def settle(self) -> None:
        if self.fates and (fate := self.fates.pop(0)):
            raise fate
        self.is_carried.set()


def away() -> StoreUnavailableError:
    return StoreUnavailableError("asleep")


async def test_that_sql_is_away_is_logged_once_until_it_was_there_again() -> None:
    letters = Letters(away(), away(), None, away())
    with capture_logs() as logs:
        for _ in range(4):
            await letters.carry()
    assert [(each["event"], each["what"], each["why"]) for each in logs] == [("waits for SQL", "letters", "asleep")] * 2


async def test_whatever_fails_it_is_carried_the_next_time() -> None:
    letters = Letters(away(), ValueError("odd"))
    running = asyncio.create_task(letters.run())
    await letters.is_carried.wait()
    running.cancel()


async def test_a_stop_waits_no_longer_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Letters):
        async def settle(self) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(carrier, "LAST_S", 0.01)
    with capture_logs() as logs:
        await Silent().close()
    assert [each["event"] for each in logs] == ["the last of it is lost: SQL does not answer"]
