"""The follower goes on, whatever happens to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from app.clock import Clock
from app.follow import Follower
from app.refresh import Live
from app.standing import Standing
from app.stores.records import Entry, Snapshot
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
