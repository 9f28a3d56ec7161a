"""What a start would do, before anybody does it."""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.steering.moving import Made
from flags.model import Flag
from rollouts.model import Rollout
from rollouts.plan import Plan, Step
from rollouts.wording import listed, percent


class Outlook(BaseModel):
    """What a start would make of the rollout and its flag, None when that stays; `would` says it in sentences."""

    model_config = ConfigDict(frozen=True)

    dry_run: Literal[True] = True
    rollout: Rollout
    flag: Flag | None
    would: list[str]


def outlook_of(made: Made, before: Flag | None) -> Outlook:
    """Return what would be written, and what would come after it."""
    documents = [each.document for each in made.wanted]
    rollout = next((each for each in documents if isinstance(each, Rollout)), made.rollout)
    flag = next((each for each in documents if isinstance(each, Flag)), None)
    return Outlook(rollout=rollout, flag=flag, would=[*_told(rollout, before, flag)])


def _told(rollout: Rollout, before: Flag | None, after: Flag | None) -> Iterator[str]:
    plan = rollout.plan
    if before is None or after is None:
        yield f'leave flag "{plan.flag}" as it is'
    else:
        now, then = (_share(each, rollout.variant) for each in (before, after))
        yield f'set the share of "{rollout.variant}" from {now} to {then} in flag "{plan.flag}"'
    for cohort in plan.cohorts:
        yield f'give "{rollout.variant}" to everyone of cohort "{cohort.name}", who is not compared'
    yield f"look at the gates every {plan.interval_s:,} s; {listed(plan.guardrails)} at any time: {plan.on_fail}"
    yield from _steps(plan)


def _share(flag: Flag, variant: str | None) -> str:
    split = flag.default.split or ()
    return percent(sum(share.weight for share in split if share.variant == variant))


def _steps(plan: Plan) -> Iterator[str]:
    for at, step in enumerate(plan.steps):
        wanted = listed(_wanted(step)) or "nothing"
        yield f"step {at + 1}: {step.percentage:g} % for at least {step.min_s:,} s; for the next it needs {wanted}"
    end = f"bake for {plan.bake_s:,} s" if plan.bake_s else "be completed"
    yield f"then {end}" + (f", {plan.holdback:g} % held back" if plan.holdback else "")


def _wanted(step: Step) -> Sequence[str]:
    units = [f"{step.min_units:,} units"] if step.min_units else []
    return [*units, *(f"{name} passed" for name in step.gates), *(["an approval"] if step.approval else [])]
