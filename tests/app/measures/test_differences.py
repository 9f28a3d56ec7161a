import pytest

from app.measures.counts import Counts, Moments
from app.measures.differences import Difference, Found, differences
from app.measures.figures import figures_of


def side(calls: int = 1000, errors: int = 0, latency: float = 100.0, **outcomes: int) -> Counts:
    counts = Counts(calls=calls, errors=errors)
    for number in range(calls):
        counts.latency.add(latency * (1 + number % 7 / 10))
    counts.outcomes = {kind: Moments(count, count, count) for kind, count in outcomes.items()}
    return counts


def found(one: Counts, other: Counts) -> dict[str, Difference]:
    pair = [figures_of(each, one.calls + other.calls) for each in (one, other)]
    return {each.figure: each for each in differences(*pair)}


def test_what_chance_explains_is_the_same() -> None:
    told = found(side(errors=10), side(errors=14))
    assert told["error_rate"].found is Found.SAME
    assert told["latency_ms.p95"].found is Found.SAME


def test_more_errors_and_more_time_are_worse_and_fewer_are_better() -> None:
    worse, better = side(errors=100, latency=200), side(errors=10)
    told = found(worse, better)
    assert {told[name].found for name in ("error_rate", "latency_ms.mean", "latency_ms.p95")} == {Found.WORSE}
    told = found(better, worse)
    assert {told[name].found for name in ("error_rate", "latency_ms.mean", "latency_ms.p95")} == {Found.BETTER}
    assert told["error_rate"].ratio == pytest.approx(0.1)


def test_times_that_a_sketch_cannot_tell_apart_are_no_difference() -> None:
    """Constant latencies a thousandth apart may fall into neighbouring buckets, which are 2 % apart."""
    for latency in range(100, 150):
        one, other = Counts(calls=500), Counts(calls=500)
        for _ in range(500):
            one.latency.add(latency * 1.001)
            other.latency.add(latency)
        told = found(one, other)
        assert {told[f"latency_ms.{name}"].found for name in ("p50", "p95", "p99")} <= {Found.SAME, Found.UNKNOWN}


def test_more_likes_are_better_and_more_errors_reported_are_worse() -> None:
    told = found(side(like=500, error=300, view=10), side(like=300, error=100, view=10))
    assert told["outcome:like.per_100_calls"].found is Found.BETTER
    assert told["outcome:error.per_100_calls"].found is Found.WORSE
    assert told["outcome:view.per_100_calls"].found is Found.SAME


def test_of_a_kind_that_nobody_reported_there_were_none() -> None:
    told = found(side(), side(like=300))["outcome:like.per_100_calls"]
    assert (told.found, told.one and told.one.value) == (Found.WORSE, 0.0)


def test_ratings_are_compared_by_value_and_how_many_there_were_is_neither_good_nor_bad() -> None:
    one, other = side(rating=600), side(rating=300)
    one.outcomes["rating"] = Moments(600, 600 * 4.0, 600 * 16.5)
    other.outcomes["rating"] = Moments(300, 300 * 3.0, 300 * 9.5)
    told = found(one, other)
    assert told["outcome:rating.value"].found is Found.BETTER
    assert told["outcome:rating.per_100_calls"].found is Found.DIFFERENT


def test_nothing_is_said_of_a_side_without_calls() -> None:
    told = found(side(calls=0), side(errors=10))
    assert {each.found for each in told.values()} == {Found.UNKNOWN}
    assert {each.ratio for each in told.values()} == {None}


def test_a_signal_that_only_one_side_tells_is_not_compared() -> None:
    one, other = side(), side()
    one.signals["score"] = Moments(100, 50, 30)
    told = found(one, other)["signal:score"]
    assert (told.other, told.found) == (None, Found.UNKNOWN)
