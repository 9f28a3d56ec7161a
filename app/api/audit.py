"""The audit: every change and action, by whom and why."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.params import Before, Limit, Page, Reader, ServicesOf
from app.stores.records import Action

router = APIRouter(tags=["audit"])


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
    target: Annotated[str | None, Query(description="Only events of `flag:KEY`, `route:NAME`, `kill:ID`, …")] = None,
) -> Page[Event]:
    """List what was done, newest first."""
    collection, _colon, key = (target or "").partition(":")
    entries = await services.store.journal(
        collection=collection or None, key=key or None, before=before, limit=limit + 1
    )
    shown = entries[:limit]
    events = [
        Event(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            target=f"{entry.collection}:{entry.key}",
            version=entry.version,
            revision=entry.revision,
            reason=entry.reason,
        )
        for entry in shown
    ]
    return Page(items=events, next=shown[-1].seq if len(entries) > limit else None)
