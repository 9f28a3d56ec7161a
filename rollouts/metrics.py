"""What a gate may look at: the metrics of calls that Crossfade carried, and of outcomes that were reported."""

from enum import StrEnum

OUTCOME = "outcome:"
"""Before the kind of an outcome: `outcome:like`."""

ERROR_RATE, FALLBACK_RATE, CACHE_HIT_RATE = "error_rate", "fallback_rate", "cache_hit_rate"
LATENCY_MS, COST, AGREEMENT = "latency_ms", "cost", "agreement"

CALL_RATES = frozenset({ERROR_RATE, FALLBACK_RATE, CACHE_HIT_RATE})
VALUED = frozenset(
    {LATENCY_MS, COST, AGREEMENT, "outcome:rating", "outcome:quality", "outcome:cost", "outcome:latency"}
)
"""Metrics that have a value; all others happen or do not."""

BOUNDED = frozenset({AGREEMENT, "outcome:quality"})
"""Values from 0 to 1, for which an exact confidence sequence exists."""

ALONE = frozenset({AGREEMENT})
"""Metrics of both sides together: there is no other side to compare them with."""

LOWER_IS_BETTER = frozenset(
    {ERROR_RATE, FALLBACK_RATE, LATENCY_MS, COST}
    | {f"{OUTCOME}{kind}" for kind in ("error", "cost", "latency", "ignore", "dismiss")}
)


class Statistic(StrEnum):
    """What of a metric is judged."""

    RATE = "rate"
    MEAN = "mean"
    QUANTILE = "quantile"


class Direction(StrEnum):
    """Which way is better."""

    LOWER = "lower"
    HIGHER = "higher"


def better(metric: str) -> Direction:
    """Say which way is better, where a gate does not say it itself."""
    return Direction.LOWER if metric in LOWER_IS_BETTER else Direction.HIGHER
