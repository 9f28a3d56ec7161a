"""What became of a flag: what was written, and what its schedule did between two writes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from app.api.documents import Version
from app.api.flag_documents import FLAGS
from app.api.params import Page
from app.stores.records import Collection
from app.wiring import Services
from flags.falling_due import begun, happened
from flags.model import Flag

SCHEDULE = "schedule"


async def history_of(services: Services, key: str, before: int | None, limit: int) -> Page[Version[Flag]]:
    """Return a flag's versions, newest first, each below what its schedule did until the next was written.

    `limit` counts versions; what schedules did comes with them. Raises ProblemError 404 for what never was.
    """
    page = await FLAGS.history(services, key, before, limit)
    until = services.clock.now() if before is None else await _written_at(services, key, before)
    return Page(items=[*with_what_schedules_did(page.items, until)], next=page.next)


async def _written_at(services: Services, key: str, seq: int) -> datetime | None:
    """Return when the version of this sequence number was written, None if it was none of this flag."""
    entries = await services.store.journal(collection=Collection.FLAG, key=key, before=seq + 1, limit=1)
    return next((entry.at for entry in entries if entry.seq == seq), None)


def with_what_schedules_did(versions: Sequence[Version[Flag]], until: datetime | None) -> Iterator[Version[Flag]]:
    """Yield versions, newest first as they come, and before each what its schedule did while it was in force.

    The newest was in force up to `until`; None when nobody knows, and nothing is told of it.
    """
    for version in versions:
        if version.document is not None and until is not None:
            yield from reversed([*_did(version, version.document, until)])
        yield version
        until = version.at


def _did(version: Version[Flag], flag: Flag, until: datetime) -> Iterator[Version[Flag]]:
    since = version.at.timestamp()
    standing = begun(flag, since)
    for each in [*([standing] if standing else []), *happened(flag, since, until.timestamp())]:
        yield Version(
            version=version.version,
            action=SCHEDULE,
            at=datetime.fromtimestamp(each.at, UTC),
            actor=SCHEDULE,
            reason=each.told,
            document=each.flag,
        )
