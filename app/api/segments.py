"""Segments: documents, and who uses them."""

from typing import Annotated

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, JsonValue

from app.api.documents import DocumentsOf, Version
from app.api.edits import CreationOf, DeletionOf, EditOf
from app.api.params import (
    After,
    Before,
    Limit,
    Name,
    Page,
    Reader,
    ServicesOf,
    page_of,
)
from app.errors import Code
from app.segment_uses import uses
from app.stores.records import Collection
from flags.segment import Segment

router = APIRouter(prefix="/segments", tags=["segments"])

SEGMENTS = DocumentsOf(
    Collection.SEGMENT, Segment, "name", lambda state, name: state.segments.get(name), Code.UNKNOWN_SEGMENT
)


class UseView(BaseModel):
    """A place in a document that names the segment; `through`: the segment it names itself, if that is another."""

    collection: str
    key: str
    place: str
    through: str | None


class Uses(BaseModel):
    """Every place that a segment has a say in: rules of flags, segments, cohorts of drafts and of active rollouts."""

    segment: str
    items: list[UseView]


@router.get("")
async def list_segments(services: ServicesOf, _: Reader, limit: Limit = 100, after: After = None) -> Page[Segment]:
    """List segments by name."""
    items, following = page_of(services.live.state.segments.items(), after, limit)
    return Page(items=items, next=following)


@router.post("", status_code=201)
async def create_segment(edit: CreationOf, segment: Segment) -> Segment:
    """Create a segment: callers described once, for the rules of many flags."""
    return await SEGMENTS.create(edit, segment)


@router.get("/{name}")
async def get_segment(services: ServicesOf, _: Reader, name: str, response: Response) -> Segment:
    """Return one segment; its version is the ETag."""
    return SEGMENTS.shown(services.live.state, name, response)


@router.put("/{name}")
async def replace_segment(edit: EditOf, name: str, segment: Segment) -> Segment:
    """Replace a segment by a whole document; whoever uses it goes by the new one at once."""
    return await SEGMENTS.replace(edit, name, segment)


@router.patch("/{name}")
async def patch_segment(edit: EditOf, name: str, patch: Annotated[dict[str, JsonValue], Body()]) -> Segment:
    """Replace some fields of a segment, each as a whole; null brings a field's default back."""
    return await SEGMENTS.patch(edit, name, patch)


@router.delete("/{name}", status_code=204)
async def delete_segment(edit: DeletionOf, name: str) -> None:
    """Delete a segment that nothing names; its history stays."""
    await SEGMENTS.delete(edit, name)


@router.get("/{name}/history")
async def segment_history(
    services: ServicesOf, _: Reader, name: Name, limit: Limit = 50, before: Before = None
) -> Page[Version[Segment]]:
    """List the versions of a segment, newest first, deleted ones too."""
    return await SEGMENTS.history(services, name, before, limit)


@router.get("/{name}/uses")
async def segment_uses(services: ServicesOf, _: Reader, name: str) -> Uses:
    """List who uses a segment, by naming it or one that stands on it."""
    SEGMENTS.one(services.live.state, name)
    found = uses(services.live.state, name)
    items = [UseView(**each._asdict() | {"through": None if each.through == name else each.through}) for each in found]
    return Uses(segment=name, items=items)
