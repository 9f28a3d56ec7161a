"""What comparisons come to as named whole numbers, which are added up in any order: the form they are kept in."""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum

from routers.compare.tally import BINS, Standing, Tally

Counts = Mapping[str, int]

STEPS = 8
"""Latencies are kept in buckets of which each ends at 2 ** (1 / STEPS) times the one before: 9 % apart."""

LEAST_MS = 0.01

_TALLIES = ("candidate", "paired", "noise")


class Party(StrEnum):
    """The two sides of a comparison."""

    CONTROL = "control"
    CANDIDATE = "candidate"


def counts_of(standing: Standing) -> Counts:
    """Write a standing as counts; what is nought is left out."""
    found: dict[str, int] = {}
    for name in _TALLIES:
        tally: Tally = getattr(standing, name)
        found |= {f"{name}.{field}": getattr(tally, field) for field in ("judged", "unjudged", "millionths")}
        found |= {f"{name}.bin.{place}": count for place, count in enumerate(tally.histogram)}
    return {name: count for name, count in found.items() if count}


def standing_in(counts: Counts) -> Standing:
    """Read a standing back."""
    return Standing(*(_tally_in(counts, name) for name in _TALLIES))


def latency_counts(party: Party, seconds: float) -> Counts:
    """Count one latency of a side."""
    return {f"latency.{party}.{math.ceil(STEPS * math.log2(max(seconds * 1000, LEAST_MS)))}": 1}


def latency_ms(counts: Counts, party: Party, share: float) -> float | None:
    """Return the latency that this share of the calls did not exceed, as the upper end of its bucket."""
    buckets = sorted((int(place), count) for place, count in below(counts, f"latency.{party}.").items())
    wanted = math.ceil(share * sum(count for _, count in buckets))
    for place, count in buckets:
        wanted -= count
        if wanted <= 0:
            return float(2.0 ** (place / STEPS))
    return None


def below(counts: Counts, prefix: str) -> dict[str, int]:
    """Return the counts whose names begin so, by what follows."""
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


def added(several: Iterable[Counts]) -> dict[str, int]:
    """Add counts up, name by name."""
    total: dict[str, int] = {}
    for counts in several:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total


def _tally_in(counts: Counts, name: str) -> Tally:
    judged, unjudged, millionths = (counts.get(f"{name}.{field}", 0) for field in ("judged", "unjudged", "millionths"))
    return Tally(judged, unjudged, millionths, tuple(counts.get(f"{name}.bin.{place}", 0) for place in range(BINS)))
