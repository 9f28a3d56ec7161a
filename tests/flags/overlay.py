"""Kills by their scopes alone."""

from collections.abc import Iterable
from datetime import UTC, datetime

from flags.kills import Kill, Killed, killed_by

NOON = datetime(2027, 1, 31, 12, tzinfo=UTC)


def killing(scopes: Iterable[str]) -> Killed:
    """Return the overlay with one kill of each scope."""
    return killed_by(
        Kill(id=f"k{at}", scope=scope, reason="a test", actor="tests", at=NOON) for at, scope in enumerate(scopes)
    )
