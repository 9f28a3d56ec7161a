"""One run: traffic into the statistics of a gate as the service has them, a look after every tick."""

import json
import statistics
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.simulate.traffic import Moment
from rollouts.evidence import Verdict
from rollouts.gates import GateStatistics
from rollouts.plan import Gate

SEED = 20_260_101
ALPHA = 0.05
BASELINE_CALLS = 1000


class Course(NamedTuple):
    """How a run went: after how many looks it failed, None for never, and which steps passed before that."""

    failed: int | None
    passed: frozenset[int]


Look = tuple[int, Callable[[GateStatistics], None]]
"""The step, and what comes in before the look."""


def chance(name: str, run: int) -> np.random.Generator:
    """Return the chance of one run: the same whenever it is asked for."""
    return np.random.default_rng([SEED, zlib.crc32(name.encode()), run])


def observed(gate: Gate, looks: Iterable[Look], steps: int, *, restarts: bool = False) -> Course:
    """Play looks until the gate fails; with `restarts` the state goes through JSON before each."""
    state, passed = GateStatistics(gate, BASELINE_CALLS, steps), set()
    for at, (step, feed) in enumerate(looks, 1):
        if restarts:
            state = GateStatistics.load(gate, BASELINE_CALLS, json.loads(json.dumps(state.dump())))
        state.begin_step(step)
        feed(state)
        verdict = state.verdict(ALPHA, ALPHA)
        if verdict is Verdict.FAIL:
            return Course(at, frozenset(passed))
        if verdict is Verdict.PASS:
            passed.add(step)
    return Course(None, frozenset(passed))


def counted(moments: Iterable[Moment]) -> Iterable[Look]:
    """Turn ticks of rates into looks."""
    return ((each.step, lambda state, each=each: state.tick(each.here, each.ever)) for each in moments)


def share(hits: Iterable[bool]) -> tuple[float, int]:
    """Return which share of the runs did it, and how many runs there were."""
    each = [*hits]
    return sum(each) / len(each), len(each)


def median_requests(courses: Sequence[Course], tick: int) -> float:
    """Return after how many requests half of the runs had failed; those that never did count as endless."""
    return statistics.median(float("inf") if course.failed is None else course.failed * tick for course in courses)
