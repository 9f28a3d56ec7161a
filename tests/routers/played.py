"""One dispatched call in virtual time, and everything it left behind."""

import asyncio
from collections.abc import Mapping
from typing import Any

from routers.attempts import Dispatched
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.lanes import Lane
from routers.plan import Plan
from tests.routers.scripted import Script, Stage, a_call, a_route, both, lanes_of
from tests.virtual_time import run_virtually


class Played:
    """The result of one call, the seconds it took, and its stage and lanes; more arguments are the route's fields."""

    def __init__(
        self,
        scripts: Mapping[str, Script],
        *,
        plan: Plan | None = None,
        method: str = "GET",
        lanes: dict[str, Lane] | None = None,
        **route: Any,
    ) -> None:
        self.stage = Stage(scripts)
        self.route = a_route(**route)
        self.lanes = lanes or lanes_of(self.route)
        self.took_s = 0.0
        self.result: Dispatched = run_virtually(self._play(plan or both(), method))

    async def _play(self, plan: Plan, method: str) -> Dispatched:
        clock = asyncio.get_running_loop().time
        began = clock()
        result = await dispatch(self.route, plan, a_call(method), self.lanes, self.stage.send, clock)
        self.took_s = clock() - began
        return result

    @property
    def causes(self) -> list[tuple[str, Cause | None]]:
        """Who was tried, and what came of it."""
        return [(attempt.backend, attempt.cause) for attempt in self.result.attempts]

    def recorded(self, name: str) -> tuple[int, int]:
        """Calls and failures that the breaker of a backend was told of."""
        status = self.lanes[name].breaker.status(1000.0 + self.took_s)
        return status.calls, status.failures
