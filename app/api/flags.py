"""Flags: documents, their percentage and their evaluation."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.api.documents import DocumentsOf, Version
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
    RequiredVersion,
    ServicesOf,
    by,
    page_of,
)
from app.changes import Wanted
from app.errors import Code, ProblemError
from app.refresh import State, read_document
from app.stores.records import Collection
from flags.evaluate import evaluate, trace
from flags.model import Flag
from flags.names import Kind, Reason
from flags.percentage import PercentageError, rolled_out

router = APIRouter(prefix="/flags", tags=["flags"])

FLAGS = DocumentsOf(Collection.FLAG, Flag, "key", lambda state, key: state.ruleset.document(key), Code.UNKNOWN_FLAG)


class RolloutBody(BaseModel):
    """A percentage of everyone, from 0 to 100 in steps of 0.001; `variant` names the one that gets it."""

    model_config = ConfigDict(extra="forbid")

    percentage: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=True)]
    variant: str | None = None
    reason: ReasonText = ""


class RevertBody(BaseModel):
    """Which version to write again."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1, le=2**53)]
    reason: ReasonText = ""


class EvaluateBody(BaseModel):
    """Whom to evaluate a flag for."""

    model_config = ConfigDict(extra="forbid")

    context: dict[str, JsonValue] = {}


class TraceItem(BaseModel):
    """One step of an evaluation."""

    step: str
    decided: bool


class Evaluation(BaseModel):
    """What a caller gets, why, and on which way; `bucket` is 0 to 99,999 when a split decided."""

    flag: str
    variant: str
    value: JsonValue
    reason: Reason
    rule: str | None
    bucket: int | None
    version: int
    trace: list[TraceItem]


@router.get("")
async def list_flags(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 100,
    after: After = None,
    tag: Annotated[str | None, Query(description="Only flags with this tag.")] = None,
    kind: Annotated[Kind | None, Query(description="Only flags of this kind.")] = None,
) -> Page[Flag]:
    """List flags by key."""
    flags = services.live.state.flags.items()
    wanted = [(key, flag) for key, flag in flags if (tag is None or tag in flag.tags) and kind in {None, flag.kind}]
    items, following = page_of(wanted, after, limit)
    return Page(items=items, next=following)


@router.post("", status_code=201)
async def create_flag(
    services: ServicesOf, principal: Admin, flag: Flag, response: Response, reason: ChangeReason = ""
) -> Flag:
    """Create a flag; `{"key": "x"}` alone makes a boolean one at 0 %."""
    return await FLAGS.create(services, flag, by(principal, reason), response)


@router.get("/{key}")
async def get_flag(services: ServicesOf, _: Reader, key: str, response: Response) -> Flag:
    """Return one flag; its version is the ETag."""
    return FLAGS.shown(services.live.state, key, response)


@router.put("/{key}")
async def replace_flag(
    services: ServicesOf,
    principal: Admin,
    key: str,
    flag: Flag,
    version: RequiredVersion,
    response: Response,
    reason: ChangeReason = "",
) -> Flag:
    """Replace a flag by a whole document."""
    return await FLAGS.replace(services, key, flag, version, by(principal, reason), response)


@router.patch("/{key}")
async def patch_flag(
    services: ServicesOf,
    principal: Admin,
    key: str,
    patch: Annotated[dict[str, JsonValue], Body()],
    version: RequiredVersion,
    response: Response,
    reason: ChangeReason = "",
) -> Flag:
    """Replace some fields of a flag, each as a whole; null brings a field's default back."""
    return await FLAGS.patch(services, key, patch, version, by(principal, reason), response)


@router.delete("/{key}", status_code=204)
async def delete_flag(
    services: ServicesOf,
    principal: Admin,
    key: str,
    version: RequiredVersion,
    body: Reasoned | None = None,
    reason: ChangeReason = "",
) -> None:
    """Delete a flag that nothing stands on; its history stays."""
    await FLAGS.delete(services, key, version, by(principal, (body.reason if body else "") or reason))


@router.get("/{key}/history")
async def flag_history(
    services: ServicesOf, _: Reader, key: Name, limit: Limit = 50, before: Before = None
) -> Page[Version[Flag]]:
    """List the versions of a flag, newest first, deleted ones too."""
    return await FLAGS.history(services, key, before, limit)


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
    return await FLAGS.write(services, lambda _: wanted, by(principal, why), response)


@router.put("/{key}/rollout")
async def roll_out(
    services: ServicesOf, principal: Operator, key: str, body: RolloutBody, version: OptionalVersion, response: Response
) -> Flag:
    """Set the share of everyone that gets the growing variant; the off variant has the rest."""

    def decide(state: State) -> Wanted:
        try:
            flag = rolled_out(FLAGS.one(state, key), body.percentage, body.variant)
        except PercentageError as error:
            raise ProblemError(422, Code.INVALID_REQUEST, str(error)) from error
        return Wanted(Collection.FLAG, key, flag, version)

    return await FLAGS.write(services, decide, by(principal, body.reason), response)


@router.post("/{key}/evaluate")
async def evaluate_flag(services: ServicesOf, _: Reader, key: str, body: EvaluateBody) -> Evaluation:
    """Evaluate a flag for one caller, and show the way to the answer."""
    FLAGS.one(services.live.state, key)
    ruleset, now = services.live.state.ruleset, services.clock.wall()
    decision = evaluate(ruleset, key, body.context, now)
    steps = [TraceItem(step=step, decided=decided) for step, decided in trace(ruleset, key, body.context, now)]
    return Evaluation(**decision._asdict(), trace=steps)
