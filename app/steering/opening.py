"""Put the parts of steering together, for as long as the service is open."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.auth import ALERT_ID
from app.background import running
from app.changes import By, Changes
from app.clock import Clock
from app.errors import Code, ProblemError
from app.lanes import LaneBook
from app.metrics import Metrics
from app.refresh import Live
from app.steering.controller import Controller
from app.steering.facts import BreakerWatch, flag_in_force
from app.steering.judging import Judging
from app.steering.leading import Leading
from app.steering.moving import Mover, Notify
from app.steering.orders import Command, Order, obeyed
from app.steering.outlook import Outlook, outlook_of
from app.steering.recording import Chronicle
from app.stores.steering import Steering as SteeringStore
from rollouts import commands


class Steering(NamedTuple):
    """What endpoints and alerts need of it: `mover` writes what people order, `kept` has what was judged."""

    controller: Controller
    mover: Mover
    kept: SteeringStore
    live: Live
    clock: Clock

    async def obey(self, key: str, order: Order, by: By) -> bool:
        """Do what a person orders; false when it is so already. Raises ProblemError, KeyError for no such rollout."""
        return await self.mover.obey(lambda state: obeyed(state, state.rollouts[key], order, self.clock.now()), by)

    def outlook(self, key: str, order: Order, by: By) -> Outlook:
        """Say what an order would do, and do nothing. Raises ProblemError as the order would, and KeyError."""
        made = self.mover.rehearse(lambda state: obeyed(state, state.rollouts[key], order, self.clock.now()), by)
        return outlook_of(made, flag_in_force(self.live.state, made.rollout, self.clock.now()))

    async def roll_back(self, route: str, why: str) -> None:
        """Roll back what is active on a route, for an alert. Raises ProblemError, 409 when nothing is."""
        rollout = self.live.state.steered.get(route)
        if rollout is None:
            raise ProblemError(409, Code.ROLLOUT_OVER, f'no rollout of route "{route}" is active')
        order = Order(Command.ROLL_BACK, commands.Order(ALERT_ID, why))
        await self.obey(rollout.id, order, By(ALERT_ID, why))


@asynccontextmanager
async def steering(
    live: Live, lanes: LaneBook, changes: Changes, kept: SteeringStore, notify: Notify, metrics: Metrics, clock: Clock
) -> AsyncIterator[Steering]:
    """Steer rollouts until the end of the block, whenever it is this process that leads."""
    leading = Leading(kept, secrets.token_hex(8), clock.monotonic, metrics)
    mover = Mover(live, changes, metrics, clock, notify)
    breakers = BreakerWatch(lanes, clock.monotonic)
    judging = Judging(kept, metrics, clock)
    controller = Controller(live, leading, breakers, judging, mover, Chronicle(kept, clock), clock)
    async with running(controller.run()):
        yield Steering(controller, mover, kept, live, clock)
    await leading.let_go()
