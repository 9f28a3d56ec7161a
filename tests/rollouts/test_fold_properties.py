import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.evidence import Side
from rollouts.firsts import First
from rollouts.fold import fold, judged
from rollouts.model import Rollout
from rollouts.seen import Seen
from rollouts.statistics import Statistics
from tests.rollouts.lines import ERRORS, START_S, Folded, call, outcome, plan_of, running

GATES: dict[str, Any] = ERRORS | {
    "p95": {"metric": "latency_ms", "quantile": 0.9, "relative_max": 1.2, "absolute_max": 400},
    "likes": {"metric": "outcome:like", "relative_min": 0.9, "absolute_min": 0.05},
    "rating": {"metric": "outcome:rating", "relative_min": 0.9},
    "agree": {"metric": "agreement", "absolute_min": 0.9},
}
ROLLOUT = running(plan_of(GATES, warm_up_s=5, baseline_calls=100), (0, 0.0), (1, 300.0))

units = st.integers(0, 30).map(str)
moments = st.floats(0, 600, allow_nan=False)
calls = st.builds(
    call,
    units,
    moments,
    is_new=st.booleans(),
    version=st.sampled_from([1, 1, 2, 2, 9]),
    is_error=st.integers(0, 9).map(lambda at: at == 0),
    value=st.floats(1, 1000),
)
outcomes = st.builds(
    outcome,
    st.sampled_from(["like", "rating", "agreement"]),
    units,
    moments,
    moments,
    is_new=st.booleans(),
    version=st.sampled_from([1, 2]),
    value=st.floats(0, 5),
)
logs = st.lists(st.one_of(calls, calls, outcomes), min_size=1, max_size=150).map(
    lambda lines: [(at, line) for at, line in enumerate(sorted(lines, key=lambda line: line.seen_at), 1)]
)


def folded_in(batches: Sequence[Sequence[tuple[int, Seen]]], rollout: Rollout) -> tuple[Any, list[First]]:
    """Fold batch by batch, as a new leader for each would: from what was kept."""
    kept = Statistics(rollout.plan).dump()
    known: list[First] = []
    for batch in batches:
        statistics = Statistics(rollout.plan, json.loads(json.dumps(kept)))
        known += fold(statistics, rollout, batch, {*known})
        kept = statistics.dump()
    return kept, known


@settings(max_examples=60, deadline=None)
@given(logs, st.lists(st.integers(0, 150), max_size=6))
def test_wherever_the_log_is_cut_and_the_state_kept_and_loaded_the_numbers_are_the_same(
    log: list[tuple[int, Seen]], cuts: list[int]
) -> None:
    ends = [0, *sorted(min(cut, len(log)) for cut in cuts), len(log)]
    batches = [log[start:end] for start, end in itertools.pairwise(ends)]
    assert folded_in(batches, ROLLOUT) == folded_in([log], ROLLOUT)


@settings(max_examples=30, deadline=None)
@given(logs)
def test_folding_a_log_twice_is_folding_it_once(log: list[tuple[int, Seen]]) -> None:
    assert folded_in([log, log], ROLLOUT) == folded_in([log], ROLLOUT)


@settings(max_examples=60, deadline=None)
@given(st.lists(calls, min_size=1, max_size=150), st.randoms(use_true_random=False))
def test_the_order_within_a_tick_does_not_matter_to_units_with_one_call(lines: list[Seen], chance: Any) -> None:
    alone = [line._replace(unit=f"{at}", seen_at=START_S + 1.0) for at, line in enumerate(lines)]
    shuffled = chance.sample(alone, len(alone))
    one, other = Folded(running(plan_of())), Folded(running(plan_of()))
    one.take(alone)
    other.take(shuffled)
    assert judged(one.closed(), one.rollout) == judged(other.closed(), other.rollout)


@settings(max_examples=60, deadline=None)
@given(logs)
def test_exposures_and_events_are_what_a_recount_of_the_step_finds(log: list[tuple[int, Seen]]) -> None:
    rollout = running(plan_of(), (0, 0.0), (1, 300.0))
    folded = Folded(rollout)
    folded.take(line for _, line in log)
    found = judged(folded.closed(), rollout).judgements["errors"]
    assert (found.new, found.control) == recounted([line for _, line in log])


def recounted(log: Sequence[Seen]) -> tuple[Side, Side]:
    """Count the second step: of each unit the calls up to its first error in the rollout."""
    began = {1: START_S, 2: START_S + 300.0}
    by_unit: dict[str, list[Seen]] = defaultdict(list)
    for line in log:
        if line.is_exposure and line.flag_version in began and line.decided_at >= began[line.flag_version]:
            by_unit[line.unit].append(line)
    exposures, events = [0, 0], [0, 0]
    for lines in by_unit.values():
        for line in lines:
            if line.flag_version == 2:
                exposures[line.is_new] += 1
                events[line.is_new] += line.is_error
            if line.is_error:
                break
    return Side(exposures[1], events[1]), Side(exposures[0], events[0])


def test_a_rollout_without_lines_has_no_data_in_any_gate() -> None:
    found = judged(Statistics(ROLLOUT.plan), ROLLOUT)
    assert {judgement.verdict for judgement in found.judgements.values()} == {"NO_DATA"}
    assert found.sample_ratio.verdict == "NO_DATA"
