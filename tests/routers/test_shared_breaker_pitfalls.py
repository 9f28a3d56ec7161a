"""What went wrong in other breakers that several processes share, one test each."""

from routers.breaker import State
from routers.causes import Cause
from tests.routers.conftest import Fleet
from tests.together import Process


def test_resilience4j_903_half_open_is_not_stuck_when_a_process_dies_with_its_probes(fleet: Fleet) -> None:
    """See https://github.com/resilience4j/resilience4j/issues/903 for what went wrong."""
    it = fleet(2, probes=3, probe_timeout_s=30)
    it.half_open()
    dying, left = it.processes
    for _ in range(3):
        dying.probe()
    it.processes = [left]
    left.ask()
    left.exchange()
    assert left.ask() is Cause.BREAKER_OPEN, "all places are taken"
    it.wait(30.001)
    for _ in range(2):
        left.end(left.probe())
    assert left.exchange().state is State.SLOW_START


def test_resilience4j_903_a_probe_that_outlives_its_lease_still_counts_within_its_trial(fleet: Fleet) -> None:
    """See https://github.com/resilience4j/resilience4j/issues/903 for what went wrong."""
    it = fleet(2, probes=3, probe_timeout_s=30)
    it.half_open()
    streams = [(process, process.probe()) for process in (*it.processes, it.processes[0])]
    it.wait(600)
    for process, permit in streams[:2]:
        process.end(permit, seconds=600)
    it.exchange()
    assert it.states == {State.SLOW_START}


def test_resilience4j_1721_a_call_costs_the_store_nothing(fleet: Fleet) -> None:
    """https://github.com/resilience4j/resilience4j/issues/1721: no fleet's state, because each call would have to ask.

    Also https://github.com/nodeshift/opossum/issues/675, and #419 and #1284 of resilience4j.
    """
    it = fleet(2)
    it.processes[0].call(times=1000)
    assert not it.processes[0].hurries, "a thousand good calls are one line at the next poll"
    assert it.processes[0].exchange().calls == 1000


def test_resilience4j_1394_a_few_slow_calls_of_every_process_do_not_open(fleet: Fleet) -> None:
    """See https://github.com/resilience4j/resilience4j/issues/1394 for what went wrong."""
    it = fleet(4, minimum_calls=5, slow_call_ms=100, slow_call_rate=0.5, minimum_slow_calls=20)
    for process in it.processes:
        process.call(seconds=2.0, times=4)
    it.exchange()
    assert it.states == {State.CLOSED}, "16 slow calls, and slowness has a minimum of its own"
    it.processes[0].call(seconds=2.0, times=4)
    it.exchange()
    assert it.states == {State.OPEN}


def test_pybreaker_24_no_process_lengthens_the_wait_of_an_open_breaker(fleet: Fleet) -> None:
    """https://github.com/danielfm/pybreaker/issues/24: with a shared Redis opened_at was written again and again."""
    it = fleet(4, open_s=5)
    late = [(process, [process.take() for _ in range(40)]) for process in it.processes]
    it.open()
    ends = it.now + 5
    while it.now < ends - 0.2:
        it.wait(0.1)
        for process, permits in late:
            if permits:
                process.end(permits.pop(), ok=False)
            process.exchange()
        left = {round((process.breaker.status(process.now).retry_after_s or 0) + it.now, 3) for process in it.processes}
        assert left == {ends}
    Process(it, 3.0).exchange()
    it.wait(0.3)
    it.exchange()
    assert it.states == {State.HALF_OPEN}


def test_pybreaker_24_processes_that_trip_at_the_same_time_open_it_once(fleet: Fleet) -> None:
    """See https://github.com/danielfm/pybreaker/issues/24 for what went wrong."""
    it = fleet(4, open_s=5)
    for process in it.processes:
        process.call(ok=False, times=20)
        it.wait(0.1)
    it.exchange()
    assert {process.breaker.status(process.now).openings for process in it.processes} == {1}
    assert it.processes[3].breaker.status(it.processes[3].now).retry_after_s is not None
    it.wait(4.7)
    it.exchange()
    assert it.states == {State.HALF_OPEN}


def test_trinity_698_a_dead_backend_is_asked_as_rarely_by_many_processes_as_by_one(fleet: Fleet) -> None:
    """https://github.com/Abilityai/trinity/pull/698: per-worker breakers sent N times the probes, without backoff."""
    it = fleet(8, luck=0.5)
    it.open()
    probed, end = 0, it.now + 3600
    while it.now < end:
        for process in it.processes:
            permit = process.ask()
            if not isinstance(permit, Cause):
                probed += 1
                process.end(permit, ok=False)
            if process.hurries:
                process.exchange()
        it.wait(1.0)
        it.processes[round(it.now) % 8].exchange()
    assert probed <= 48, "an hour of outage costs the fleet sixteen trials of three calls"


def test_yuzu_3018_one_success_does_not_bring_the_fleet_back(fleet: Fleet) -> None:
    """See https://github.com/Tr3kkR/Yuzu/issues/3018 for what went wrong."""
    it = fleet(4, probes=3, failure_rate=1.0)
    it.half_open()
    it.processes[0].end(it.processes[0].probe())
    it.exchange()
    assert it.states == {State.HALF_OPEN}
    it.processes[1].end(it.processes[1].probe())
    it.exchange()
    answers = [process.ask() for process in it.processes for _ in range(100)]
    assert answers.count(Cause.SLOW_START) == 4 * 90


def test_deer_flow_3991_a_probe_that_proves_nothing_makes_room_in_the_fleet(fleet: Fleet) -> None:
    """See https://github.com/bytedance/deer-flow/pull/3991 for what went wrong."""
    it = fleet(2, probes=1)
    it.half_open()
    one, other = it.processes
    for _ in range(10):
        permit = one.probe()
        one.breaker.release(permit)
        assert one.hurries
        one.exchange()
        assert it.states == {State.HALF_OPEN}
    other.end(other.probe())
    it.exchange()
    assert it.states == {State.SLOW_START}


def test_nemo_agent_toolkit_2158_late_results_of_any_process_do_not_decide_half_open(fleet: Fleet) -> None:
    """See https://github.com/NVIDIA/NeMo-Agent-Toolkit/pull/2158 for what went wrong."""
    it = fleet(2, probes=1)
    late = [(process, process.take()) for process in it.processes for _ in range(30)]
    it.half_open()
    probing = it.processes[0].probe()
    for number, (process, permit) in enumerate(late):
        process.end(permit, ok=number % 2 == 0)
    it.exchange()
    assert it.states == {State.HALF_OPEN}
    assert it.processes[0].exchange().calls == 0
    it.processes[0].end(probing)
    it.exchange()
    assert it.states == {State.SLOW_START}


def test_nemo_agent_toolkit_2158_a_result_told_late_does_not_decide_a_later_trial(fleet: Fleet) -> None:
    """See https://github.com/NVIDIA/NeMo-Agent-Toolkit/pull/2158 for what went wrong."""
    it = fleet(2, probes=2, probe_timeout_s=1, open_s=5)
    it.half_open()
    slow, other = it.processes
    slow.end(slow.probe())
    delayed, asked = slow.tell()
    other.end(other.probe(), ok=False)
    other.exchange()
    it.wait(10.001)
    assert other.exchange().state is State.HALF_OPEN
    heard = it.judge(delayed)
    assert (heard.state, heard.calls) == (State.HALF_OPEN, 0)
    slow.breaker.hear(heard, asked=asked, now=slow.now)
    it.exchange()
    assert it.states == {State.HALF_OPEN}


def test_a_crash_of_redis_during_half_open_leaves_nobody_waiting_for_probes(fleet: Fleet) -> None:
    it = fleet(2, probes=2)
    it.half_open()
    for process in it.processes:
        process.probe()
        process.breaker.alone(process.now)
    for process in it.processes:
        process.call(times=2)
    assert it.states == {State.SLOW_START}
