import pytest

from routers.breaker import Permit, State
from routers.causes import Cause
from tests.routers.driven import Driven


def test_forced_open_admits_nothing_for_ever() -> None:
    it = Driven()
    it.breaker.force_open(it.now)
    for _ in range(100):
        it.wait(1000)
        assert it.ask() is Cause.BREAKER_OPEN
    status = it.breaker.status(it.now)
    assert (status.state, status.open_until, status.retry_after_s, status.share) == (State.FORCED_OPEN, None, None, 0.0)


def test_forced_closed_admits_everything_and_counts_it_without_judging() -> None:
    it = Driven(slow_call_ms=1, slow_call_rate=0.1)
    it.breaker.force_closed(it.now)
    it.call(ok=False, seconds=9.0, times=500)
    status = it.breaker.status(it.now)
    assert (status.state, status.calls, status.failures, status.slow_calls) == (State.FORCED_CLOSED, 500, 500, 500)
    assert status.share == 1.0


def test_reset_leaves_a_forced_state_for_the_closed_one_with_nothing_remembered() -> None:
    it = Driven()
    it.breaker.force_closed(it.now)
    it.call(ok=False, times=500)
    it.breaker.reset(it.now)
    status = it.breaker.status(it.now)
    assert (status.state, status.calls, status.openings) == (State.CLOSED, 0, 0)
    assert [change.why for change in it.seen] == ["forced", "reset"]


def test_reset_forgets_the_openings_in_a_row() -> None:
    it = Driven(open_s=5)
    it.slow_start()
    it.breaker.reset(it.now)
    it.open()
    assert it.breaker.status(it.now).retry_after_s == 5


def test_forcing_a_breaker_that_is_long_closed_finds_no_openings_to_remember() -> None:
    it = Driven(window_s=30)
    it.close_again()
    it.wait(30)
    it.breaker.force_open(it.now)
    assert it.breaker.status(it.now).openings == 0


def test_a_failure_long_after_slow_start_opens_a_closed_breaker() -> None:
    it = Driven(minimum_calls=1)
    it.slow_start()
    late = it.take()
    it.wait(1000)
    it.end(late, ok=False)
    assert it.states[-3:] == [State.SLOW_START, State.CLOSED, State.OPEN]


@pytest.mark.parametrize("prepare", ["open", "half_open", "slow_start", "close_again"])
@pytest.mark.parametrize("force", ["force_open", "force_closed", "reset"])
def test_every_state_can_be_forced_and_permits_from_before_are_void(prepare: str, force: str) -> None:
    it = Driven(probes=5)
    before = it.take()
    getattr(it, prepare)()
    held = it.ask()
    getattr(it.breaker, force)(it.now)
    expected = {"force_open": State.FORCED_OPEN, "force_closed": State.FORCED_CLOSED, "reset": State.CLOSED}[force]
    assert it.state is expected
    for permit in (before, held):
        if isinstance(permit, Permit):
            it.end(permit, ok=False)
    assert it.breaker.status(it.now).calls == 0


@pytest.mark.parametrize("force", ["force_open", "force_closed"])
def test_forcing_twice_is_forcing_once(force: str) -> None:
    it = Driven()
    getattr(it.breaker, force)(it.now)
    era = it.breaker.status(it.now).era
    getattr(it.breaker, force)(it.now)
    assert it.breaker.status(it.now).era == era
    assert len(it.seen) == 1


def test_resetting_a_closed_breaker_empties_its_window_and_voids_its_permits_without_a_change_of_state() -> None:
    it = Driven()
    it.call(ok=False, times=19)
    held = it.take()
    it.breaker.reset(it.now)
    it.end(held, ok=False)
    assert it.breaker.status(it.now).calls == 0
    assert it.seen == []
