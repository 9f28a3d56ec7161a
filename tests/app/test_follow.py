"""The follower goes on, whatever happens to it, and comes back neither with all others nor for all there is."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from app.clock import Clock
from app.follow import Follower
from app.refresh import Live
from app.standing import Standing
from app.stores.records import Entry, Snapshot, StoreUnavailableError
from tests.virtual_time import run_virtually


class Stumbling:
    """A store whose answers fail in a way nobody foresaw, until it is asked for the fourth time."""

    def __init__(self) -> None:
        self.asked = 0

    async def load(self) -> Snapshot:
        self.asked += 1
        if self.asked < 4:
            raise LookupError("nobody foresaw this")
        return Snapshot("epoch", 7, ())

    async def since(self, _epoch: str, _revision: int) -> Sequence[Entry] | None:
        return None

    async def rings(self) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    async def carry(self, _epoch: str) -> None:
        return


def test_a_follower_outlives_a_failure_that_nobody_foresaw() -> None:
    async def scenario() -> None:
        live = Live(None, lambda _: None)
        standing = Standing(Clock())
        task = asyncio.create_task(Follower(Stumbling(), live, standing, lambda: 0.5).run())
        await standing.first_contact.wait()
        assert live.state.ruleset.revision == 7
        task.cancel()
        await asyncio.wait([task])

    run_virtually(scenario())


class Odd(Stumbling):
    """A store that has once given what it has, and then gives what nobody can read."""

    async def load(self) -> Snapshot:
        return Snapshot("epoch", 7, ())

    async def since(self, _epoch: str, _revision: int) -> Sequence[Entry] | None:
        raise LookupError("nobody foresaw this")


async def test_who_cannot_take_in_what_the_store_has_does_not_say_that_he_has_it() -> None:
    standing = Standing(Clock())
    follower = Follower(Odd(), Live(None, lambda _: None), standing, lambda: 0.5)
    await follower.catch_up()
    assert standing.is_fresh
    with pytest.raises(LookupError):
        await follower.catch_up()
    assert not standing.is_fresh


class Away:
    """A store that has answered once, then fails for so many seconds, and has changed nothing when it is back."""

    def __init__(self, for_s: float) -> None:
        self.loads = 0
        self.listened_at: list[float] = []
        self._back_at_s = asyncio.get_running_loop().time() + for_s

    def _asked(self) -> None:
        if self.loads and asyncio.get_running_loop().time() < self._back_at_s:
            raise StoreUnavailableError("away")

    async def load(self) -> Snapshot:
        self._asked()
        self.loads += 1
        return Snapshot("epoch", 7, ())

    async def since(self, _epoch: str, _revision: int) -> Sequence[Entry] | None:
        self._asked()
        return []

    async def rings(self) -> AsyncIterator[None]:
        self.listened_at.append(asyncio.get_running_loop().time())
        self._asked()
        yield
        await asyncio.Event().wait()

    async def carry(self, _epoch: str) -> None:
        return


async def follow(store: Away, chance: float, for_s: float) -> Standing:
    """Follow a store for a while, chance being what it is."""
    standing = Standing(Clock())
    follower = Follower(store, Live(None, lambda _: None), standing, lambda: chance)
    await follower.catch_up()
    task = asyncio.create_task(follower.run())
    await asyncio.sleep(for_s)
    task.cancel()
    await asyncio.wait([task])
    return standing


def test_what_is_lost_is_tried_again_within_a_second_and_by_everyone_at_another_moment() -> None:
    async def scenario() -> None:
        chances = [number / 10 for number in range(11)]
        stores = [Away(20.0) for _ in chances]
        await asyncio.gather(*(follow(store, chance, 10) for store, chance in zip(stores, chances, strict=True)))
        second = [store.listened_at[1] for store in stores]
        assert second == sorted({*second})
        for store in stores:
            waits = [after - before for before, after in itertools.pairwise(store.listened_at)]
            assert all(0.19 < wait < 1.01 for wait in waits)

    run_virtually(scenario())


def test_nobody_loads_everything_again_when_nothing_has_changed_meanwhile() -> None:
    async def scenario() -> None:
        store = Away(5.0)
        standing = await follow(store, 0.5, 10)
        assert (store.loads, standing.is_fresh) == (1, True)
        assert len(store.listened_at) > 2

    run_virtually(scenario())


def test_a_store_that_is_away_is_told_of_once_and_so_is_that_it_is_back() -> None:
    async def scenario() -> None:
        with capture_logs() as lines:
            await follow(Away(60.0), 0.5, 70)
        told = [(line["log_level"], line["event"]) for line in lines]
        assert told == [("warning", "store is away, the state in force goes on"), ("info", "store is back")]
        assert lines[-1]["away_s"] >= 0.0

    run_virtually(scenario())
