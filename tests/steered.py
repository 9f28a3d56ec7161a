"""A rollout for tests, and a running service that has it."""

from datetime import UTC, datetime
from typing import Any

from app.changes import By, Wanted
from app.stores.records import Collection
from rollouts.model import Rollout, RolloutState, Stage
from rollouts.plan import Plan
from tests.inprocess import Service

SINCE = datetime(2027, 1, 1, tzinfo=UTC)


def rollout_of(
    *flag_versions: int, state: RolloutState = RolloutState.RUNNING, name: str = "rag", **fields: Any
) -> Rollout:
    """Return a rollout of the route `rag` whose steps these versions of its flag stood for, one after the other."""
    plan = Plan.model_validate(
        {
            "name": name,
            "flag": "rag-v2",
            "route": "rag",
            "steps": [{"percentage": 10}, {"percentage": 50}, {"percentage": 100}],
            "gates": {"errors": {"metric": "error_rate", "relative_max": 1.2}},
            "guardrails": ["errors"],
        }
    )
    stages = tuple(
        Stage(flag_version=version, step=step, weight=10_000, began_at=SINCE)
        for step, version in enumerate(flag_versions)
    )
    told = {"variant": "new", "control": "legacy", "unit": "targetingKey", "started_at": SINCE, **fields}
    return Rollout(id=f"{name}-1", plan=plan, state=state, state_since=SINCE, created_at=SINCE, stages=stages, **told)


async def steer(service: Service, rollout: Rollout) -> None:
    """Put a rollout in force, as its start and its moves do."""
    state = service.services.live.state
    before = state.rollouts.get(rollout.id)
    wanted = Wanted(Collection.ROLLOUT, rollout.id, rollout, before.version if before else 0)
    await service.services.changes.make([wanted], By("test", ""))
