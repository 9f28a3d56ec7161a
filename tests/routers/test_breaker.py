import pytest

from routers.breaker import JITTER, Breaker, Permit, State, Transition
from routers.causes import Cause
from routers.model import BreakerPolicy
from tests.routers.driven import Driven


def test_a_new_breaker_is_closed_and_admits() -> None:
    it = Driven()
    status = it.breaker.status(it.now)
    assert (status.state, status.share, status.calls, status.failure_rate) == (State.CLOSED, 1.0, 0, 0.0)
    assert it.breaker.admits(it.now)
    assert isinstance(it.ask(), Permit)


def test_it_opens_when_enough_calls_ended_and_the_share_that_failed_reaches_the_rate() -> None:
    it = Driven(minimum_calls=20, failure_rate=0.5)
    it.call(times=10)
    it.call(ok=False, times=9)
    assert it.state is State.CLOSED
    it.call(ok=False)
    assert it.state is State.OPEN
    assert it.seen == [Transition(State.CLOSED, State.OPEN, it.now, "10 of 20 calls failed")]


def test_it_stays_closed_below_the_minimum_of_calls_whatever_they_do() -> None:
    it = Driven(minimum_calls=20)
    it.call(ok=False, times=19)
    assert it.state is State.CLOSED


def test_a_good_result_that_completes_the_minimum_lets_the_failures_before_it_count() -> None:
    it = Driven(minimum_calls=20)
    it.call(ok=False, times=19)
    it.call()
    assert it.state is State.OPEN


def test_failures_that_left_the_window_count_no_more() -> None:
    it = Driven(minimum_calls=20, window_s=30)
    it.call(ok=False, times=19)
    it.wait(30)
    it.call(ok=False, times=19)
    assert it.state is State.CLOSED
    assert it.breaker.status(it.now).calls == 19


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.7])
def test_a_rate_that_floats_cannot_hold_is_met_exactly(rate: float) -> None:
    it = Driven(minimum_calls=30, failure_rate=rate)
    failures = round(30 * rate)
    it.call(times=30 - failures)
    it.call(ok=False, times=failures - 1)
    assert it.state is State.CLOSED
    it.call(ok=False)
    assert it.state is State.OPEN


def test_it_opens_when_too_many_calls_are_slow_though_none_failed() -> None:
    it = Driven(slow_call_ms=500, slow_call_rate=0.5, minimum_slow_calls=20)
    it.call(times=20)
    it.call(seconds=0.501, times=19)
    assert it.state is State.CLOSED
    assert it.breaker.status(it.now).slow_call_rate == 19 / 39
    it.call(seconds=0.501)
    assert it.state is State.OPEN
    assert it.seen[-1].why == "20 of 40 calls were slow"


def test_a_call_of_exactly_slow_call_ms_is_not_slow() -> None:
    it = Driven(slow_call_ms=500)
    it.call(seconds=0.5, times=50)
    assert it.breaker.status(it.now).slow_calls == 0


def test_without_slow_call_ms_no_call_is_slow() -> None:
    it = Driven(slow_call_rate=0.01, minimum_slow_calls=1)
    it.call(seconds=3600, times=50)
    assert it.state is State.CLOSED


def test_an_open_breaker_refuses_and_says_how_long() -> None:
    it = Driven(open_s=5)
    it.open()
    it.wait(2)
    status = it.breaker.status(it.now)
    assert it.ask() is Cause.BREAKER_OPEN
    assert not it.breaker.admits(it.now)
    assert (status.retry_after_s, status.open_until, status.openings, status.share) == (3.0, 1005.0, 1, 0.0)


@pytest.mark.parametrize(("luck", "waited"), [(0.0, 5.0), (0.999, 5 * (1 + JITTER * 0.999))])
def test_chance_only_lengthens_the_first_wait_of_five_seconds(luck: float, waited: float) -> None:
    it = Driven(luck=luck)
    it.open()
    assert it.breaker.status(it.now).retry_after_s == pytest.approx(waited)


def test_waits_double_with_every_opening_in_a_row_up_to_the_longest() -> None:
    it = Driven(open_s=5, open_max_s=60, probes=1)
    it.open()
    waits = []
    for _ in range(6):
        waits.append(it.breaker.status(it.now).retry_after_s)
        it.sit_out()
        it.call(ok=False)
    assert waits == [5, 10, 20, 40, 48, 48], "48 s and a quarter of it are the 60 s"


def test_a_clock_that_has_just_begun_is_as_good_as_any() -> None:
    it = Driven(open_s=5)
    it.now = 0.0
    it.open()
    status = it.breaker.status(it.now)
    assert (status.openings, status.retry_after_s) == (1, 5)


def test_chance_still_matters_at_the_longest_wait() -> None:
    waits = set()
    for luck in (0.0, 0.5, 0.999):
        it = Driven(luck=luck, open_s=5, open_max_s=10, probes=1)
        it.open()
        it.sit_out()
        it.call(ok=False)
        waits.add(it.breaker.status(it.now).retry_after_s)
    assert len(waits) == 3
    assert all(8 <= (wait or 0) <= 10 for wait in waits)


def test_thousands_of_openings_in_a_row_still_wait_no_longer_than_the_longest() -> None:
    it = Driven(luck=0.9, probes=1)
    it.open()
    for _ in range(3000):
        it.sit_out()
        it.call(ok=False)
        assert (it.breaker.status(it.now).retry_after_s or 0) <= 300


def test_after_the_wait_it_admits_as_many_probes_as_the_policy_says() -> None:
    it = Driven(probes=3)
    it.half_open()
    permits = [it.ask() for _ in range(5)]
    assert [isinstance(permit, Permit) and permit.probe for permit in permits] == [True] * 3 + [False] * 2
    assert permits[3:] == [Cause.BREAKER_OPEN] * 2


def test_an_ended_probe_makes_no_room_for_another() -> None:
    it = Driven(probes=3)
    it.half_open()
    first = it.take()
    it.take()
    it.take()
    it.end(first)
    assert it.state is State.HALF_OPEN
    assert it.ask() is Cause.BREAKER_OPEN


@pytest.mark.parametrize(
    ("probes", "rate", "results", "state"),
    [
        (3, 0.5, "ok", State.HALF_OPEN),
        (3, 0.5, "ok ok", State.SLOW_START),
        (3, 0.5, "failed", State.HALF_OPEN),
        (3, 0.5, "failed failed", State.OPEN),
        (3, 0.5, "failed ok ok", State.SLOW_START),
        (3, 0.5, "ok failed failed", State.OPEN),
        (3, 0.1, "failed", State.OPEN),
        (3, 0.1, "ok ok", State.HALF_OPEN),
        (3, 0.1, "ok ok ok", State.SLOW_START),
        (1, 0.5, "ok", State.SLOW_START),
        (1, 1.0, "failed", State.OPEN),
        (2, 0.5, "failed", State.OPEN),
        (10, 0.3, "ok ok ok ok ok ok failed failed", State.HALF_OPEN),
        (10, 0.3, "ok ok ok ok ok ok failed failed failed", State.OPEN),
        (10, 0.3, "ok ok ok ok ok ok ok failed ok", State.SLOW_START),
    ],
)
def test_probes_are_judged_as_soon_as_their_verdict_is_certain(
    probes: int, rate: float, results: str, state: State
) -> None:
    it = Driven(probes=probes, failure_rate=rate)
    it.half_open()
    for result in results.split():
        it.call(ok=result == "ok")
    assert it.state is state


def test_slow_probes_reopen_a_breaker_that_watches_slowness() -> None:
    it = Driven(probes=3, slow_call_ms=500, slow_call_rate=0.6)
    it.half_open()
    it.call(seconds=0.9)
    assert it.state is State.HALF_OPEN
    it.call(seconds=0.9)
    assert it.state is State.OPEN
    assert it.seen[-1].why == "of 2 probes 0 failed and 2 were slow"


def test_the_status_of_a_half_open_breaker_counts_its_probes() -> None:
    it = Driven(probes=5)
    it.half_open()
    it.call()
    it.call(ok=False)
    status = it.breaker.status(it.now)
    assert (status.calls, status.failures, status.failure_rate, status.share) == (2, 1, 0.5, 0.0)


def test_failing_in_slow_start_reopens_for_longer() -> None:
    it = Driven(minimum_calls=5, open_s=5)
    it.slow_start()
    it.wait(9.5)
    for _ in range(6):
        permit = it.ask()
        if isinstance(permit, Permit):
            it.end(permit, ok=False)
    assert it.state is State.OPEN
    assert it.breaker.status(it.now).retry_after_s == 10
    assert it.states == [State.OPEN, State.HALF_OPEN, State.SLOW_START, State.OPEN]


def test_without_slow_start_the_probes_close_it_at_once() -> None:
    it = Driven(slow_start_s=0, probes=1)
    it.half_open()
    it.call()
    assert it.states == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_openings_are_in_a_row_until_it_was_closed_as_long_as_it_waited_and_as_the_window() -> None:
    it = Driven(window_s=30, open_s=5)
    it.close_again()
    assert it.breaker.status(it.now).openings == 1
    it.wait(29)
    it.open()
    assert it.breaker.status(it.now).retry_after_s == 10
    later = Driven(window_s=30, open_s=5)
    later.close_again()
    later.wait(30)
    assert later.breaker.status(later.now).openings == 0
    later.open()
    assert later.breaker.status(later.now).retry_after_s == 5


def test_a_cancelled_call_is_neither_success_nor_failure() -> None:
    it = Driven()
    before = it.breaker.status(it.now)
    it.breaker.release(it.take())
    assert it.breaker.status(it.now) == before


def test_a_call_from_slow_start_that_ends_after_it_counts_for_both_are_one_era() -> None:
    it = Driven()
    it.slow_start()
    permit = it.take()
    it.wait(60)
    assert it.state is State.CLOSED
    it.end(permit, ok=False)
    assert it.breaker.status(it.now).failures == 1


def test_an_observer_that_raises_finds_the_change_complete() -> None:
    def complain(change: Transition) -> None:
        raise RuntimeError(change.why)

    breaker = Breaker(BreakerPolicy(minimum_calls=1), lambda: 0.0, complain)
    permit = breaker.permit(0.0)
    assert isinstance(permit, Permit)
    with pytest.raises(RuntimeError, match="1 of 1 calls failed"):
        breaker.record(permit, ok=False, seconds=0.1, now=0.0)
    assert breaker.status(1.0).state is State.OPEN
