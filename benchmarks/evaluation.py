"""Evaluation in process: nanoseconds of CPU for one decision."""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.cases import CASES, Pass, callers, check_shares, ruleset
from benchmarks.conditions import Effort, machine
from benchmarks.floors import Floor, floors
from benchmarks.growthbook_peer import growthbook
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.statsig_peer import statsig, statsig_pass
from flags.evaluate import evaluate

ROUNDS_A_PAIR = 30
OURS, FLOOR, GROWTHBOOK, STATSIG = "crossfade", "floor", "growthbook", "statsig"
PEERS = ("growthbook", "statsig-python-core")

_TITLE = "Evaluation, ns per decision: i 25 % rollout, ii three conditions and i, iii four variants"

Samples = dict[str, list[float]]


def measure(effort: Effort) -> Finding:
    """Measure the three cases, contenders in turn within each round."""
    figures: dict[str, dict[str, Sequence[float]]] = {}
    bars: list[Bar] = []
    rounds = effort.pairs * ROUNDS_A_PAIR
    with _contenders() as by_case:
        for case, title in CASES.items():
            samples = _in_turn(case, by_case[case], rounds)
            for name, nanoseconds in samples.items():
                figures.setdefault(name, {})[title] = nanoseconds
            bars += _bars(title, samples)
    conditions = {**machine(*PEERS), "rounds": rounds, "callers": len(callers()), "clock": "CPU time of the thread"}
    return Finding("evaluation", _TITLE, conditions, medians(figures), bars)


def _bars(title: str, samples: Samples) -> list[Bar]:
    ours = samples[OURS]
    floor = min((each for name, each in samples.items() if name.startswith(FLOOR)), key=statistics.median)
    return [
        Bar(f"{title}: crossfade / floor", quotients(ours, floor), 5, at_most=True),
        Bar(f"{title}: growthbook / crossfade", quotients(samples[GROWTHBOOK], ours), 4),
        Bar(f"{title}: statsig / crossfade", quotients(samples[STATSIG], ours), 2),
    ]


def _in_turn(case: str, passes: Mapping[str, Pass], rounds: int) -> Samples:
    for name, once in passes.items():
        check_shares(name, case, once())
    samples: Samples = {name: [] for name in passes}
    for _ in range(rounds):
        for name, once in passes.items():
            samples[name].append(_nanoseconds(once))
    return samples


def _nanoseconds(once: Pass) -> float:
    began = time.thread_time_ns()
    values = once()
    return (time.thread_time_ns() - began) / len(values)


@contextmanager
def _contenders() -> Iterator[Mapping[str, Mapping[str, Pass]]]:
    ground, contexts = floors(), callers()
    with statsig() as client:
        yield {
            case: {
                OURS: _ours(case),
                **{f"{FLOOR}, {kind}": _floor(floor) for kind, floor in ground[case].items()},
                GROWTHBOOK: growthbook(case, contexts),
                STATSIG: statsig_pass(client, case, contexts),
            }
            for case in CASES
        }


def _ours(case: str) -> Pass:
    state, contexts, now = ruleset(), callers(), time.time()
    return lambda: [evaluate(state, case, context, now).value for context in contexts]


def _floor(floor: Floor) -> Pass:
    contexts = callers()
    return lambda: [floor(context) for context in contexts]
