"""A flag's schedule: what it has made of the flag by now, what comes next, and more of it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from app.api.documents import patched
from app.api.edits import Edit
from app.api.flag_documents import FLAGS
from app.api.params import (
    ChangeReason,
    Operator,
    OptionalVersion,
    Reader,
    Reasoned,
    ReasonText,
    ServicesOf,
    admitted,
    by,
)
from app.auth import Principal, Role
from app.changes import Wanted
from app.refresh import State
from app.stores.records import Collection
from app.wiring import Services
from flags.effective import effective, written_down
from flags.falling_due import next_change
from flags.model import Flag
from flags.percentage import growing_variant, weight_of_variant
from flags.schedule import MAX_ENTRIES, Scheduled
from flags.serve import Serve

router = APIRouter(prefix="/flags", tags=["flags"])

PER_PERCENT = 1000
"""Hundred-thousandths in a percent."""


class EntryState(StrEnum):
    """Whether an entry has done what it does; only a ramp runs for a while."""

    DONE = "done"
    RUNNING = "running"
    TO_COME = "to_come"


class EntryNow(Scheduled):
    """An entry, whether it has begun, and what it does in words."""

    state: EntryState
    does: str


class ScheduleNow(BaseModel):
    """What a schedule has made of a flag by `now`, and what comes next.

    `percentage` is what the variant has of everyone whom nothing before the default decides for. `next` is the entry
    that begins next, `next_change` when anything changes: while a ramp runs each minute counts.
    """

    flag: str
    version: int
    now: datetime
    killed: bool
    enabled: bool
    variant: str
    percentage: float
    default: Serve
    next: EntryNow | None
    next_change: datetime | None
    entries: list[EntryNow]


class EntryBody(BaseModel):
    """One more entry, and why."""

    model_config = ConfigDict(extra="forbid")

    entry: Scheduled
    reason: ReasonText = ""


@router.get("/{key}/schedule")
async def flag_schedule(services: ServicesOf, _: Reader, key: str, response: Response) -> ScheduleNow:
    """Show what a flag's schedule has made of it by now, and what comes next."""
    return _now(services, FLAGS.shown(services.live.state, key, response))


@router.post("/{key}/schedule", status_code=201)
async def add_to_schedule(
    services: ServicesOf, principal: Operator, key: str, body: EntryBody, version: OptionalVersion, response: Response
) -> ScheduleNow:
    """Add an entry to a flag's schedule; only an admin schedules more than percentages.

    Of a schedule that is full, what is done is written into the flag.
    """
    _check_may(principal, [body.entry])

    def decide(state: State) -> Wanted:
        flag = FLAGS.one(state, key)
        if len(flag.schedule) >= MAX_ENTRIES:
            flag = effective(flag, services.clock.wall())
        entries = sorted([*flag.schedule, body.entry], key=lambda entry: entry.at)
        wanted = patched(flag, {"schedule": [entry.model_dump(mode="json") for entry in entries]})
        return Wanted(Collection.FLAG, key, wanted, version)

    return _now(services, await FLAGS.write(Edit(services, by(principal, body.reason), version, response), decide))


@router.delete("/{key}/schedule")
async def clear_schedule(
    services: ServicesOf,
    principal: Operator,
    key: str,
    version: OptionalVersion,
    response: Response,
    body: Reasoned | None = None,
    reason: ChangeReason = "",
) -> ScheduleNow:
    """Take out a flag's schedule and leave the flag as it is now; a ramp that runs stops where it is."""

    def decide(state: State) -> Wanted:
        standing = written_down(FLAGS.one(state, key), services.clock.wall()).flag
        _check_may(principal, standing.schedule)
        return Wanted(Collection.FLAG, key, standing.model_copy(update={"schedule": ()}), version)

    why = by(principal, (body.reason if body else "") or reason)
    return _now(services, await FLAGS.write(Edit(services, why, version, response), decide))


def _check_may(principal: Principal, entries: Iterable[Scheduled]) -> None:
    """Refuse what only those may change who write documents. Raises ProblemError 403."""
    if any(entry.enabled is not None or entry.serve is not None for entry in entries):
        admitted(principal, Role.ADMIN)


def _now(services: Services, flag: Flag) -> ScheduleNow:
    now = services.clock.wall()
    standing = effective(flag, now)
    variant = growing_variant(standing)
    entries = [_entry(entry, now) for entry in flag.schedule]
    change = next_change([flag], now)
    return ScheduleNow(
        flag=flag.key,
        version=flag.version,
        now=datetime.fromtimestamp(now, UTC),
        killed=services.live.state.ruleset.is_killed(flag.key),
        enabled=standing.enabled,
        variant=variant,
        percentage=weight_of_variant(standing, variant) / PER_PERCENT,
        default=standing.default,
        next=next((entry for entry in entries if entry.state is EntryState.TO_COME), None),
        next_change=None if change is None else datetime.fromtimestamp(change, UTC),
        entries=entries,
    )


def _entry(entry: Scheduled, now: float) -> EntryNow:
    begun = EntryState.DONE if entry.ends <= now else EntryState.RUNNING
    state = EntryState.TO_COME if entry.begins > now else begun
    return EntryNow(**entry.model_dump(by_alias=True), state=state, does=entry.told())
