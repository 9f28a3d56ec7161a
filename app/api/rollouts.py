"""Rollouts: made of a plan, told what to do, and looked at."""

from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.documents import DocumentsOf, Version
from app.api.edits import NO_VERSION, Edit
from app.api.params import (
    Admin,
    After,
    Before,
    ChangeReason,
    Limit,
    Name,
    Operator,
    OptionalVersion,
    Page,
    Reader,
    Reasoned,
    ReasonText,
    ServicesOf,
    Stopper,
    by,
    page_of,
)
from app.auth import Principal
from app.changes import By, Wanted
from app.errors import Code, ProblemError
from app.refresh import State
from app.steering.looking import numbered, progress
from app.steering.orders import Command, Order
from app.steering.outlook import Outlook
from app.steering.telling import Evaluation, Progress
from app.stores.records import Collection
from app.wiring import Services
from rollouts import commands
from rollouts.model import Rollout, RolloutState
from rollouts.plan import Plan

router = APIRouter(prefix="/rollouts", tags=["rollouts"])

ROLLOUTS = DocumentsOf(
    Collection.ROLLOUT, Rollout, "id", lambda state, key: state.rollouts.get(key), Code.UNKNOWN_ROLLOUT
)


class PlanBody(BaseModel):
    """What a rollout is made of."""

    model_config = ConfigDict(extra="forbid")

    plan: Plan
    reason: ReasonText = ""


class StepBody(BaseModel):
    """Why, and the step wanted, counted from 0: who is there already, or behind it, stays."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText = ""
    to: Annotated[int | None, Field(ge=0, le=31)] = None


class Asked(NamedTuple):
    """What every order comes with: the rollout, the version it stands on, why, and the step wanted."""

    id: str
    version: int | None
    response: Response
    reason: str
    to: int | None = None

    def order(self, command: Command, principal: Principal) -> tuple[Order, By]:
        """Return it as an order of somebody."""
        who = by(principal, self.reason)
        return Order(command, commands.Order(*who), self.version, self.to), who


def _asked(
    id: str,  # noqa: A002 - the path's word
    version: OptionalVersion,
    response: Response,
    body: Reasoned | None = None,
) -> Asked:
    return Asked(id, version, response, body.reason if body else "")


def _asked_of_a_step(
    id: str,  # noqa: A002 - the path's word
    version: OptionalVersion,
    response: Response,
    body: StepBody | None = None,
) -> Asked:
    return Asked(id, version, response, body.reason if body else "", body.to if body else None)


AskedOf = Annotated[Asked, Depends(_asked)]
AskedOfAStep = Annotated[Asked, Depends(_asked_of_a_step)]


class RolloutView(Rollout):
    """A rollout and how far it is; `progress` is null before the start, and while the statistics cannot be read."""

    progress: Progress | None = None
    note: str = ""


@router.get("")
async def list_rollouts(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 100,
    after: After = None,
    state: Annotated[RolloutState | None, Query(description="Only rollouts in this state.")] = None,
    flag: Annotated[str | None, Query(description="Only rollouts of this flag.")] = None,
    route: Annotated[str | None, Query(description="Only rollouts of this route.")] = None,
) -> Page[Rollout]:
    """List rollouts by id."""
    wanted = [
        (key, rollout)
        for key, rollout in services.live.state.rollouts.items()
        if state in {None, rollout.state} and flag in {None, rollout.plan.flag} and route in {None, rollout.plan.route}
    ]
    items, following = page_of(wanted, after, limit)
    return Page(items=items, next=following)


@router.post("", status_code=201)
async def create_rollout(
    services: ServicesOf, principal: Operator, body: PlanBody, response: Response, reason: ChangeReason = ""
) -> Rollout:
    """Make a draft of a plan; it moves nobody until it is started."""
    number = await numbered(services.store, services.live.state, body.plan)
    now = services.clock.now()
    made = Rollout(id=f"{body.plan.name}-{number}", number=number, plan=body.plan, state_since=now, created_at=now)
    return await ROLLOUTS.create(Edit(services, by(principal, body.reason or reason), NO_VERSION, response), made)


@router.get("/{id}")
async def get_rollout(services: ServicesOf, _: Reader, id: str, response: Response) -> RolloutView:  # noqa: A002 - the path's word
    """Return one rollout, and how far each gate of its step is; its version is the ETag."""
    rollout = ROLLOUTS.shown(services.live.state, id, response)
    found, note = await progress(services.steering.kept, rollout, services.clock)
    return RolloutView(**dict(rollout), progress=found, note=note)


@router.delete("/{id}", status_code=204)
async def delete_rollout(
    services: ServicesOf,
    principal: Admin,
    id: str,  # noqa: A002 - the path's word
    version: OptionalVersion,
    body: Reasoned | None = None,
    reason: ChangeReason = "",
) -> None:
    """Delete a draft, or a rollout that is over; its history stays."""

    def decide(state: State) -> list[Wanted]:
        rollout = ROLLOUTS.one(state, id)
        if rollout.is_active:
            told = f'rollout "{id}" is {rollout.state}; abort it or roll it back first'
            raise ProblemError(409, Code.ROLLOUT_CONFLICT, told)
        return [Wanted(Collection.ROLLOUT, id, None, version)]

    await services.changes.decide_and_make(decide, by(principal, (body.reason if body else "") or reason))


@router.get("/{id}/history")
async def rollout_history(
    services: ServicesOf,
    _: Reader,
    id: Name,  # noqa: A002 - the path's word
    limit: Limit = 50,
    before: Before = None,
) -> Page[Version[Rollout]]:
    """List the versions of a rollout, newest first, deleted ones too."""
    return await ROLLOUTS.history(services, id, before, limit)


@router.get("/{id}/evaluations")
async def rollout_evaluations(
    services: ServicesOf,
    _: Reader,
    id: str,  # noqa: A002 - the path's word
    limit: Limit = 50,
    before: Before = None,
) -> Page[Evaluation]:
    """List what was judged of a rollout and when, newest first."""
    ROLLOUTS.one(services.live.state, id)
    found = await services.steering.kept.evaluations(id, before, limit + 1)
    shown = found[:limit]
    items = [Evaluation.model_validate_json(each.body) for each in shown]
    return Page(items=items, next=shown[-1].seq if len(found) > limit else None)


@router.post("/{id}/start")
async def start_rollout(
    services: ServicesOf,
    principal: Operator,
    asked: AskedOf,
    dry_run: Annotated[bool, Query(description="Only say what a start would do.")] = False,
) -> Rollout | Outlook:
    """Start a draft; `dry_run` says what that would do, and does nothing."""
    if not dry_run:
        return await _obeyed(services, principal, Command.START, asked)
    ROLLOUTS.one(services.live.state, asked.id)
    return services.steering.outlook(asked.id, *asked.order(Command.START, principal))


@router.post("/{id}/pause")
async def pause_rollout(services: ServicesOf, principal: Stopper, asked: AskedOf) -> Rollout:
    """Stop raising the share; guardrails and hard limits go on."""
    return await _obeyed(services, principal, Command.PAUSE, asked)


@router.post("/{id}/resume")
async def resume_rollout(services: ServicesOf, principal: Operator, asked: AskedOf) -> Rollout:
    """Go on after a pause, at the step whose share is in force."""
    return await _obeyed(services, principal, Command.RESUME, asked)


@router.post("/{id}/advance")
async def advance_rollout(services: ServicesOf, principal: Operator, asked: AskedOfAStep) -> Rollout:
    """Go to the next step now, whatever the gates say."""
    return await _obeyed(services, principal, Command.ADVANCE, asked)


@router.post("/{id}/approve")
async def approve_rollout(services: ServicesOf, principal: Operator, asked: AskedOf) -> Rollout:
    """Approve a step that has passed and waits for it."""
    return await _obeyed(services, principal, Command.APPROVE, asked)


@router.post("/{id}/step-back")
async def step_back_rollout(services: ServicesOf, principal: Operator, asked: AskedOfAStep) -> Rollout:
    """Go one step back, and judge that one anew."""
    return await _obeyed(services, principal, Command.STEP_BACK, asked)


@router.post("/{id}/rollback")
async def rollback_rollout(services: ServicesOf, principal: Stopper, asked: AskedOf) -> Rollout:
    """Send everyone back to the control now."""
    return await _obeyed(services, principal, Command.ROLL_BACK, asked)


@router.post("/{id}/abort")
async def abort_rollout(services: ServicesOf, principal: Stopper, asked: AskedOf) -> Rollout:
    """End it, and leave the percentage as it is."""
    return await _obeyed(services, principal, Command.ABORT, asked)


async def _obeyed(services: Services, principal: Principal, command: Command, asked: Asked) -> Rollout:
    """Do what is ordered, which may be so already, and return the rollout as it is now in force."""
    ROLLOUTS.one(services.live.state, asked.id)
    await services.steering.obey(asked.id, *asked.order(command, principal))
    return ROLLOUTS.shown(services.live.state, asked.id, asked.response)
