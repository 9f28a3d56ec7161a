"""The act of the main job: its route is rolled out by a plan, while users ask and say whether they found it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from app.demo.client import FLAG, Client
from app.demo.evidence import Claim
from app.demo.rollouts import claims
from app.demo.rollouts.plans import plan_of
from app.demo.rollouts.watch import RolloutWatch
from app.demo.stage import Stage
from app.demo.traffic import Sample, Stream, asked_in_turn
from backends.rag.questions import Question

PER_SECOND = 100
MOST_OPEN = 16
"""On a busy machine fewer questions are asked, rather than all of them slowly."""

REPORT_EVERY_S = 0.25
WITHIN_S = 150.0


@dataclass(slots=True)
class Feedback:
    """What users say of what they were shown, sent in batches."""

    client: Client
    said: list[dict[str, Any]] = field(default_factory=list)

    async def ask(self, user: str, question: Question) -> Sample:
        """Let a user ask, and note whether a page that answers it was shown."""
        sample = await self.client.ask(user, question)
        if sample.error is None:
            found = float(question.is_answered_by(sample.topics))
            self.said.append({"decision_id": sample.decision_id, "kind": "quality", "value": found})
        return sample

    @asynccontextmanager
    async def reported(self) -> AsyncIterator[None]:
        """Report what is said until the end of the block. Raises RefusedError."""
        reporting = asyncio.create_task(self._report())
        try:
            yield
        finally:
            reporting.cancel()
            with suppress(asyncio.CancelledError):
                await reporting

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            if self.said:
                said, self.said = self.said, []
                await self.client.report(said)


async def guarded(stage: Stage, users: tuple[str, ...], questions: tuple[Question, ...]) -> Claim:
    """Take everyone off new, start the plan's rollout, and let it steer itself to its end."""
    await stage.client.roll_out(FLAG, 0)
    watch, feedback = RolloutWatch([stage.client], stage.report), Feedback(stage.client)
    began = time.perf_counter()
    pairs = asked_in_turn(users, questions)
    async with (
        feedback.reported(),
        Stream(feedback.ask, pairs, PER_SECOND, most_open=MOST_OPEN) as stream,
    ):
        await watch.start(plan_of("questions"))
        await watch.until_over(WITHIN_S)
        visits = await stream.since(began)
    return claims.steers_itself(await watch.course(visits))
