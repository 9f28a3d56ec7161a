"""Sentences for people: shares, times and lists."""

from collections.abc import Iterable
from datetime import datetime

from flags.bucketing import BUCKETS
from flags.percentage import MAX_PERCENTAGE


def percent(weight: int) -> str:
    """Return a weight in hundred-thousandths as a percentage: `12.5 %`."""
    return f"{weight * MAX_PERCENTAGE / BUCKETS:g} %"


def when(moment: datetime) -> str:
    """Return a moment to the second: `2026-01-31 12:00:00+00:00`."""
    return moment.isoformat(sep=" ", timespec="seconds")


def listed(words: Iterable[str]) -> str:
    """Return the words with commas between them."""
    return ", ".join(words)
