"""Claims on rates: no effect, the ratio at the margin, three times the errors, and a restart in mid-stream."""

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.simulate.claims import Claim, Kind
from benchmarks.simulate.runs import ALPHA, Course, chance, counted, median_requests, observed, share
from benchmarks.simulate.traffic import SCHEDULES, TENTH, Rates
from rollouts.plan import Gate

BASES = (0.001, 0.01, 0.05)
CALLS = (1, 15)
NOT_WORSE = Gate(metric="error_rate", relative_max=1.0, margin=2.0)
USUAL = Gate(metric="error_rate", relative_max=1.2, margin=2.0)
CLOSE = Gate(metric="error_rate", relative_max=1.95, margin=2.0)
"""Its limit is so close to its margin that no failure keeps a run at the margin from passing."""

FOUND_WITHIN = {1: 4500, 15: 6000}
FINE_TICK = 100


def claims(runs: int) -> Iterator[Claim]:
    """Yield the claims on rates, one after the other."""
    for each in _traffics(1.0):
        found = share(course.failed is not None for course in _courses(NOT_WORSE, each, runs))
        yield Claim(f"rolled back without effect: {_name(each)}", Kind.AT_MOST, found[0], ALPHA, found[1])
    for each in _traffics(2.0):
        steps = len(each.schedule.shares)
        found = share(len(course.passed) == steps for course in _courses(USUAL, each, runs))
        yield Claim(f"promoted at the margin: {_name(each)}", Kind.AT_MOST, found[0], ALPHA, found[1])
    for each in _traffics(2.0):
        found = share(0 in course.passed for course in _courses(CLOSE, each, runs))
        # what is left at risk of units that call often differs less and less between the sides
        bound = ALPHA if each.calls == 1 else None
        yield Claim(f"first step passed at the margin: {_name(each)}", Kind.AT_MOST, found[0], bound, found[1])


def detection(runs: int) -> Iterator[Claim]:
    """Yield how soon three times the errors are found, and that a restart in mid-stream changes nothing."""
    for calls, bound in FOUND_WITHIN.items():
        traffic = Rates(TENTH, 0.01, 3.0, calls, requests=30_000, tick=FINE_TICK)
        courses = _courses(USUAL, traffic, runs)
        what = f"requests until 3 x errors fail: {_name(traffic)}"
        yield Claim(what, Kind.MEDIAN, median_requests(courses, FINE_TICK), bound, runs)
    for traffic in (replace(each, requests=20_000) for each in _traffics(2.0) if each.base == 0.01):
        few = max(runs // 20, 2)
        plain, restarted = _courses(USUAL, traffic, few), _courses(USUAL, traffic, few, restarts=True)
        found = share(one != other for one, other in zip(plain, restarted, strict=True))
        yield Claim(f"different after restarts: {_name(traffic)}", Kind.AT_MOST, found[0], 0.0, found[1])


def _traffics(ratio: float) -> Iterator[Rates]:
    return (Rates(schedule, base, ratio, calls) for base in BASES for calls in CALLS for schedule in SCHEDULES)


def _courses(gate: Gate, traffic: Rates, runs: int, *, restarts: bool = False) -> list[Course]:
    name, steps = f"{traffic}", len(traffic.schedule.shares)
    return [observed(gate, counted(traffic.play(chance(name, run))), steps, restarts=restarts) for run in range(runs)]


def _name(traffic: Rates) -> str:
    calls = "1 request" if traffic.calls == 1 else f"{traffic.calls} requests"
    return f"base {100 * traffic.base:g} %, {calls} per unit, {traffic.schedule.name}"
