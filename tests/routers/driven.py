"""A breaker with its clock, its chance and its log at hand."""

from routers.breaker import Breaker, Permit, State, Transition
from routers.causes import Cause
from routers.model import BreakerPolicy


class Driven:
    """A breaker whose time is moved by hand; `seen` are its changes, `luck` is what chance will say."""

    def __init__(self, luck: float = 0.0, **policy: float | None) -> None:
        self.now = 1000.0
        self.luck = luck
        self.seen: list[Transition] = []
        self.policy = BreakerPolicy.model_validate(policy)
        self.breaker = Breaker(self.policy, lambda: self.luck, self.seen.append)

    @property
    def state(self) -> State:
        """The state at this moment."""
        return self.breaker.status(self.now).state

    @property
    def states(self) -> list[State]:
        """The states entered so far."""
        return [change.after for change in self.seen]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def ask(self) -> Permit | Cause:
        """Ask for a permit."""
        return self.breaker.permit(self.now)

    def take(self) -> Permit:
        """A permit that has to be given."""
        permit = self.ask()
        assert isinstance(permit, Permit), f"refused: {permit}"
        return permit

    def end(self, permit: Permit, *, ok: bool = True, seconds: float = 0.01) -> None:
        """Record one result."""
        self.breaker.record(permit, ok=ok, seconds=seconds, now=self.now)

    def call(self, *, ok: bool = True, seconds: float = 0.01, times: int = 1) -> None:
        """Carry calls, one after the other, each of which has to be admitted."""
        for _ in range(times):
            self.end(self.take(), ok=ok, seconds=seconds)

    def open(self) -> None:
        """Fail until it opens."""
        self.call(ok=False, times=self.policy.minimum_calls)
        assert self.state is State.OPEN

    def half_open(self) -> None:
        """Fail until it opens, and sit the wait out."""
        self.open()
        self.sit_out()

    def sit_out(self) -> None:
        """Let an open breaker's wait end."""
        self.now = self.breaker.status(self.now).open_until or self.now
        assert self.state is State.HALF_OPEN

    def slow_start(self) -> None:
        """Open, wait, and let the probes do well."""
        self.half_open()
        while self.state is State.HALF_OPEN:
            self.call()

    def close_again(self) -> None:
        """Open, and come back to the closed state."""
        self.slow_start()
        self.wait(self.policy.slow_start_s)
        assert self.state is State.CLOSED
