from hypothesis import given, settings
from hypothesis import strategies as st

from routers.breaker import Permit, State
from routers.causes import Cause
from tests.routers.driven import Driven


def admitted(it: Driven, asked: int) -> int:
    """How many of so many questions at this moment get a permit."""
    return sum(isinstance(it.ask(), Permit) for _ in range(asked))


def test_the_share_grows_from_a_tenth_to_all() -> None:
    it = Driven(slow_start_s=10)
    it.slow_start()
    shares = []
    for _ in range(10):
        shares.append(admitted(it, 1000))
        it.wait(1)
    assert shares == [100, 190, 280, 370, 460, 550, 640, 730, 820, 910]
    assert it.state is State.CLOSED
    assert admitted(it, 1000) == 1000


def test_the_first_call_of_slow_start_is_admitted_and_the_next_nine_are_not() -> None:
    it = Driven()
    it.slow_start()
    assert isinstance(it.ask(), Permit)
    assert [it.ask() for _ in range(9)] == [Cause.SLOW_START] * 9
    assert isinstance(it.ask(), Permit)


def test_the_status_tells_the_share() -> None:
    it = Driven(slow_start_s=10)
    it.slow_start()
    assert it.breaker.status(it.now).share == 0.1
    it.wait(5)
    assert it.breaker.status(it.now).share == 0.55


def test_looking_takes_nothing_from_anybody() -> None:
    it = Driven()
    it.slow_start()
    assert all(it.breaker.admits(it.now) for _ in range(100))
    assert isinstance(it.ask(), Permit)
    assert not any(it.breaker.admits(it.now) for _ in range(100))
    assert it.breaker.refusal(it.now) is Cause.SLOW_START


def test_a_time_before_the_start_counts_as_the_start() -> None:
    it = Driven()
    it.slow_start()
    it.wait(-100)
    assert it.breaker.status(it.now).share == 0.1


@settings(max_examples=50)
@given(steps=st.lists(st.floats(0.0, 0.2), min_size=1, max_size=300), slow_start_s=st.floats(1.0, 60.0))
def test_admitted_calls_follow_the_sum_of_the_shares_to_within_one(steps: list[float], slow_start_s: float) -> None:
    it = Driven(slow_start_s=slow_start_s)
    it.slow_start()
    began, owed, given_out = it.now, 0.0, 0
    for step in steps:
        it.wait(step)
        owed += min(1.0, 0.1 + 0.9 * (it.now - began) / slow_start_s)
        permit = it.breaker.admits(it.now)
        assert permit is isinstance(it.ask(), Permit)
        given_out += permit
        if it.state is State.CLOSED:
            break
        assert abs(given_out - owed) <= 1.0
