from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.compare.result import Result, Unjudged
from routers.compare.tally import Standing, Tally

UNJUDGED = Result(None, unjudged=Unjudged.TOO_LARGE)
RESULTS = st.builds(Result, st.floats(0, 1)) | st.just(UNJUDGED)
CALLS = st.lists(st.tuples(RESULTS, st.none() | RESULTS), max_size=30)


def standing_of(calls: list[tuple[Result, Result | None]]) -> Standing:
    return reduce(add, (Standing.of(*call) for call in calls), Standing())


@pytest.mark.parametrize(
    ("agreement", "bin_filled"),
    [(0.0, 0), (0.0999, 0), (0.1, 1), (0.55, 5), (0.9, 9), (0.9999999, 9), (1.0, 10)],
)
def test_a_result_falls_into_one_bin_and_only_whole_agreement_into_the_last(agreement: float, bin_filled: int) -> None:
    assert Tally.of(Result(agreement)).histogram.index(1) == bin_filled


def test_nothing_judged_has_no_agreement() -> None:
    tally = Tally.of(UNJUDGED) + Tally()
    assert (tally.judged, tally.unjudged, tally.agreement) == (0, 1, None)
    assert Standing.of(Result(1.0)).agreement_minus_noise is None


@given(CALLS, CALLS, CALLS)
def test_standings_add_up_to_the_same_in_any_order(
    first: list[tuple[Result, Result | None]],
    second: list[tuple[Result, Result | None]],
    third: list[tuple[Result, Result | None]],
) -> None:
    a, b, c = map(standing_of, (first, second, third))
    assert (a + b) + c == a + (b + c) == c + b + a == standing_of([*third, *first, *second])
    assert a + Standing() == a


@given(CALLS)
def test_a_standing_says_what_its_calls_say(calls: list[tuple[Result, Result | None]]) -> None:
    standing = standing_of(calls)
    judged = [result.agreement for result, _ in calls if result.agreement is not None]
    assert standing.candidate.judged == sum(standing.candidate.histogram) == len(judged)
    assert standing.candidate.unjudged == len(calls) - len(judged)
    if judged:
        assert standing.candidate.agreement == pytest.approx(sum(judged) / len(judged), abs=1e-6)
    excess = [
        result.agreement - second.agreement
        for result, second in calls
        if second is not None and result.agreement is not None and second.agreement is not None
    ]
    assert standing.paired.judged == standing.noise.judged == len(excess)
    if excess:
        assert standing.agreement_minus_noise == pytest.approx(sum(excess) / len(excess), abs=2e-6)


def test_only_calls_asked_twice_are_held_against_the_noise() -> None:
    hard, easy = (Result(0.4), Result(0.5)), (Result(1.0), None)
    assert standing_of([hard, easy, easy]).agreement_minus_noise == pytest.approx(-0.1)
    assert standing_of([hard, (Result(0.0), UNJUDGED), (UNJUDGED, Result(1.0))]).paired.judged == 1


def test_a_candidate_as_noisy_as_the_control_is_not_held_to_differ() -> None:
    assert standing_of([(Result(0.6), Result(0.7)), (Result(0.7), Result(0.6))]).agreement_minus_noise == 0
