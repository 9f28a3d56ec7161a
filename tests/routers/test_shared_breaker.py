"""What breakers of several processes make of each other's calls."""

import pytest

from routers.breaker import Permit, State
from routers.causes import Cause
from tests.routers.conftest import Fleet
from tests.together import Process


def test_one_process_trips_and_all_stop(fleet: Fleet) -> None:
    it = fleet(4)
    it.processes[0].call(ok=False, times=20)
    assert it.processes[0].hurries, "it does not wait for the next poll"
    assert it.processes[0].exchange().state is State.OPEN
    assert [other.exchange().state for other in it.processes[1:]] == [State.OPEN] * 3
    assert it.states == {State.OPEN}
    assert len({process.breaker.status(process.now).retry_after_s for process in it.processes}) == 1


def test_four_that_each_see_a_part_trip_together(fleet: Fleet) -> None:
    it = fleet(4, minimum_calls=20)
    for process in it.processes:
        process.call(ok=False, times=5)
        assert process.state is State.CLOSED
        assert process.hurries, "a quarter of what opens is told at once"
        process.exchange()
    it.exchange()
    assert it.states == {State.OPEN}


def test_the_windows_of_the_fleet_are_judged_together(fleet: Fleet) -> None:
    it = fleet(2, minimum_calls=20, failure_rate=0.5)
    one, other = it.processes
    one.call(times=80)
    one.exchange()
    other.call(ok=False, times=19)
    other.exchange()
    it.exchange()
    assert it.states == {State.CLOSED}, "a fifth of the fleet's calls"


def test_the_window_of_the_fleet_slides(fleet: Fleet) -> None:
    it = fleet(2, minimum_calls=20, window_s=30)
    for seconds in (0, 31):
        it.wait(seconds)
        for process in it.processes:
            process.call(ok=False, times=8)
            process.exchange()
    it.exchange()
    assert it.states == {State.CLOSED}
    assert it.processes[0].breaker.status(it.processes[0].now).failures == 16


def test_slow_calls_of_the_fleet_open_it_too(fleet: Fleet) -> None:
    it = fleet(2, slow_call_ms=100, minimum_slow_calls=20, minimum_calls=1000)
    for process in it.processes:
        process.call(seconds=1.0, times=10)
    it.exchange()
    assert it.states == {State.OPEN}


def test_of_all_processes_together_so_many_probe_as_are_allowed(fleet: Fleet) -> None:
    it = fleet(4, probes=3)
    it.half_open()
    answers = []
    for _ in range(5):
        answers += [process.ask() for process in it.processes]
        it.exchange()
    assert sum(isinstance(answer, Permit) for answer in answers) == 3
    assert answers.count(Cause.BREAKER_OPEN) == 17


def test_good_probes_of_two_processes_let_the_fleet_start_slowly_and_close(fleet: Fleet) -> None:
    it = fleet(2, probes=3)
    it.half_open()
    for process in it.processes:
        process.end(process.probe())
    it.exchange()
    assert it.states == {State.SLOW_START}
    assert {process.breaker.status(process.now).share for process in it.processes} == {0.1}
    it.wait(it.policy.slow_start_s + 0.001)
    assert it.states == {State.CLOSED}
    it.exchange()
    assert it.states == {State.CLOSED}


def test_bad_probes_open_it_for_longer(fleet: Fleet) -> None:
    it = fleet(2, probes=3, open_s=5)
    it.half_open()
    for process in it.processes:
        process.end(process.probe(), ok=False)
    it.exchange()
    assert it.states == {State.OPEN}
    assert {process.breaker.status(process.now).retry_after_s for process in it.processes} == {10.0}


def test_a_probe_that_nobody_used_is_given_to_others(fleet: Fleet) -> None:
    it = fleet(2, probes=1)
    it.half_open()
    idle, busy = it.processes
    idle.ask()
    idle.exchange()
    busy.ask()
    busy.exchange()
    assert busy.ask() is Cause.BREAKER_OPEN
    it.wait(1)
    idle.exchange()
    busy.exchange()
    assert isinstance(busy.ask(), Permit)
    assert idle.ask() is Cause.BREAKER_OPEN


def test_an_order_reaches_every_process_and_those_that_start_later(fleet: Fleet) -> None:
    it = fleet(3)
    it.processes[0].breaker.force_open(it.processes[0].now)
    it.exchange()
    assert it.states == {State.FORCED_OPEN}
    late = Process(it, 7.0)
    late.exchange()
    assert late.state is State.FORCED_OPEN
    it.processes[1].breaker.reset(it.processes[1].now)
    it.exchange()
    assert it.states == {State.CLOSED}
    it.processes[2].breaker.force_closed(it.processes[2].now)
    it.exchange()
    assert it.states == {State.FORCED_CLOSED}
    it.processes[0].call(ok=False, times=200)
    it.exchange()
    assert it.states == {State.FORCED_CLOSED}


def test_an_order_given_while_redis_was_away_is_told_afterwards_and_the_later_one_counts(fleet: Fleet) -> None:
    it = fleet(2)
    one, other = it.processes
    for process in it.processes:
        process.breaker.alone(process.now)
    one.breaker.force_open(one.now)
    it.wait(1)
    other.breaker.force_closed(other.now)
    assert (one.state, other.state) == (State.FORCED_OPEN, State.FORCED_CLOSED)
    assert not one.breaker.is_shared
    it.wait(60)
    other.exchange()
    one.exchange()
    it.exchange()
    assert it.states == {State.FORCED_CLOSED}
    assert one.breaker.is_shared


def test_an_order_whose_answer_was_lost_is_told_again(fleet: Fleet) -> None:
    it = fleet(2)
    one, other = it.processes
    one.breaker.force_open(one.now)
    telling, _ = one.tell()
    one.breaker.alone(one.now)
    it.wait(1)
    it.exchange()
    assert it.states == {State.FORCED_OPEN}
    assert telling.told.order is not None
    other.breaker.reset(other.now)
    it.exchange()
    assert it.states == {State.CLOSED}


def test_a_breaker_that_opened_while_redis_was_away_opens_the_others_when_it_is_back(fleet: Fleet) -> None:
    it = fleet(3, open_s=60)
    one = it.processes[0]
    one.breaker.alone(one.now)
    it.wait(1)
    one.call(ok=False, times=20)
    until = it.now + 60
    it.wait(10)
    it.exchange()
    assert it.states == {State.OPEN}
    for process in it.processes:
        status = process.breaker.status(process.now)
        assert status.open_until == pytest.approx(until + process.skew, abs=0.01), "as long as it was open already"


def test_alone_a_process_probes_by_itself_and_what_it_found_counts_afterwards(fleet: Fleet) -> None:
    it = fleet(2, probes=3)
    it.half_open()
    one = it.processes[0]
    one.breaker.alone(one.now)
    it.wait(1)
    one.call(times=2)
    assert one.state is State.SLOW_START
    it.exchange()
    assert it.states == {State.SLOW_START}


def test_a_redis_that_forgot_everything_learns_it_from_the_processes(fleet: Fleet) -> None:
    it = fleet(2)
    it.processes[0].breaker.force_open(it.processes[0].now)
    it.exchange()
    it.forget()
    it.exchange()
    assert it.states == {State.FORCED_OPEN}
    it.processes[0].breaker.reset(it.processes[0].now)
    it.exchange()
    it.open()
    it.forget()
    it.exchange()
    assert it.states == {State.OPEN}


def test_a_trip_before_the_answer_of_an_older_question_is_not_undone_by_it(fleet: Fleet) -> None:
    it = fleet(2)
    one = it.processes[0]
    telling, asked = one.tell()
    heard = it.judge(telling)
    one.call(ok=False, times=20)
    one.breaker.hear(heard, asked=asked, now=one.now)
    assert one.state is State.OPEN
    it.exchange()
    assert it.states == {State.OPEN}


def test_alone_from_the_start_it_is_a_breaker_like_any_other(fleet: Fleet) -> None:
    it = fleet(0)
    one = Process(it, 0.0)
    one.call(ok=False, times=20)
    assert one.state is State.OPEN
    it.wait(5)
    one.call(times=2)
    assert one.state is State.SLOW_START
    assert not one.breaker.is_shared


def test_a_breaker_in_the_place_of_another_continues_what_a_person_forced(fleet: Fleet) -> None:
    it, new = fleet(2), fleet(2)
    it.processes[0].breaker.force_open(it.processes[0].now)
    it.exchange()
    it.wait(100)
    new.now = it.now
    for before, after in zip(it.processes, new.processes, strict=True):
        after.breaker.take_place_of(before.breaker, after.now)
    new.exchange()
    assert new.states == {State.FORCED_OPEN}
    new.processes[1].breaker.reset(new.processes[1].now)
    new.exchange()
    assert new.states == {State.CLOSED}


def test_a_backend_that_gets_its_old_address_back_has_a_breaker_that_remembers_nothing(fleet: Fleet) -> None:
    it, between = fleet(2), fleet(2)
    it.processes[0].breaker.force_open(it.processes[0].now)
    it.exchange()
    it.wait(60)
    again = [Process(it, process.skew) for process in it.processes]
    for before, after in zip(between.processes, again, strict=True):
        after.breaker.take_place_of(before.breaker, after.now)
    it.processes = again
    it.exchange()
    assert it.states == {State.CLOSED}
    it.wait(60)
    again[0].breaker.force_open(again[0].now)
    it.exchange()
    assert it.states == {State.FORCED_OPEN}


def test_a_trip_that_others_saw_just_after_a_change_is_not_forgotten(fleet: Fleet) -> None:
    it, before = fleet(1), fleet(1)
    it.open()
    it.wait(1)
    late = Process(it, 0.0)
    late.breaker.take_place_of(before.processes[0].breaker, late.now)
    late.exchange()
    assert late.state is State.OPEN
