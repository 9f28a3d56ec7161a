"""The audit: every change and action, by whom and why."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.params import NO_NUL, Before, Limit, Page, Reader, ServicesOf
from app.errors import Code, ProblemError
from app.stores.records import Action, Collection, Entry
from app.wiring import Services

router = APIRouter(tags=["audit"])

TARGETS = (*Collection, "breaker", "source")
"""What can stand before the colon of a target."""


class Event(BaseModel):
    """One change or action; `target` is a collection and a key, `revision` is null when no document changed."""

    seq: int
    at: datetime
    actor: str
    action: Action
    target: str
    version: int | None
    revision: int | None
    reason: str


@router.get("/audit")
async def list_events(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 50,
    before: Before = None,
    target: Annotated[
        str | None,
        Query(
            pattern=NO_NUL,
            description="Only events of `flag:KEY` or `route:NAME`, kills too.",
            json_schema_extra={"pattern": rf"^({'|'.join(TARGETS)}):[^\x00]+$"},
        ),
    ] = None,
) -> Page[Event]:
    """List what was done, newest first."""
    entries = await _entries(services, target, before, limit + 1)
    shown = entries[:limit]
    return Page(items=[_event(entry) for entry in shown], next=shown[-1].seq if len(entries) > limit else None)


async def _entries(services: Services, target: str | None, before: int | None, limit: int) -> Sequence[Entry]:
    """Return the newest entries about a target: its own, and those of kills that have it as their scope."""
    journal = services.store.journal
    if target is None:
        return await journal(before=before, limit=limit)
    collection, colon, key = target.partition(":")
    if collection not in TARGETS or not colon or not key:
        told = f"target: must be COLLECTION:KEY such as flag:rag-v2; the collections are {', '.join(TARGETS)}"
        raise ProblemError(422, Code.INVALID_REQUEST, told)
    own = await journal(collection=collection, key=key, before=before, limit=limit)
    kills = await journal(collection=Collection.KILL, prefix=f"{target}/", before=before, limit=limit)
    return sorted([*own, *kills], key=lambda entry: -entry.seq)[:limit]


def _event(entry: Entry) -> Event:
    return Event(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        target=f"{entry.collection}:{entry.key}",
        version=entry.version,
        revision=entry.revision,
        reason=entry.reason,
    )
