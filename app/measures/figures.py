"""What people look at: a side's counts as rates, means and quantiles, each with its interval."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from app.measures.counts import Counts, Moments
from app.measures.estimates import Estimate, mean, mean_of, often, quantile, share
from rollouts.metrics import COST, LATENCY_MS, LOWER_IS_BETTER, OUTCOME, VALUED

SIGNAL = "signal:"
"""Before the name of a signal: `signal:score`."""

IS_SIGNAL_BETTER_LOW: Mapping[str, bool] = {"score": False, "cache_hit": False, "tokens": True, "processing_ms": True}
"""Which way is better, of the signals of which that can be said."""


class Latency(BaseModel):
    """Milliseconds from the call to the end of its answer; quantiles are off by 1 % at most."""

    mean: Estimate | None
    p50: Estimate | None
    p95: Estimate | None
    p99: Estimate | None


class Engagement(BaseModel):
    """Outcomes of one kind: how many, how often in 100 calls, and the mean of their values."""

    count: int
    per_100_calls: Estimate | None
    value: Estimate | None


class Figures(BaseModel):
    """What came of one side; a figure is null when nothing tells it.

    `share` is the side's of all calls of the route. `errors` are calls whose decided side gave no good answer,
    `failures` those whose caller got none. `answered_by` counts calls by who answered.
    """

    calls: int
    share: float | None
    answered_by: dict[str, int]
    latency_ms: Latency
    error_rate: Estimate | None
    failure_rate: Estimate | None
    fallback_rate: Estimate | None
    cache_hit_rate: Estimate | None
    cost_per_call: Estimate | None
    cost_total: float
    signals: dict[str, Estimate]
    engagement: dict[str, Engagement]


class Figure(NamedTuple):
    """One figure by its name; `is_lower_better` is None where neither way is better."""

    name: str
    estimate: Estimate | None
    is_lower_better: bool | None


def figures_of(counts: Counts, all_calls: int) -> Figures:
    """Return what a side's counts tell; `all_calls` are those of every side of the route."""
    calls, cost = counts.calls, counts.signals.get(COST, Moments())
    return Figures(
        calls=calls,
        share=calls / all_calls if all_calls else None,
        answered_by=counts.answered,
        latency_ms=latency_of(counts),
        error_rate=share(counts.errors, calls),
        failure_rate=share(counts.failures, calls),
        fallback_rate=share(counts.fallbacks, calls),
        cache_hit_rate=share(counts.hits, counts.hits + counts.misses),
        cost_per_call=mean(cost),
        cost_total=cost.total,
        signals={
            name: told
            for name, each in sorted(counts.signals.items())
            if name != COST and (told := mean(each)) is not None
        },
        engagement={
            kind: Engagement(count=each.count, per_100_calls=often(each.count, calls), value=mean(each))
            for kind, each in sorted(counts.outcomes.items())
        },
    )


def latency_of(counts: Counts) -> Latency:
    """Return the latency of a side's calls."""
    ranked = counts.latency.ranked()
    p50, p95, p99 = (quantile(ranked, part) for part in (0.5, 0.95, 0.99))
    return Latency(mean=mean_of(counts.latency), p50=p50, p95=p95, p99=p99)


def each_of(figures: Figures, kinds: Iterable[str]) -> Iterator[Figure]:
    """Yield every figure that can be compared, by its name; of `kinds` that nobody reported there were none."""
    for name in ("error_rate", "failure_rate", "fallback_rate"):
        yield Figure(name, getattr(figures, name), is_lower_better=True)
    yield Figure("cache_hit_rate", figures.cache_hit_rate, is_lower_better=False)
    for name in Latency.model_fields:
        yield Figure(f"{LATENCY_MS}.{name}", getattr(figures.latency_ms, name), is_lower_better=True)
    yield Figure("cost_per_call", figures.cost_per_call, is_lower_better=True)
    for name, estimate in figures.signals.items():
        yield Figure(f"{SIGNAL}{name}", estimate, IS_SIGNAL_BETTER_LOW.get(name))
    for kind in kinds:
        yield from _of_outcomes(kind, figures.engagement.get(kind), figures.calls)


def _of_outcomes(kind: str, found: Engagement | None, calls: int) -> Iterator[Figure]:
    """Yield how often there was one, and its value: where a value tells, more or fewer is neither good nor bad."""
    name = f"{OUTCOME}{kind}"
    is_lower_better, has_value = name in LOWER_IS_BETTER, not VALUED.isdisjoint((name, kind))
    rate = often(0, calls) if found is None else found.per_100_calls
    yield Figure(f"{name}.per_100_calls", rate, None if has_value else is_lower_better)
    if found is not None and has_value:
        yield Figure(f"{name}.value", found.value, is_lower_better)
