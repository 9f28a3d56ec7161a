"""Ten minutes of a backend that is neither well nor dead, seen by four processes together."""

from random import Random

import pytest

from routers.breaker import Permit, State
from tests.routers.conftest import Fleet
from tests.together import Process, Together

MINUTES = 10
WORKERS = 4
TOOK = 0.05
STEP_S = 0.1


def brown_out(it: Together, bad_s: float, good_s: float, seed: int, failing: float = 0.6) -> tuple[int, int]:
    """Bursts in which `failing` of the calls fail; return how many calls were carried and how many failed.

    Processes are brought together every second, each in its own part of it, and one step after they hurry; half of
    the changes are not heard of.
    """
    chance, start, carried, failed = Random(seed), it.now, 0, 0
    for step in range(round(MINUTES * 60 / STEP_S)):
        it.now = start + step * STEP_S
        it.luck = chance.random()
        for number, process in enumerate(it.processes):
            if process.hurries or step % 10 == 2 * number:
                before = it.processes[0].breaker.status(process.now).era
                process.exchange()
                if before != it.processes[0].breaker.status(process.now).era:
                    for other in it.processes:
                        other.hurries = other.hurries or chance.random() < 0.5
            answer = process.ask()
            if isinstance(answer, Permit):
                ok = (it.now - start) % (bad_s + good_s) >= bad_s or chance.random() >= failing
                process.end(answer, ok=ok, seconds=TOOK)
                carried += 1
                failed += not ok
    return carried, failed


def count_of(process: Process, state: State) -> int:
    """Return how often a process was seen to enter a state."""
    return [change.after for change in process.seen].count(state)


@pytest.mark.parametrize(("bad_s", "good_s"), [(60, 60), (10, 5), (3, 40)])
def test_bursts_open_the_fleet_no_oftener_than_one_process(fleet: Fleet, bad_s: float, good_s: float) -> None:
    """The bounds are those of one process alone: 26 openings and 13 closings in ten minutes."""
    it = fleet(WORKERS)
    brown_out(it, bad_s, good_s, seed=1)
    for process in it.processes:
        assert count_of(process, State.OPEN) <= 26
        assert count_of(process, State.CLOSED) <= 13


def test_a_backend_that_fails_60_percent_all_the_time_is_opened_a_few_times_and_asked_a_few_calls(fleet: Fleet) -> None:
    it = fleet(WORKERS)
    _, failed = brown_out(it, 600, 0, seed=2)
    assert {count_of(process, State.OPEN) for process in it.processes} <= {*range(1, 9)}
    assert failed <= 250, "of 24,000 calls; the bound is that of one process alone"


def test_a_backend_that_fails_30_percent_all_the_time_is_left_alone(fleet: Fleet) -> None:
    it = fleet(WORKERS)
    carried, _ = brown_out(it, 600, 0, seed=3, failing=0.3)
    assert carried == 24_000
    assert all(process.seen == [] for process in it.processes)
