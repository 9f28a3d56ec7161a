"""Flags: documents, their percentage and their evaluation."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.api.documents import Version
from app.api.edits import CreationOf, DeletionOf, Edit, EditOf
from app.api.flag_documents import FLAGS
from app.api.flag_history import history_of
from app.api.params import (
    Admin,
    After,
    Before,
    Limit,
    Name,
    Operator,
    OptionalVersion,
    Page,
    Reader,
    ReasonText,
    ServicesOf,
    by,
    page_of,
)
from app.changes import Wanted
from app.errors import Code, ProblemError
from app.refresh import State, read_document
from app.stores.records import Collection
from flags.effective import effective, rolled_out_by_hand
from flags.evaluate import evaluate, trace
from flags.model import Flag
from flags.names import Kind, Reason
from flags.part import is_empty, is_none
from flags.percentage import PercentageError
from flags.schedule import Instant, Scheduled

router = APIRouter(prefix="/flags", tags=["flags"])

InForce = Annotated[bool, Query(description="As their schedules have made them by now, not as they were written.")]


class RolloutBody(BaseModel):
    """A percentage of everyone, from 0 to 100 in steps of 0.001; `variant` names the one that gets it."""

    model_config = ConfigDict(extra="forbid")

    percentage: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=True)]
    variant: str | None = None
    reason: ReasonText = ""


class RolledOut(Flag):
    """A flag after its percentage was set by hand; `dropped` is what of its schedule had begun, and is no more."""

    dropped: Annotated[tuple[Scheduled, ...], Field(exclude_if=is_empty)] = ()


class RevertBody(BaseModel):
    """Which version to write again."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=2**53)]
    reason: ReasonText = ""


class EvaluateBody(BaseModel):
    """Whom to evaluate a flag for, and for which moment if not for now."""

    model_config = ConfigDict(extra="forbid")

    context: dict[str, JsonValue] = {}
    at: Instant | None = None


class TraceItem(BaseModel):
    """One step of an evaluation."""

    step: str
    decided: bool


class Evaluation(BaseModel):
    """What a caller gets, why, and on which way; `bucket` is 0 to 99,999 when a split decided.

    `at` is the moment that was asked for: what the documents and kills in force now make of it.
    """

    flag: str
    variant: str
    value: JsonValue
    reason: Reason
    rule: str | None
    bucket: int | None
    version: int
    trace: list[TraceItem]
    at: Annotated[datetime | None, Field(exclude_if=is_none)] = None


@router.get("")
async def list_flags(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 100,
    after: After = None,
    tag: Annotated[str | None, Query(description="Only flags with this tag.")] = None,
    kind: Annotated[Kind | None, Query(description="Only flags of this kind.")] = None,
    in_force: InForce = False,
) -> Page[Flag]:
    """List flags by key."""
    flags = services.live.state.flags.items()
    wanted = [(key, flag) for key, flag in flags if (tag is None or tag in flag.tags) and kind in {None, flag.kind}]
    items, following = page_of(wanted, after, limit)
    if in_force:
        items = [effective(flag, services.clock.wall()) for flag in items]
    return Page(items=items, next=following)


@router.post("", status_code=201)
async def create_flag(edit: CreationOf, flag: Flag) -> Flag:
    """Create a flag; `{"key": "x"}` alone makes a boolean one at 0 %."""
    return await FLAGS.create(edit, flag)


@router.get("/{key}")
async def get_flag(services: ServicesOf, _: Reader, key: str, response: Response, *, in_force: InForce = False) -> Flag:
    """Return one flag; its version is the ETag."""
    flag = FLAGS.shown(services.live.state, key, response)
    return effective(flag, services.clock.wall()) if in_force else flag


@router.put("/{key}")
async def replace_flag(edit: EditOf, key: str, flag: Flag) -> Flag:
    """Replace a flag by a whole document."""
    return await FLAGS.replace(edit, key, flag)


@router.patch("/{key}")
async def patch_flag(edit: EditOf, key: str, patch: Annotated[dict[str, JsonValue], Body()]) -> Flag:
    """Replace some fields of a flag, each as a whole; null brings a field's default back."""
    return await FLAGS.patch(edit, key, patch)


@router.delete("/{key}", status_code=204)
async def delete_flag(edit: DeletionOf, key: str) -> None:
    """Delete a flag that nothing stands on; its history stays."""
    await FLAGS.delete(edit, key)


@router.get("/{key}/history")
async def flag_history(
    services: ServicesOf, _: Reader, key: Name, limit: Limit = 50, before: Before = None
) -> Page[Version[Flag]]:
    """List the versions of a flag, newest first, deleted ones too, and what its schedule did between them."""
    return await history_of(services, key, before, limit)


@router.post("/{key}/revert")
async def revert_flag(
    services: ServicesOf, principal: Admin, key: str, body: RevertBody, version: OptionalVersion, response: Response
) -> Flag:
    """Write an older version of a flag again, as a new version."""
    FLAGS.one(services.live.state, key)
    entry = await services.store.version(Collection.FLAG, key, body.version)
    if entry is None or entry.body is None:
        raise ProblemError(404, Code.UNKNOWN_VERSION, f'flag "{key}" has no version {body.version} to go back to')
    flag = read_document(Flag, entry.body, body.version, entry.at, entry.actor)
    wanted = Wanted(Collection.FLAG, key, flag, version)
    why = body.reason or f"back to version {body.version}"
    return await FLAGS.write(Edit(services, by(principal, why), version, response), lambda _: wanted)


@router.put("/{key}/rollout")
async def roll_out(
    services: ServicesOf, principal: Operator, key: str, body: RolloutBody, version: OptionalVersion, response: Response
) -> RolledOut:
    """Set the share of everyone that gets the growing variant; the off variant has the rest.

    It replaces what the flag's schedule has begun; what is to come stays.
    """
    dropped: tuple[Scheduled, ...] = ()

    def decide(state: State) -> Wanted:
        nonlocal dropped
        try:
            flag, dropped = rolled_out_by_hand(
                FLAGS.one(state, key), body.percentage, services.clock.wall(), body.variant
            )
        except PercentageError as error:
            raise ProblemError(422, Code.INVALID_REQUEST, str(error)) from error
        return Wanted(Collection.FLAG, key, flag, version)

    flag = await FLAGS.write(Edit(services, by(principal, body.reason), version, response), decide)
    return RolledOut(**dict(flag), dropped=dropped)


@router.post("/{key}/evaluate")
async def evaluate_flag(services: ServicesOf, _: Reader, key: str, body: EvaluateBody) -> Evaluation:
    """Evaluate a flag for one caller, and show the way to the answer."""
    FLAGS.one(services.live.state, key)
    ruleset, now = services.live.state.ruleset, services.clock.wall() if body.at is None else body.at.timestamp()
    decision = evaluate(ruleset, key, body.context, now)
    steps = [TraceItem(step=step, decided=decided) for step, decided in trace(ruleset, key, body.context, now)]
    return Evaluation(**decision._asdict(), trace=steps, at=body.at)
