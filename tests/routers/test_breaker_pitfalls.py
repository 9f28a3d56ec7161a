"""What went wrong in other breakers, one test each.

- resilience4j 903, 1394: https://github.com/resilience4j/resilience4j/issues/903, …/issues/1394
- pybreaker 24: https://github.com/danielfm/pybreaker/issues/24
- trinity 698: https://github.com/Abilityai/trinity/pull/698
- yuzu 3018: https://github.com/Tr3kkR/Yuzu/issues/3018
- deer-flow 3991: https://github.com/bytedance/deer-flow/pull/3991
- nemo-agent-toolkit 2158: https://github.com/NVIDIA/NeMo-Agent-Toolkit/pull/2158
"""

from routers.breaker import Permit, State
from routers.causes import Cause
from tests.routers.driven import Driven


def test_resilience4j_903_half_open_is_not_stuck_when_probes_never_end() -> None:
    it = Driven(probes=3, probe_timeout_s=30)
    it.half_open()
    lost = [it.take() for _ in range(3)]
    it.wait(29)
    assert it.ask() is Cause.BREAKER_OPEN
    it.wait(1)
    assert it.breaker.admits(it.now)
    it.call(times=2)
    assert it.state is State.SLOW_START
    it.end(lost[0], ok=False)
    assert it.breaker.status(it.now).failures == 0


def test_resilience4j_903_probes_farther_apart_than_the_window_are_judged_all_the_same() -> None:
    it = Driven(window_s=1, minimum_calls=10, probes=3)
    it.half_open()
    it.call()
    it.wait(3600)
    it.call()
    assert it.state is State.SLOW_START


def test_resilience4j_903_a_probe_that_outlives_its_lease_still_counts_within_its_trial() -> None:
    it = Driven(probes=3, probe_timeout_s=30)
    it.half_open()
    long_streams = [it.take() for _ in range(3)]
    it.wait(600)
    for permit in long_streams[:2]:
        it.end(permit, seconds=600)
    assert it.state is State.SLOW_START


def test_resilience4j_1394_a_few_slow_calls_among_few_do_not_open() -> None:
    it = Driven(minimum_calls=5, slow_call_ms=100, slow_call_rate=0.5, minimum_slow_calls=20)
    it.call(seconds=2.0, times=19)
    assert it.state is State.CLOSED, "all of them slow, but slowness has a minimum of its own"
    it.call(seconds=2.0)
    assert it.state is State.OPEN


def test_pybreaker_24_neither_questions_nor_late_failures_lengthen_the_wait() -> None:
    it = Driven(open_s=5)
    late = [it.take() for _ in range(50)]
    it.open()
    until = it.breaker.status(it.now).open_until
    for permit in late:
        it.wait(0.09)
        it.end(permit, ok=False)
        assert it.ask() is Cause.BREAKER_OPEN
        assert it.breaker.status(it.now).open_until == until
    it.wait(0.5)
    assert isinstance(it.ask(), Permit)


def test_trinity_698_a_dead_backend_is_asked_ever_more_rarely() -> None:
    it = Driven(luck=0.5)
    it.open()
    probed = 0
    while it.now < 1000 + 3600:
        permit = it.ask()
        if isinstance(permit, Permit):
            probed += 1
            it.end(permit, ok=False)
        it.wait(0.1)
    assert probed <= 36, "an hour of outage costs at most three dozen calls"


def test_trinity_698_but_never_given_up_for_dead() -> None:
    it = Driven(probes=1)
    it.open()
    for _ in range(100):
        it.sit_out()
        it.call(ok=False)
    it.sit_out()
    it.call()
    it.wait(it.policy.slow_start_s)
    assert it.state is State.CLOSED


def test_yuzu_3018_one_success_does_not_bring_everybody_back() -> None:
    it = Driven(probes=3, failure_rate=1.0)
    it.half_open()
    it.call()
    assert it.state is State.HALF_OPEN, "one of three probes is not most of them, whatever the failure rate"
    it.call()
    admitted = [it.ask() for _ in range(100)]
    assert sum(isinstance(permit, Permit) for permit in admitted) == 10
    assert admitted.count(Cause.SLOW_START) == 90


def test_deer_flow_3991_a_probe_that_proves_nothing_makes_room_for_another() -> None:
    it = Driven(probes=1)
    it.half_open()
    for _ in range(10):
        permit = it.take()
        assert it.ask() is Cause.BREAKER_OPEN
        it.breaker.release(permit)
        assert it.state is State.HALF_OPEN
    it.call()
    assert it.state is State.SLOW_START


def test_nemo_agent_toolkit_2158_a_late_result_from_before_does_not_decide_half_open() -> None:
    it = Driven(probes=1)
    late_success, late_failure, late_neutral = it.take(), it.take(), it.take()
    it.half_open()
    probe = it.take()
    before = it.breaker.status(it.now)
    it.end(late_success)
    it.end(late_failure, ok=False)
    it.breaker.release(late_neutral)
    assert it.breaker.status(it.now) == before
    assert it.ask() is Cause.BREAKER_OPEN, "the probe still has its place"
    it.end(probe)
    assert it.state is State.SLOW_START


def test_nemo_agent_toolkit_2158_a_probe_of_an_earlier_trial_does_not_decide_a_later_one() -> None:
    it = Driven(probes=3)
    it.half_open()
    late, *others = [it.take() for _ in range(3)]
    for permit in others:
        it.end(permit, ok=False)
    assert it.state is State.OPEN
    it.sit_out()
    for _ in range(3):
        it.take()
    before = it.breaker.status(it.now)
    it.end(late, ok=False)
    it.breaker.release(late)
    assert it.breaker.status(it.now) == before
    assert it.ask() is Cause.BREAKER_OPEN, "nor does it free a place in it"
