from hypothesis import given
from hypothesis import strategies as st

from routers.compare.counts import Party, added, counts_of, latency_counts, latency_ms, standing_in
from routers.compare.result import Result
from routers.compare.tally import Standing

results = st.builds(Result, st.none() | st.floats(0, 1))
standings = st.builds(Standing.of, results, st.none() | results)


@given(st.lists(standings, max_size=5))
def test_standings_are_the_same_added_up_before_or_as_counts(several: list[Standing]) -> None:
    counts = added(map(counts_of, several))
    assert standing_in(counts) == sum(several, Standing())
    assert all(type(count) is int and count > 0 for count in counts.values())


@given(st.lists(st.floats(0.00001, 600), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_latency_is_told_at_most_a_tenth_too_high(seconds: list[float], share: float) -> None:
    counts = added(latency_counts(Party.CONTROL, each) for each in seconds)
    exact = 1000 * sorted(seconds)[max(0, -int(-len(seconds) * share // 1) - 1)]
    told = latency_ms(counts, Party.CONTROL, share)
    assert told is not None
    assert exact * 0.999 <= told <= exact * 1.091
    assert latency_ms(counts, Party.CANDIDATE, share) is None
