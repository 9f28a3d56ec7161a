"""What is known of the lives of flags: from the journal, and from when they were evaluated last."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import ValidationError

from app.refresh import State, read_document
from app.stores.evaluated import NOBODY, Evaluated
from app.stores.records import Collection, Entry, Store
from flags.model import Flag
from flags.stale import Life, last_evaluated, settled_variant

MOST_VERSIONS = 100
"""How many versions of a settled flag are looked at: the time since when it is settled is later than it was beyond."""


class Evaluations(NamedTuple):
    """When each flag was evaluated last, and since when that is noted."""

    last: Mapping[str, datetime]
    since: datetime | None


async def evaluations(state: State, kept: Evaluated) -> Evaluations:
    """Return when flags were evaluated last, or one that stands on them. Raises StoreUnavailableError."""
    last: dict[str, datetime] = {}
    since = None
    for flag, variant, at in await kept.evaluated():
        moment = datetime.fromtimestamp(at, UTC)
        if (flag, variant) == NOBODY:
            since = moment
        else:
            last[flag] = max(moment, last.get(flag, moment))
    return Evaluations(last_evaluated(state.flags, last), since)


async def lives(
    state: State, store: Store, flags: Sequence[Flag], found: Evaluations, now: datetime
) -> Mapping[str, Life]:
    """Return the lives of some flags by key, a few questions for all of them. Raises StoreUnavailableError.

    A killed flag is not settled: what everybody gets now is nobody's decision about the flag.
    """
    created = await store.created(Collection.FLAG, [flag.key for flag in flags])
    settled = await settled_since(store, [flag for flag in flags if not state.ruleset.is_killed(flag.key)], now)
    return {
        flag.key: Life(
            created_at=created.get(flag.key),
            settled_since=settled.get(flag.key),
            last_evaluated=found.last.get(flag.key),
            noted_since=found.since,
        )
        for flag in flags
    }


async def settled_since(store: Store, flags: Iterable[Flag], now: datetime) -> Mapping[str, datetime]:
    """Return of those flags that give everybody one variant since when they do. Raises StoreUnavailableError."""
    going = {flag.key: flag for flag in flags if settled_variant(flag, now.timestamp()) is not None}
    since = {key: _since(flag, flag.updated_at) for key, flag in going.items() if flag.updated_at is not None}
    for _ in range(MOST_VERSIONS):
        # before a schedule had ended, the flag was on its way
        wanted = [(key, flag.version - 1) for key, flag in going.items() if flag.version > 1 and not flag.schedule]
        if not wanted:
            break
        lines = await store.versions(Collection.FLAG, wanted)
        # beside the loop: reading many documents takes longer than a call may wait
        going = await asyncio.to_thread(_alike, lines, going, now.timestamp())
        since |= {key: _since(flag, lines[key].at) for key, flag in going.items()}
    return since


def _since(flag: Flag, written: datetime) -> datetime:
    """Return when a version that was written then was over with its schedule."""
    return max([written, *(entry.until or entry.at for entry in flag.schedule)])


def _alike(lines: Mapping[str, Entry], after: Mapping[str, Flag], now: float) -> dict[str, Flag]:
    """Return those versions that give everybody what the ones after them give."""
    before = {key: _flag_in(line) for key, line in lines.items()}
    return {
        key: flag
        for key, flag in before.items()
        if flag is not None and settled_variant(flag, now) == settled_variant(after[key], now)
    }


def _flag_in(line: Entry) -> Flag | None:
    """Return a version of a flag, None for one that was deleted, or that this program does not understand."""
    if line.body is None:
        return None
    try:
        return read_document(Flag, line.body, line.version or 0, line.at, line.actor)
    except ValidationError:
        return None
