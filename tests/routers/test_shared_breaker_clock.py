"""Redis' clock is set back, as when another node takes over: nothing lasts longer for it, and nobody is ignored."""

from routers.breaker import State
from tests.routers.conftest import Fleet
from tests.together import Together

HOUR_S = 3600.0


def set_back(it: Together) -> None:
    """Set Redis' clock back and leave those of the processes as they are."""
    it.now -= HOUR_S
    for process in it.processes:
        process.skew += HOUR_S
    it.exchange()


def test_an_open_breaker_is_probed_after_its_wait_all_the_same(fleet: Fleet) -> None:
    it = fleet(open_s=5)
    it.open()
    set_back(it)
    it.wait(5.001)
    it.exchange()
    assert it.states == {State.HALF_OPEN}


def test_an_order_is_obeyed_all_the_same(fleet: Fleet) -> None:
    it = fleet()
    one, other = it.processes
    one.breaker.force_open(one.now)
    it.exchange()
    set_back(it)
    it.wait(1)
    other.breaker.reset(other.now)
    it.exchange()
    assert it.states == {State.CLOSED}


def test_probes_of_a_process_that_died_make_room_all_the_same(fleet: Fleet) -> None:
    it = fleet(probes=2)
    it.half_open()
    one, other = it.processes
    for _ in range(2):
        one.probe()
    set_back(it)
    it.processes.remove(one)
    it.wait(it.policy.probe_timeout_s + 1)
    for _ in range(2):
        other.end(other.probe())
        other.exchange()
    assert other.state in {State.SLOW_START, State.CLOSED}


def test_failures_are_forgotten_after_the_window_all_the_same(fleet: Fleet) -> None:
    it = fleet(window_s=10, minimum_calls=10)
    one, _ = it.processes
    one.call(ok=False, times=9)
    it.exchange()
    set_back(it)
    it.wait(20)
    it.exchange()
    one.call(times=1)
    it.exchange()
    assert it.states == {State.CLOSED}
    assert one.breaker.status(one.now).calls == 1
