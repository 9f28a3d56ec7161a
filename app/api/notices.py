"""The last notices that were sent, or could not be."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from app.api.params import Before, Limit, Page, Reader, ServicesOf
from app.notices.model import Notice, NoticeResult
from app.stores.alerts import NoticeRow

router = APIRouter(tags=["alerts"])


class NoticeShown(Notice):
    """A notice that is kept: `seq` is its number, `at` when what it tells happened."""

    seq: int
    at: AwareDatetime


@router.get("/notices")
async def list_notices(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 50,
    before: Before = None,
    failed: Annotated[bool | None, Query(description="Only those that could not be told, or could be.")] = None,
) -> Page[NoticeShown]:
    """List the last 1,000 notices to the webhook, newest first."""
    found = [_shown(row) for row in await services.notices.store.notices() if before is None or row.seq < before]
    wanted = [each for each in found if failed in {None, each.result is NoticeResult.FAILED}]
    shown = wanted[:limit]
    return Page(items=shown, next=shown[-1].seq if len(wanted) > limit else None)


def _shown(row: NoticeRow) -> NoticeShown:
    notice = Notice.model_validate_json(row.body)
    return NoticeShown(seq=row.seq, at=row.at, **notice.model_dump())
