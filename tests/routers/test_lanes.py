import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.breaker import Permit, State
from routers.causes import Cause
from routers.lanes import Ending, Lane
from tests.routers.driven import Driven


def lane(max_concurrency: int = 2, **policy: float) -> tuple[Driven, Lane]:
    """A lane and the breaker in it."""
    it = Driven(**policy)
    return it, Lane("new", it.breaker, max_concurrency, max_fallbacks=1)


def entered(it: Driven, lane: Lane) -> Permit:
    """A permit that has to be given."""
    permit = lane.enter(it.now)
    assert isinstance(permit, Permit)
    return permit


def test_a_full_lane_refuses_until_a_call_leaves() -> None:
    it, new = lane(2)
    first = entered(it, new)
    entered(it, new)
    assert new.enter(it.now) is Cause.CONCURRENCY
    assert new.in_flight == 2
    new.leave(first, Ending.OK, seconds=0.1, now=it.now)
    assert new.in_flight == 1
    entered(it, new)


@pytest.mark.parametrize(("ending", "counts"), [(Ending.OK, (1, 0)), (Ending.FAILED, (1, 1)), (Ending.NEUTRAL, (0, 0))])
def test_the_breaker_learns_how_a_call_left(ending: Ending, counts: tuple[int, int]) -> None:
    it, new = lane()
    new.leave(entered(it, new), ending, seconds=0.1, now=it.now)
    status = it.breaker.status(it.now)
    assert (status.calls, status.failures) == counts


def test_an_open_breaker_is_the_cause_even_where_the_lane_is_full_too() -> None:
    it, new = lane(1)
    entered(it, new)
    it.open()
    assert new.enter(it.now) is Cause.BREAKER_OPEN
    assert new.in_flight == 1


def test_a_full_lane_takes_no_probe() -> None:
    it, new = lane(1, probes=1)
    hanging = entered(it, new)
    it.half_open()
    for _ in range(5):
        assert new.enter(it.now) is Cause.CONCURRENCY
    new.leave(hanging, Ending.FAILED, seconds=9.0, now=it.now)
    assert entered(it, new).probe


def test_a_full_lane_takes_nothing_from_slow_start() -> None:
    it, new = lane(1)
    hanging = entered(it, new)
    it.slow_start()
    for _ in range(50):
        assert new.enter(it.now) is Cause.CONCURRENCY
    new.leave(hanging, Ending.NEUTRAL, seconds=9.0, now=it.now)
    entered(it, new)


def test_a_cancelled_probe_gives_its_place_back() -> None:
    it, new = lane(2, probes=1)
    it.half_open()
    for _ in range(3):
        new.leave(entered(it, new), Ending.NEUTRAL, seconds=0.1, now=it.now)
    new.leave(entered(it, new), Ending.OK, seconds=0.1, now=it.now)
    assert it.state is State.SLOW_START


def test_a_last_resort_is_asked_beyond_what_the_breaker_permits_and_its_result_counts_nowhere() -> None:
    it, new = lane(1)
    it.open()
    before = it.breaker.status(it.now)
    assert new.enter(it.now) is Cause.BREAKER_OPEN
    permit = new.enter(it.now, last_resort=True)
    assert isinstance(permit, Permit)
    assert new.enter(it.now, last_resort=True) is Cause.BREAKER_OPEN, "the lane is full"
    new.leave(permit, Ending.FAILED, seconds=0.1, now=it.now)
    assert it.breaker.status(it.now) == before
    assert new.in_flight == 0


def test_a_last_resort_that_the_breaker_permits_counts() -> None:
    it, new = lane(1)
    permit = new.enter(it.now, last_resort=True)
    assert isinstance(permit, Permit)
    new.leave(permit, Ending.FAILED, seconds=0.1, now=it.now)
    assert it.breaker.status(it.now).failures == 1


def test_a_breaker_that_a_person_holds_open_refuses_a_last_resort() -> None:
    it, new = lane(1)
    it.breaker.force_open(it.now)
    assert new.enter(it.now, last_resort=True) is Cause.BREAKER_OPEN
    assert new.in_flight == 0


@given(
    steps=st.lists(st.tuples(st.sampled_from(["enter", *Ending]), st.floats(0, 3)), max_size=200),
    most=st.integers(1, 5),
)
def test_as_many_are_in_flight_as_entered_and_have_not_left_and_never_too_many(
    steps: list[tuple[str, float]], most: int
) -> None:
    it, new = lane(most, minimum_calls=3, open_s=1, open_max_s=2, slow_start_s=2, probes=2)
    inside: list[Permit] = []
    for what, pause in steps:
        it.wait(pause)
        refusal = new.refusal(it.now)
        if what == "enter":
            answer = new.enter(it.now)
            assert refusal == (None if isinstance(answer, Permit) else answer), "a look says what a question would"
            if isinstance(answer, Permit):
                inside.append(answer)
        elif inside:
            new.leave(inside.pop(0), Ending(what), seconds=0.1, now=it.now)
        assert new.in_flight == len(inside) <= most


def test_of_the_calls_of_a_lane_so_many_may_have_fallen_back() -> None:
    it, legacy = lane(3)
    fallen = legacy.enter(it.now, last_resort=True, fell_back=True)
    assert isinstance(fallen, Permit)
    assert legacy.enter(it.now, last_resort=True, fell_back=True) is Cause.FALLBACK_CONCURRENCY
    entered(it, legacy)
    assert (legacy.in_flight, legacy.fallbacks) == (2, 1), "those it was decided for have places of their own"
    legacy.leave(fallen, Ending.OK, seconds=0.1, now=it.now)
    assert (legacy.in_flight, legacy.fallbacks) == (1, 0)
    assert isinstance(legacy.enter(it.now, last_resort=True, fell_back=True), Permit)
