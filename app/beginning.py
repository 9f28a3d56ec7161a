"""The state a process begins with: the store's, or else the best that is remembered of it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from app.refresh import Live
from app.standing import Standing
from app.stores.last_good import LastGood
from app.stores.records import Snapshot, StoreUnavailableError

log = structlog.get_logger("crossfade.start")


class Remembered(NamedTuple):
    """What is known of a state, from where, and when it was in force in seconds since 1970, None for unknown."""

    snapshot: Snapshot
    source: str
    at: float | None


async def remember(
    live: Live, standing: Standing, journal: Callable[[], Awaitable[Snapshot | None]], last_good: LastGood
) -> None:
    """Put the best that is remembered in force while the store is away; nothing, when nothing is."""
    best = newest(await _from_journal(journal), _from_disk(last_good))
    if best is None:
        log.error("the store is away and nothing is remembered: not ready until it is back")
        return
    live.load(best.snapshot)
    if best.at is not None:
        standing.remembered(best.at)
    log.warning("the store is away: going on from memory", source=best.source, revision=best.snapshot.revision)


def newest(journal: Remembered | None, copy: Remembered | None) -> Remembered | None:
    """Choose between the two: of one epoch the higher revision, else the journal, which knows the newest epoch."""
    if journal is None or copy is None:
        return journal or copy
    is_ahead = copy.snapshot.epoch == journal.snapshot.epoch and copy.snapshot.revision >= journal.snapshot.revision
    return copy if is_ahead else journal


async def _from_journal(journal: Callable[[], Awaitable[Snapshot | None]]) -> Remembered | None:
    try:
        snapshot = await journal()
    except StoreUnavailableError as error:
        log.warning("the journal is away too", why=str(error))
        return None
    return None if snapshot is None else Remembered(snapshot, "journal", None)


def _from_disk(last_good: LastGood) -> Remembered | None:
    found = last_good.read()
    return None if found is None else Remembered(found[0], "last good copy", found[1])
