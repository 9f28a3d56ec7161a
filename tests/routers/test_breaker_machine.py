"""The breaker against a naive one, under everything that can happen to it in any order."""

from fractions import Fraction

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from routers.breaker import BreakerStatus, Permit, State
from routers.causes import Cause
from tests.routers.driven import Driven
from tests.routers.naive_breaker import NaiveBreaker

ORDERS = {"force_open": State.FORCED_OPEN, "force_closed": State.FORCED_CLOSED, "reset": State.CLOSED}

tenths = st.integers(1, 10).map(lambda tenth: Fraction(tenth, 10))
quarters = st.one_of(st.integers(0, 6), st.integers(0, 80)).map(lambda quarter: quarter / 4)
# with eighths every sum of times is exact, and both breakers may add them up in their own order
luck = st.integers(0, 7).map(lambda eighth: eighth / 8)
policies = st.fixed_dictionaries(
    {
        "failure_rate": tenths,
        "slow_call_rate": tenths,
        "slow_call_ms": st.sampled_from([None, 500]),
        "minimum_calls": st.integers(1, 6),
        "minimum_slow_calls": st.integers(1, 4),
        "window_s": st.integers(1, 6),
        "open_s": st.sampled_from([0.5, 2.0, 5.0]),
        "open_max_s": st.sampled_from([5.0, 10.0, 60.0]),
        "probes": st.integers(1, 4),
        "probe_timeout_s": st.sampled_from([1.0, 4.0]),
        "slow_start_s": st.sampled_from([0.0, 5.0, 8.0, 12.0]),
    }
)


class BreakerMachine(RuleBasedStateMachine):
    """Questions, results, cancellations, waits and operators."""

    @initialize(policy=policies)
    def begin(self, policy: dict[str, Fraction | int]) -> None:
        """Make one of each under the same policy."""
        numbers = {name: float(value) if isinstance(value, Fraction) else value for name, value in policy.items()}
        self.it = Driven(**numbers)
        self.naive = NaiveBreaker((Fraction(policy["failure_rate"]), Fraction(policy["slow_call_rate"])), numbers)
        self.held: list[Permit] = []
        self.owed = self.admitted = Fraction(0)
        self.rationed_era = 0

    @rule(step=quarters)
    def wait(self, step: float) -> None:
        """Let time pass."""
        self.it.wait(step)
        self.naive.pass_time(self.it.now)

    @precondition(lambda self: self.naive.state is State.OPEN)
    @rule(good=st.integers(0, 4))
    def sit_out(self, good: int) -> None:
        """Let an open breaker's wait end, and some probes go well."""
        self.wait(self.it.breaker.status(self.it.now).retry_after_s or 0.0)
        self.call(good, failed=False, slow=False, luck=0.0)

    @rule(times=st.integers(1, 8))
    def ask(self, times: int) -> None:
        """Ask for permits and hold what is given."""
        for _ in range(times):
            self.held += self.asked_once()

    @rule(times=st.integers(1, 8), failed=st.booleans(), slow=st.booleans(), luck=luck)
    def call(self, times: int, failed: bool, slow: bool, luck: float) -> None:
        """Ask, and when admitted end at once."""
        for _ in range(times):
            for permit in self.asked_once():
                self.ended(permit, failed, slow, luck)

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 1000), failed=st.booleans(), slow=st.booleans(), luck=luck)
    def end(self, pick: int, failed: bool, slow: bool, luck: float) -> None:
        """End a call that was admitted some time ago."""
        self.ended(self.held.pop(pick % len(self.held)), failed, slow, luck)

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 1000))
    def cancel(self, pick: int) -> None:
        """Cancel a call that was admitted some time ago: nothing is to be seen of it but a free place."""
        permit = self.held.pop(pick % len(self.held))
        before = self.it.breaker.status(self.it.now)
        self.it.breaker.release(permit)
        self.naive.leases.pop(permit, None)
        assert self.it.breaker.status(self.it.now) == before

    @precondition(lambda self: self.naive.state in {State.FORCED_OPEN, State.FORCED_CLOSED})
    @rule()
    def reset(self) -> None:
        """Leave a forced state."""
        self.command("reset")

    @rule(order=st.sampled_from(list(ORDERS)))
    def command(self, order: str) -> None:
        """Force a state, or reset."""
        getattr(self.it.breaker, order)(self.it.now)
        if order == "reset" or self.naive.state is not ORDERS[order]:
            self.naive.enter(ORDERS[order], self.it.now)
        if order == "reset":
            self.naive.openings = 0

    @invariant()
    def is_what_the_naive_one_is(self) -> None:
        """State, era and counts are those of the naive breaker."""
        if not hasattr(self, "it"):
            return
        status, results = self.it.breaker.status(self.it.now), self.naive.counted(self.it.now)
        assert (status.state, status.era) == (self.naive.state, self.naive.era)
        assert status.openings == self.naive.openings
        assert status.calls == len(results)
        assert status.failures == sum(failed for failed, _ in results)
        assert status.slow_calls == sum(slow for _, slow in results)

    def asked_once(self) -> list[Permit]:
        """Ask both for a permit, and compare."""
        naive, now = self.naive, self.it.now
        refusal = self.it.breaker.refusal(now)
        answer = self.it.ask()
        assert refusal == (None if isinstance(answer, Permit) else answer), "a look says what a question would"
        if naive.state is State.SLOW_START:
            self.is_rationed(isinstance(answer, Permit))
        elif naive.admits():
            assert isinstance(answer, Permit)
        else:
            assert answer is Cause.BREAKER_OPEN
        if not isinstance(answer, Permit):
            return []
        event(f"admitted while {naive.state}")
        assert answer[:2] == (naive.era, naive.state is State.HALF_OPEN)
        if answer.probe:
            naive.leases[answer] = now + naive.policy["probe_timeout_s"]
            assert len(naive.leases) <= naive.policy["probes"]
        return [answer]

    def is_rationed(self, admitted: bool) -> None:
        """Slow start has admitted as many as the shares of all questions make together, give or take one."""
        if self.rationed_era != self.naive.era:
            self.rationed_era, self.owed, self.admitted = self.naive.era, Fraction(0), Fraction(0)
        age = Fraction(self.it.now - self.naive.since) / Fraction(self.naive.policy["slow_start_s"])
        self.owed += Fraction(1, 10) + Fraction(9, 10) * age
        self.admitted += admitted
        assert abs(self.admitted - self.owed) <= 1

    def ended(self, permit: Permit, failed: bool, slow: bool, luck: float) -> None:
        """Tell both of a result, and compare."""
        it, naive = self.it, self.naive
        before = it.breaker.status(it.now)
        it.luck = luck
        it.end(permit, ok=not failed, seconds=0.6 if slow else 0.1)
        after = it.breaker.status(it.now)
        if permit.era != before.era:
            event("late result")
            assert after == before, "an older era changes nothing"
        elif naive.end(permit, (failed, slow and it.policy.slow_call_ms is not None), it.now):
            event(f"opened while {before.state}")
            self.is_a_fair_opening(before, after)
            naive.openings += 1
            naive.wait = (after.open_until or 0.0) - it.now
            naive.enter(State.OPEN, it.now)

    def is_a_fair_opening(self, before: BreakerStatus, after: BreakerStatus) -> None:
        """It took enough calls, and the wait is neither too short nor too long."""
        policy, rounding = self.it.policy, 1e-6
        enough = after.calls >= policy.minimum_calls or after.slow_calls >= policy.minimum_slow_calls
        assert enough or before.state is State.HALF_OPEN
        wait, doubled = after.retry_after_s or 0.0, policy.open_s * 2**self.naive.openings
        assert wait >= policy.open_s
        assert wait >= min(doubled, policy.open_max_s / 1.25) - rounding
        assert wait <= min(doubled * 1.25, policy.open_max_s) + rounding

    def teardown(self) -> None:
        """Whatever happened and whatever never comes back, good traffic closes it again in bounded time."""
        if not hasattr(self, "it"):
            return
        it, policy = self.it, self.it.policy
        if self.naive.state in ORDERS.values():
            it.breaker.reset(it.now)
        bound = policy.open_max_s + policy.probe_timeout_s + 0.25 * policy.probes + policy.slow_start_s + 1
        deadline = it.now + bound
        while it.state is not State.CLOSED:
            assert it.now < deadline, f"wedged in {it.state}"
            it.wait(0.25)
            answer = it.ask()
            if isinstance(answer, Permit):
                it.end(answer)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
