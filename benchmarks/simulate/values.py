"""Claims on means, bounded values, quantiles and the sample ratio."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from benchmarks.simulate.claims import Claim, Kind
from benchmarks.simulate.runs import ALPHA, BASELINE_CALLS, Course, Look, chance, observed, share
from benchmarks.simulate.traffic import RAMP, TICK, Schedule
from rollouts.evidence import Verdict
from rollouts.gates import GateStatistics
from rollouts.plan import Gate
from rollouts.sample_ratio import ALPHA as SAMPLE_ALPHA
from rollouts.sample_ratio import SampleRatio
from rollouts.sequential import Tick

Draw = Callable[[np.random.Generator, int], np.ndarray]
UNITS = 20_000

MEANS: dict[str, Draw] = {
    "lognormal, sigma 0.6": lambda rng, count: rng.lognormal(0, 0.6, count),
    "lognormal, sigma 1.2": lambda rng, count: rng.lognormal(0, 1.2, count),
    "97 % zeros": lambda rng, count: rng.exponential(1.0, count) * (rng.random(count) < 0.03),
}
COST = Gate(metric="cost", relative_max=1.0, margin=1.25)
AGREEMENT = Gate(metric="agreement", absolute_min=0.9)
P95 = Gate(metric="latency_ms", quantile=0.95, relative_max=1.0, margin=1.5)
P95_WITH_SLACK = Gate(metric="latency_ms", quantile=0.95, relative_max=1.2, margin=1.5)


def claims(runs: int) -> Iterator[Claim]:
    """Yield the claims, one after the other."""
    yield from _means(runs)
    yield from _bounded(runs)
    yield from _quantiles(runs)
    yield from _sample_ratio(2 * runs)


def _means(runs: int) -> Iterator[Claim]:
    for name, draw in MEANS.items():
        what = f"mean, {name}, ramp and trend"
        null = [observed(COST, _valued(draw, 1.0, chance(what, run)), 3) for run in range(runs)]
        yield _failed(f"rolled back without effect: {what}", null)
        margin = [observed(COST, _valued(draw, 1.25, chance(what, run)), 3) for run in range(runs)]
        yield _chance(f"promoted at the margin: {what}", (len(each.passed) == 3 for each in margin))
    worse = [observed(COST, _valued(MEANS["lognormal, sigma 0.6"], 1.2, chance("20 %", run)), 3) for run in range(runs)]
    yield _found("20 % more is found: mean, lognormal, sigma 0.6, ramp and trend", worse)


def _bounded(runs: int) -> Iterator[Claim]:
    for mean, what in ((0.9, "at the limit"), (0.8, "0.1 below the limit")):
        courses = [observed(AGREEMENT, _agreements(mean, chance(what, run)), 1) for run in range(runs)]
        if mean < 0.9:
            yield _found(f"agreement {what} is found", courses)
            continue
        yield _failed(f"rolled back, agreement {what}", courses)
        yield _chance(f"passed, agreement {what}", (bool(course.passed) for course in courses))


def _quantiles(runs: int) -> Iterator[Claim]:
    null = [observed(P95, _latencies(1.0, chance("p95", run)), 3) for run in range(runs)]
    yield _failed("rolled back without effect: p95, ramp", null)
    limit = [observed(P95_WITH_SLACK, _latencies(1.2, chance("p95", run)), 3) for run in range(runs)]
    yield _failed("rolled back at a limit of 1.2 x the time: p95, ramp", limit)
    margin = [observed(P95_WITH_SLACK, _latencies(1.5, chance("p95", run)), 3) for run in range(runs)]
    yield _chance("first step passed at the margin, 1.5 x the time: p95, ramp", (0 in each.passed for each in margin))
    slow = [observed(P95_WITH_SLACK, _latencies(1.4, chance("p95", run)), 3) for run in range(runs)]
    yield _found("40 % slower is found: p95, limit 1.2, ramp, 30,000 requests", slow)


def _sample_ratio(runs: int) -> Iterator[Claim]:
    right = (_is_mismatch(RAMP, 0.0, chance("right", run)) for run in range(runs))
    found = share(right)
    yield Claim("sample ratio alarms without mismatch: ramp, 60,000 units", Kind.AT_MOST, found[0], SAMPLE_ALPHA, runs)
    wrong = (_is_mismatch(Schedule("50 %", (0.5,)), 0.02, chance("52", run), ticks=40) for run in range(runs))
    found = share(wrong)
    yield Claim("52/48 for 50/50 is found: 20,000 units", Kind.AT_LEAST, found[0], 0.95, runs)


def _valued(draw: Draw, ratio: float, rng: np.random.Generator) -> Iterable[Look]:
    """Yield looks at values whose mean triples over the ramp, `ratio` times as large on the new side."""
    ticks = UNITS // TICK
    for at in range(ticks):
        step = at * 3 // ticks
        is_new = rng.random(TICK) < RAMP.shares[step]
        values = draw(rng, TICK) * (1 + 2 * at / ticks) * np.where(is_new, ratio, 1.0)
        yield step, _feeding([*zip(is_new.tolist(), values.tolist(), strict=True)])


def _feeding(pairs: list[tuple[bool, float]]) -> Callable[[GateStatistics], None]:
    def feed(state: GateStatistics) -> None:
        for is_new, value in pairs:
            state.value(is_new, value)

    return feed


def _agreements(mean: float, rng: np.random.Generator) -> Iterable[Look]:
    """Yield looks at 1,500 shares in which two answers agree, hardly ever in between."""
    for _ in range(30):
        yield 0, _feeding([(True, value) for value in rng.beta(mean, 1 - mean, 50).tolist()])


def _latencies(times: float, rng: np.random.Generator) -> Iterable[Look]:
    """Yield looks at calls of units that each call once: lognormal, `times` as slow on the new side."""
    for baseline in rng.lognormal(5, 0.5, BASELINE_CALLS).tolist():
        yield 0, lambda state, baseline=baseline: state.add_baseline(baseline)
    ticks = 60
    for at in range(ticks):
        step = at * 3 // ticks
        is_new = rng.random(TICK) < RAMP.shares[step]
        latencies = rng.lognormal(5, 0.5, TICK) * np.where(is_new, times, 1.0)
        yield step, _exceeding(is_new, latencies)


def _exceeding(is_new: np.ndarray, latencies: np.ndarray) -> Callable[[GateStatistics], None]:
    def feed(state: GateStatistics) -> None:
        is_slow = latencies > (state.threshold or 0.0)
        sides = (is_new, ~is_new, is_slow & is_new, is_slow & ~is_new)
        tick = Tick(*(int(np.count_nonzero(side)) for side in sides))
        state.tick(tick, tick)

    return feed


def _is_mismatch(schedule: Schedule, more: float, rng: np.random.Generator, ticks: int = 120) -> bool:
    state = SampleRatio()
    for at in range(ticks):
        due = schedule.shares[at * len(schedule.shares) // ticks]
        new = int(rng.binomial(TICK, due + more))
        state.observe(due, new, TICK - new)
        if state.judge().verdict is Verdict.FAIL:
            return True
    return False


def _failed(what: str, courses: list[Course]) -> Claim:
    return _chance(what, (course.failed is not None for course in courses))


def _chance(what: str, hits: Iterable[bool]) -> Claim:
    found, runs = share(hits)
    return Claim(what, Kind.AT_MOST, found, ALPHA, runs)


def _found(what: str, courses: list[Course]) -> Claim:
    found, runs = share(course.failed is not None for course in courses)
    return Claim(what, Kind.AT_LEAST, found, 0.9, runs)
