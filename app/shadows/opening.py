"""Put the parts of shadowing together, for as long as the service is open."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from app.background import running
from app.clock import Clock
from app.lanes import LaneBook
from app.metrics import Metrics
from app.refresh import Live
from app.shadows.account import Account
from app.shadows.calls import Shadows
from app.shadows.judge import Judge
from app.shadows.ledger import Ledger
from routers.call import Send

LOOK_EVERY_S = 10.0


@asynccontextmanager
async def shadowing(
    live: Live,
    lanes: LaneBook,
    send: Send,
    ledger: Ledger,
    agreed: Callable[[str, float], None],
    metrics: Metrics,
    clock: Clock,
) -> AsyncIterator[Shadows]:
    """Shadow calls until the end of the block; then drop those under way, and carry what was counted.

    `agreed` is told of a decision by its id, and how far the answers to it agreed.
    """
    judge = Judge()
    account = Account(judge, ledger, agreed, metrics, clock)
    shadows = Shadows(live, lanes, send, judge, account, metrics, clock, random.random)
    async with running(ledger.run()), running(_rest_without_shadows(live, judge)):
        try:
            yield shadows
        finally:
            await shadows.close()
    await ledger.close()


async def _rest_without_shadows(live: Live, judge: Judge) -> None:
    """End the process that compares once no route has a shadow any more."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if judge.pid is not None and all(route.shadow is None for route in live.state.routes.values()):
            await judge.rest()
