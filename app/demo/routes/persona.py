"""The acts of personas: browsers send briefs by the old path, while Qloo breaks and comes back."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from app.demo.client import Asking
from app.demo.evidence import Claim
from app.demo.routes import claims
from app.demo.routes.evidence import Greeting, Outage
from app.demo.routes.stage import PERSONAS, PERSONAS_FLAG, Wings
from app.demo.story import CALM_S, CLOSES_WITHIN_S, HALF, OPENS_WITHIN_S, WAIT_LEFT_S
from app.demo.traffic import Stream, Visit, asked_in_turn, one_by_each

OLD_PATH = "/api/generate-personas"
VISITORS = tuple(f"visitor-{number:02}" for number in range(1, 50))
PER_SECOND = 12

Brief = dict[str, Any]
BRIEFS: tuple[Brief, ...] = (
    {
        "brief": "Young professionals in tech",
        "ageRange": {"min": 25, "max": 35},
        "location": "London, UK",
        "language": "en",
        "personaCount": 2,
        "interests": ["technology", "fitness"],
        "values": ["innovation", "work-life-balance"],
    },
    {
        "brief": "Jeunes parents urbains",
        "ageRange": {"min": 30, "max": 40},
        "location": "Paris, France",
        "language": "fr",
        "personaCount": 3,
        "interests": ["family", "health"],
        "values": ["security", "family-time"],
    },
)


@dataclass(frozen=True, slots=True)
class Studio:
    """The stage, and the briefs that come in while it is shown."""

    wings: Wings

    async def ask(self, user: str, brief: Brief) -> Visit:
        """Let a visitor's browser send a brief, as it did before there were two sides: without a token."""

        def is_whole(answer: Any) -> bool:
            return answer["success"] is True and len(answer["personas"]) == brief["personaCount"]

        asking = Asking(PERSONAS, OLD_PATH, user, {**brief, "userId": user}, is_whole, is_open=True)
        return await self.wings.stage.client.visit(asking)

    def briefs(self) -> Stream[Brief, Visit]:
        """Return the stream of briefs: every visitor sends each in turn."""
        return Stream(self.ask, asked_in_turn(VISITORS, BRIEFS), PER_SECOND)

    async def greet(self) -> Claim:
        """Let every visitor send every brief at `HALF` percent."""
        await self.wings.stage.client.roll_out(PERSONAS_FLAG, HALF)
        pairs = [(user, brief) for user in VISITORS for brief in BRIEFS]
        visits = await one_by_each(pairs, lambda pair: self.ask(*pair))
        greetings = [Greeting(brief["language"], visit) for (_, brief), visit in zip(pairs, visits, strict=True)]
        return claims.old_fields_work(greetings)

    async def break_qloo(self, stream: Stream[Brief, Visit]) -> Claim:
        """Let Qloo answer errors, and wait until the breaker has noticed."""
        began = time.perf_counter()
        await asyncio.sleep(CALM_S)
        await self.wings.qloo_does(fault="error")
        broken = time.perf_counter()
        opened = await self.wings.personas_watch.until_state("open", OPENS_WITHIN_S)
        await asyncio.sleep(CALM_S)
        visits = await stream.since(began)
        before = [visit for visit in visits if visit.started < broken]
        after = [visit for visit in visits if visit.started >= broken]
        return claims.outage_is_covered(Outage(before, after, opened.at - broken if opened else None))

    async def mend_qloo(self, stream: Stream[Brief, Visit]) -> Claim:
        """Let Qloo work while the breaker waits: a probe under way would count the outage once more."""
        client, watch, entered = self.wings.stage.client, self.wings.personas_watch, time.perf_counter()
        await watch.until(lambda seen: seen.state == "open" and (seen.wait_s or 0) > WAIT_LEFT_S, OPENS_WITHIN_S)
        before, began = await client.transitions(PERSONAS), time.perf_counter()
        await self.wings.qloo_does()
        closed = await watch.until_state("closed", CLOSES_WITHIN_S)
        await asyncio.sleep(CALM_S)
        changes = await client.transitions(PERSONAS) - before
        closed_at = closed.at if closed else time.perf_counter()
        return claims.new_answers_again(await stream.since(entered), watch.since(began), changes, closed_at)
