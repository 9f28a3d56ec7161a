"""Who calls the fleet: ever new users, through both replicas in turn, as a load balancer sends them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from app.demo.client import Asking
from app.demo.rollouts.fleet import Fleet
from app.demo.traffic import Stream, Visit

MOST_OPEN = 48
"""On a busy machine fewer calls are made, rather than all of them slowly."""

CUT_OFF = "SendError"
"""How the error of a visit begins whose door did not answer."""


@dataclass(slots=True)
class Callers:
    """The callers of one route; `cut_off` counts the calls that were made again, as the replica was gone."""

    fleet: Fleet
    route: str
    cut_off: int = 0

    async def call(self, user: str, number: int) -> Visit:
        """Call once; a replica that does not answer at all is left for the other one."""
        asking = Asking(self.route, f"/route/{self.route}/answer", user, {"number": number}, bool)
        self.fleet.calls[self.route] = self.fleet.calls.get(self.route, 0) + 1
        clients = self.fleet.clients
        visit = await clients[number % len(clients)].visit(asking)
        if visit.error is None or not visit.error.startswith(CUT_OFF):
            return visit
        self.cut_off += 1
        return await clients[(number + 1) % len(clients)].visit(asking)

    @asynccontextmanager
    async def calling(self, per_second: float) -> AsyncIterator[Stream[int, Visit]]:
        """Let users call until the end of the block, each once."""
        async with Stream(self.call, _users(), per_second, most_open=MOST_OPEN) as stream:
            yield stream


def _users() -> Iterator[tuple[str, int]]:
    return ((f"user-{number}", number) for number in count(1))
