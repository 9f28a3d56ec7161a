"""A service whose rollouts go as fast as a test moves its clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from app.settings import Settings
from routers.call import Answer, Call, SendError
from routers.causes import Cause
from tests.inprocess import Script, Service, running, settings_in

NEW, LEGACY = "http://new:2", "http://legacy:1"
PATIENCE_S = 10.0

PLAN: dict[str, Any] = {
    "name": "rag",
    "flag": "rag-v2",
    "route": "rag",
    "interval_s": 1,
    "warm_up_s": 0,
    "steps": [
        {"percentage": 10, "min_s": 5, "min_units": 3, "gates": ["errors"]},
        {"percentage": 50, "min_s": 5, "min_units": 3, "gates": ["errors"]},
        {"percentage": 100, "min_s": 5, "min_units": 3, "gates": ["errors"]},
    ],
    "gates": {"errors": {"metric": "error_rate", "absolute_max": 0.4}},
    "guardrails": ["errors"],
    "bake_s": 5,
}


def plan_with(**changes: Any) -> dict[str, Any]:
    """Return the plan of these tests with other fields."""
    return PLAN | changes


def failing(every: int, *, of: int = 1) -> Callable[[Call], Answer | Exception]:
    """Return a backend of whose `every` calls so many fail."""
    numbers = count(1)

    def answer(_: Call) -> Answer | Exception:
        if next(numbers) % every < of:
            return SendError(Cause.CONNECT, "down")
        return Answer(200, [(b"content-length", b"2"), (b"content-type", b"application/json")], b"{}")

    return answer


class Driven:
    """A running service with the route `rag`, and its rollout."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.id = ""
        self._users = count()

    @property
    def controller(self) -> Any:
        """The loop that steers, to be moved by hand."""
        return self.service.services.steering.controller

    async def create(self, **changes: Any) -> dict[str, Any]:
        """Make a draft."""
        made: dict[str, Any] = await self.service.ok("POST", "/rollouts", {"plan": plan_with(**changes)})
        self.id = made["id"]
        return made

    async def start(self, **changes: Any) -> dict[str, Any]:
        """Make a rollout and start it."""
        await self.create(**changes)
        return await self.order("start")

    async def order(self, command: str, **body: Any) -> dict[str, Any]:
        """Tell the rollout something that it must do."""
        done: dict[str, Any] = await self.service.ok(
            "POST", f"/rollouts/{self.id}/{command}", {"reason": "test"} | body
        )
        return done

    async def shown(self) -> dict[str, Any]:
        """Return the rollout and how far it is."""
        found: dict[str, Any] = await self.service.ok("GET", f"/rollouts/{self.id}")
        return found

    async def share(self) -> float:
        """Return the percentage that the flag gives the new side by chance."""
        flag = await self.service.ok("GET", "/flags/rag-v2")
        split = flag["default"].get("split") or [{"weight": -1000}]
        return float(split[0]["weight"]) / 1000

    async def calls(self, number: int, users: Iterable[str] | None = None) -> None:
        """Carry calls, each of another user, and wait until they are kept."""
        _, last = await self.service.services.aftermath.span()
        names = iter(users) if users is not None else (f"user-{next(self._users)}" for _ in range(number))
        await asyncio.gather(
            *(self.service.client.get("/route/rag", headers={"X-User-Id": name}) for name in list(names)[:number])
        )
        async with asyncio.timeout(PATIENCE_S):
            while (await self.service.services.aftermath.span())[1] < last + number:
                await asyncio.sleep(0.01)

    async def wait(self, seconds: float) -> None:
        """Let time pass, second by second, and look at each."""
        for _ in range(round(seconds)):
            self.service.time.seconds += 1
            await self.controller.look()

    async def state(self) -> tuple[str, int]:
        """Return the rollout's state and step."""
        rollout = self.service.services.live.state.rollouts[self.id]
        return rollout.state.value, rollout.step


@asynccontextmanager
async def driven(folder: Path, **settings: Any) -> AsyncIterator[Driven]:
    """Run a service with the route `rag`, nobody on the new side."""
    async with running(fast(folder, **settings), Script()) as service:
        await service.with_rag(0)
        yield Driven(service)


def fast(folder: Path, **settings: Any) -> Settings:
    """Return settings with which outcomes are written at once."""
    return settings_in(folder, **{"outcome_flush_s": 0.01, **settings})
