"""The rollout document: a frozen plan, how far it has come, and why it stands where it stands."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from flags.names import Key
from flags.part import Part, Text
from rollouts.plan import Name, Plan, Step

MOST_STAGES = 1000
"""A rollout keeps so many stages; the journal has every version of the document."""


class RolloutState(StrEnum):
    """Where a rollout is; `completed`, `rolled_back` and `aborted` are final."""

    DRAFT = "draft"
    RUNNING = "running"
    HOLDING = "holding"
    PAUSED = "paused"
    WAITING_APPROVAL = "waiting_approval"
    BAKING = "baking"
    ROLLING_BACK = "rolling_back"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"


FINAL = frozenset({RolloutState.COMPLETED, RolloutState.ROLLED_BACK, RolloutState.ABORTED})
ACTIVE = frozenset({*RolloutState} - FINAL - {RolloutState.DRAFT})
"""States in which calls are attributed, guardrails act, and no other rollout may have the flag or the route."""


class Stage(Part):
    """A version of the flag that stood for a step: calls decided by it belong to that step.

    `weight` is the random share of the new side in hundred-thousandths. A version that somebody else wrote without
    changing the share continues the step; `began_at` is then the step's, not the version's.
    """

    flag_version: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=0)]
    weight: Annotated[int, Field(ge=0, le=100_000)]
    began_at: datetime


class Rollout(Part):
    """A rollout: `number` counts those of the plan's name; the plan never changes after the start.

    `variant` and `control` are the sides, `unit` the attribute that the flag hashes: resolved at the start. `stages`
    are the flag's versions that stood for a step, the last one in force. `patient_since` is when the step's `max_s`
    began to count: with the step, or when a person last resumed it. `failing` are the gates whose failure holds or
    paused it, `overruled` those whose failure a person accepted: they hold and pause it no more, and still do not pass.
    `cool_until` ends the cool-down after a rollback.
    """

    id: Key
    number: Annotated[int, Field(ge=1)] = 1
    plan: Plan
    state: RolloutState = RolloutState.DRAFT
    why: Text = ""
    step: Annotated[int, Field(ge=0)] = 0
    state_since: datetime
    step_since: datetime | None = None
    patient_since: datetime | None = None
    baking_since: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    variant: Key | None = None
    control: Key | None = None
    unit: str | None = None
    approved: bool = False
    failing: tuple[Name, ...] = ()
    overruled: tuple[Name, ...] = ()
    stages: Annotated[tuple[Stage, ...], Field(max_length=MOST_STAGES)] = ()
    cool_until: datetime | None = None
    version: Annotated[int, Field(ge=0, strict=True)] = 0
    updated_at: datetime | None = None
    updated_by: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it has started and not ended."""
        return self.state in ACTIVE

    @property
    def current(self) -> Step:
        """The step that it is at."""
        return self.plan.steps[self.step]

    @property
    def weight(self) -> int:
        """The random share of the step it is at, in hundred-thousandths."""
        return self.plan.weight_at(self.step)

    @property
    def is_at_last_step(self) -> bool:
        """Whether no step comes after the one it is at."""
        return self.step == len(self.plan.steps) - 1

    @property
    def going(self) -> RolloutState:
        """The state in which nothing holds it: baking once it is past its last step, else running."""
        return RolloutState.RUNNING if self.baking_since is None else RolloutState.BAKING

    def stage_of(self, flag_version: int) -> Stage | None:
        """Return the stage that calls decided by a version of the flag belong to, None for none."""
        return next((stage for stage in reversed(self.stages) if stage.flag_version == flag_version), None)
