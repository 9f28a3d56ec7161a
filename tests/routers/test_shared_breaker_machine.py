"""A fleet whose messages are late or lost, whose clocks differ and whose processes die."""

from collections import Counter, deque
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from redis import Redis

from app.stores.redis_breakers import Telling
from routers.breaker import Permit, State
from routers.fleet import Heard
from tests.together import Process, Together

MOST = 4

policies = st.fixed_dictionaries(
    {
        "failure_rate": st.sampled_from([0.5, 1.0]),
        "minimum_calls": st.integers(1, 6),
        "window_s": st.integers(1, 40),
        "open_s": st.sampled_from([0.5, 2.0]),
        "open_max_s": st.sampled_from([5.0, 10.0]),
        "probes": st.integers(1, 3),
        "probe_timeout_s": st.sampled_from([1.0, 4.0]),
        "slow_start_s": st.sampled_from([0.0, 5.0]),
    }
)
quarters = st.integers(0, 20).map(lambda quarter: quarter / 4)
someone = st.integers(0, MOST - 1)


class FleetMachine(RuleBasedStateMachine):
    """Each process has at most one message under way; what it no longer waits for may still arrive."""

    client: ClassVar["Redis"]

    @initialize(policy=policies, processes=st.integers(2, MOST))
    def begin(self, policy: dict[str, float], processes: int) -> None:
        self.it = Together(self.client, processes, **policy)
        self.asked: dict[Process, tuple[Telling, float]] = {}
        self.answered: dict[Process, tuple[Heard, float]] = {}
        self.astray: deque[Telling] = deque()
        self.held: list[tuple[Process, Permit, float]] = []

    def one(self, number: int) -> Process:
        """The process of a number."""
        return self.it.processes[number % len(self.it.processes)]

    @rule(step=quarters)
    def wait(self, step: float) -> None:
        self.it.wait(step)

    @rule(who=someone)
    def send(self, who: int) -> None:
        process = self.one(who)
        if process not in self.asked and process not in self.answered:
            self.asked[process] = process.tell()

    @rule(who=someone)
    def arrive(self, who: int) -> None:
        process = self.one(who)
        if process in self.asked:
            telling, asked = self.asked.pop(process)
            self.answered[process] = self.it.judge(telling), asked

    @rule(who=someone)
    def hear(self, who: int) -> None:
        process = self.one(who)
        if process in self.answered:
            heard, asked = self.answered.pop(process)
            process.breaker.hear(heard, asked=asked, now=process.now)

    @rule(who=someone)
    def whole(self, who: int) -> None:
        for step in (self.send, self.arrive, self.hear):
            step(who)

    @rule(who=someone)
    def lose(self, who: int) -> None:
        process = self.one(who)
        lost, _ = self.asked.pop(process, (None, 0.0))
        if lost or self.answered.pop(process, None):
            event("lost")
            process.breaker.alone(process.now)
        if lost:
            self.astray.append(lost)

    @rule()
    def arrive_too_late(self) -> None:
        if self.astray:
            self.it.judge(self.astray.popleft())

    @rule(who=someone)
    def open_and_sit_out(self, who: int) -> None:
        """Bring a probe within reach of everybody whose messages flow."""
        process = self.one(who)
        if process.state is State.CLOSED:
            self.call(who, self.it.policy.minimum_calls, ok=False)
            self.whole(who)
        self.it.wait(process.breaker.status(process.now).retry_after_s or 0.0)
        for number in range(len(self.it.processes)):
            self.whole(number)

    @rule(who=someone, times=st.integers(1, 4))
    def ask_and_ask_again(self, who: int, times: int) -> None:
        self.ask(who, times)
        self.whole(who)
        self.ask(who, times)

    @rule(who=someone, rarely=st.integers(0, 4))
    def die(self, who: int, rarely: int) -> None:
        if rarely:
            return
        process = self.one(who)
        place = self.it.processes.index(process)
        self.asked.pop(process, None)
        self.answered.pop(process, None)
        self.held = [each for each in self.held if each[0] is not process]
        self.it.processes[place] = Process(self.it, process.skew + 10)

    @rule(who=someone, times=st.integers(1, 8), ok=st.booleans())
    def call(self, who: int, times: int, ok: bool) -> None:
        process = self.one(who)
        for _ in range(times):
            answer = process.ask()
            if isinstance(answer, Permit):
                process.end(answer, ok=ok)

    @rule(who=someone, times=st.integers(1, 4))
    def ask(self, who: int, times: int) -> None:
        process = self.one(who)
        for _ in range(times):
            places = [since for _, since in process.breaker._trial._at_hand]
            answer = process.ask()
            if isinstance(answer, Permit):
                since = places[0] if answer.probe and not process.breaker.is_alone else process.now
                self.held.append((process, answer, since + self.it.policy.probe_timeout_s))

    @rule(pick=st.integers(0, 100), ok=st.sampled_from([True, False, None]))
    def end(self, pick: int, ok: bool | None) -> None:
        if self.held:
            process, permit, _ = self.held.pop(pick % len(self.held))
            if ok is None:
                process.breaker.release(permit)
            else:
                process.end(permit, ok=ok)

    @rule(who=someone, order=st.sampled_from(["force_open", "force_closed", "reset"]), rarely=st.integers(0, 4))
    def order(self, who: int, order: str, rarely: int) -> None:
        if rarely:
            return
        process = self.one(who)
        getattr(process.breaker, order)(process.now)

    @invariant()
    def probes_are_no_more_than_are_allowed(self) -> None:
        """Of one trial of the fleet, so many at most are at hand or under way within their leases."""
        if not hasattr(self, "it"):
            return
        counts = Counter(self.probes())
        event(f"{max(counts.values(), default=0)} of {self.it.policy.probes} probes")
        assert all(count <= self.it.policy.probes for count in counts.values()), counts

    def probes(self) -> Iterator[int]:
        """Yield the fleet's era of every probe within its lease."""
        lease_s = self.it.policy.probe_timeout_s
        for process in self.it.processes:
            breaker = process.breaker
            if breaker.is_alone:
                continue
            for _, since in breaker._trial._at_hand:
                if since + lease_s > process.now:
                    yield breaker._fleet_era
        for process, permit, ends in self.held:
            breaker = process.breaker
            if permit.probe and permit.era == breaker._era and not breaker.is_alone and ends > process.now:
                yield breaker._fleet_era

    def teardown(self) -> None:
        """When messages flow again all are one, stay so, and close."""
        if not hasattr(self, "it"):
            return
        for number in range(MOST):
            self.lose(number)
        while self.astray:
            self.arrive_too_late()
        self.are_one()
        if self.it.states <= {State.FORCED_OPEN, State.FORCED_CLOSED}:
            event("forced")
            self.it.processes[0].breaker.reset(self.it.processes[0].now)
            self.are_one()
        policy = self.it.policy
        deadline = self.it.now + policy.open_max_s + policy.slow_start_s + 3 * policy.probe_timeout_s + 5
        while self.it.states != {State.CLOSED}:
            assert self.it.now < deadline, f"wedged in {self.it.states}"
            self.it.wait(0.25)
            for number in range(len(self.it.processes)):
                self.call(number, 1, ok=True)
                self.whole(number)

    def are_one(self) -> None:
        """All are in one state, and no exchange changes it any more."""
        self.it.exchange()
        assert len(self.it.states) == 1, self.it.states
        seen = [len(process.seen) for process in self.it.processes]
        self.it.exchange()
        assert seen == [len(process.seen) for process in self.it.processes]


@pytest.fixture(autouse=True, scope="module")
def in_redis(redis: "Redis") -> None:
    FleetMachine.client = redis


TestFleetMachine = FleetMachine.TestCase
TestFleetMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
