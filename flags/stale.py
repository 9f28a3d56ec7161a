"""Which flags have done their work: expired, older than their kind lives, settled for long, or asked by nobody."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from .bucketing import BUCKETS
from .effective import effective
from .model import Flag
from .names import Kind
from .serve import Serve

DAYS = 14
"""For how many days a flag is settled or unused before it is stale."""

LIFETIMES: Mapping[Kind, timedelta | None] = {
    Kind.RELEASE: timedelta(days=40),
    Kind.EXPERIMENT: timedelta(days=40),
    Kind.OPS: None,
    Kind.PERMISSION: None,
}
"""How long a flag of a kind is expected to live; None: it is meant to stay, and to serve everybody the same."""


class StaleReason(StrEnum):
    """Why a flag is stale."""

    EXPIRED = "expired"
    OLD = "old"
    SETTLED = "settled"
    UNUSED = "unused"
    NEVER_EVALUATED = "never_evaluated"


class Life(NamedTuple):
    """What is known of a flag's life; None is not known, or never.

    `settled_since` is since when everybody gets one same variant, `noted_since` since when evaluations are noted.
    """

    created_at: datetime | None = None
    settled_since: datetime | None = None
    last_evaluated: datetime | None = None
    noted_since: datetime | None = None


def stale(flag: Flag, life: Life, now: datetime, days: float = DAYS) -> tuple[StaleReason, ...]:
    """Return why a flag is stale at a moment, nothing for one that is not; `expires` comes before its kind's age."""
    before = now - timedelta(days=days)
    judged = {
        StaleReason.EXPIRED: flag.expires is not None and flag.expires < now.astimezone(UTC).date(),
        StaleReason.OLD: _is_old(flag, life, now),
        StaleReason.SETTLED: not is_lasting(flag) and _is_before(life.settled_since, before),
        StaleReason.UNUSED: _is_before(life.last_evaluated, before),
        StaleReason.NEVER_EVALUATED: life.last_evaluated is None and _is_noted_since(life, before),
    }
    return tuple(reason for reason, holds in judged.items() if holds)


def is_lasting(flag: Flag) -> bool:
    """Say whether a flag is of a kind that is meant to stay."""
    return LIFETIMES[flag.kind] is None


def settled_variant(flag: Flag, now: float) -> str | None:
    """Return the variant that everybody gets, None when there may be several, or its schedule is not over.

    A caller without the attribute that a split hashes is nobody in this. `now` is in seconds since 1970.
    """
    if flag.schedule:
        if flag.schedule[-1].ends > now:
            return None
        flag = effective(flag, now)
    if not flag.enabled:
        return flag.off_variant
    given = {*_given(flag.default), *(target.variant for target in flag.targets)}
    given.update(*(_given(rule.serve) for rule in flag.rules))
    if flag.prerequisites:
        given.add(flag.off_variant)
    return given.pop() if len(given) == 1 else None


def last_evaluated(flags: Mapping[str, Flag], last: Mapping[str, datetime]) -> Mapping[str, datetime]:
    """Return when flags were evaluated last, as themselves or on the way to one that they are a prerequisite of."""
    latest = dict(last)
    for key in sorted(last, key=lambda key: last[key], reverse=True):
        below = [key]
        while below:
            flag = flags.get(below.pop())
            earlier = [name for name in _foundations(flag) if name not in latest or latest[name] < last[key]]
            latest |= dict.fromkeys(earlier, last[key])
            below += earlier
    return latest


def _foundations(flag: Flag | None) -> list[str]:
    return [] if flag is None else [item.flag for item in flag.prerequisites]


def _given(serve: Serve) -> tuple[str, ...]:
    if serve.split is None:
        return serve.variants()
    first, *rest = serve.split
    grown = (first.variant,) if first.weight else ()
    return grown + tuple(each.variant for each in rest if first.weight < BUCKETS and each.among_the_rest())


def _is_old(flag: Flag, life: Life, now: datetime) -> bool:
    lifetime = LIFETIMES[flag.kind]
    return flag.expires is None and lifetime is not None and _is_before(life.created_at, now - lifetime)


def _is_noted_since(life: Life, before: datetime) -> bool:
    """Say whether the flag is there, and evaluations are noted, since before a moment."""
    return _is_before(life.created_at, before) and _is_before(life.noted_since, before)


def _is_before(at: datetime | None, moment: datetime) -> bool:
    return at is not None and at <= moment
