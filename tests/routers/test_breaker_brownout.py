"""Ten minutes of a backend that is neither well nor dead."""

from collections import deque
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers.breaker import Permit, State
from tests.routers.driven import Driven

MINUTES = 10
TOOK = 0.05


@dataclass
class Story:
    """What came of it: how often it opened and closed, how many calls were carried and how many of them failed."""

    openings: int
    closings: int
    carried: int
    failed: int


def brown_out(bad_s: float, good_s: float, seed: int, a_second: int, failing: float = 0.6) -> Story:
    """Bursts of `bad_s` seconds in which `failing` of the calls fail, `good_s` in which none does."""
    it, chance, on_their_way = Driven(), Random(seed), deque[tuple[float, Permit, bool]]()
    start, carried, failed = it.now, 0, 0
    for step in range(MINUTES * 60 * a_second):
        it.now = start + step / a_second
        it.luck = chance.random()
        while on_their_way and on_their_way[0][0] <= it.now:
            at, permit, ok = on_their_way.popleft()
            it.breaker.record(permit, ok=ok, seconds=TOOK, now=at)
        answer = it.ask()
        if isinstance(answer, Permit):
            ok = (it.now - start) % (bad_s + good_s) >= bad_s or chance.random() >= failing
            on_their_way.append((it.now + TOOK, answer, ok))
            carried += 1
            failed += not ok
    return Story(it.states.count(State.OPEN), it.states.count(State.CLOSED), carried, failed)


@settings(max_examples=40, deadline=None)
@given(bad_s=st.floats(1, 120), good_s=st.floats(0, 120), seed=st.integers(0, 2**32), a_second=st.sampled_from([5, 20]))
def test_bursts_of_any_length_open_it_26_times_in_ten_minutes_at_most_and_close_it_13(
    bad_s: float, good_s: float, seed: int, a_second: int
) -> None:
    """Openings 5, 10, 20 s apart, then 10 s of slow start and 30 s closed until the waits are short again."""
    story = brown_out(bad_s, good_s, seed, a_second)
    assert story.openings <= 26
    assert story.closings <= 13


@pytest.mark.parametrize("seed", range(3))
def test_bursts_of_a_minute_open_it_16_times_in_ten_minutes_at_most_and_close_it_5(seed: int) -> None:
    story = brown_out(60, 60, seed, a_second=50)
    assert 5 <= story.openings <= 16
    assert story.closings <= 5


@pytest.mark.parametrize("seed", range(3))
def test_a_backend_that_fails_60_percent_all_the_time_is_opened_a_few_times_and_asked_a_few_calls(seed: int) -> None:
    story = brown_out(600, 0, seed, a_second=50)
    assert story.openings <= 8
    assert story.failed <= 250, "of 30,000 calls; without a breaker 18,000 would fail"


@pytest.mark.parametrize("seed", range(3))
def test_a_backend_that_fails_30_percent_all_the_time_is_left_alone(seed: int) -> None:
    story = brown_out(600, 0, seed, a_second=50, failing=0.3)
    assert story == Story(0, 0, 30_000, story.failed)
