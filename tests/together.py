"""Several processes' breakers over a real Redis, in time that is moved by hand: the script's clock is ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from redis import Redis

from app.stores.redis_breaker_script import EXCHANGE
from app.stores.redis_breakers import Telling, arguments_of, heard_in, keys_of
from routers.breaker import Permit, State, Transition
from routers.causes import Cause
from routers.fleet import Heard
from routers.model import BreakerPolicy
from routers.shared_breaker import SharedBreaker
from tests.servers import OURS, redis_url

IN_OUR_TIME = EXCHANGE.replace("redis.call('TIME')", "redis.call('LRANGE', ARGV[1] .. ':time', 0, 1)")
assert IN_OUR_TIME != EXCHANGE


class Process:
    """One process's breaker, its clock `skew` seconds ahead of the others', and what it does with calls."""

    def __init__(self, fleet: "Together", skew: float) -> None:
        self.fleet = fleet
        self.skew = skew
        self.seen: list[Transition] = []
        self.hurries = False
        self.breaker = SharedBreaker(fleet.policy, lambda: fleet.luck, self.seen.append, fleet.name, self._hurry)

    def _hurry(self, _: SharedBreaker) -> None:
        self.hurries = True

    @property
    def now(self) -> float:
        """The time on the process's own clock."""
        return self.fleet.now + self.skew

    @property
    def state(self) -> State:
        """What it does with the next call."""
        return self.breaker.status(self.now).state

    @property
    def openings(self) -> int:
        """How often it was seen to open."""
        return [change.after for change in self.seen].count(State.OPEN)

    def tell(self) -> tuple[Telling, float]:
        """What it tells, and when."""
        self.hurries = False
        return Telling(self.breaker.name, self.breaker.rules, self.breaker.tell(self.now)), self.now

    def exchange(self) -> Heard:
        """Tell and hear, at once."""
        telling, asked = self.tell()
        heard = self.fleet.judge(telling)
        self.breaker.hear(heard, asked=asked, now=self.now)
        return heard

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

    def probe(self) -> Permit:
        """Get a probe from the fleet, if there is none at hand by asking once in vain, and use it."""
        answer = self.ask()
        if isinstance(answer, Permit):
            return answer
        self.exchange()
        return self.take()


class Together:
    """A fleet of processes with one breaker; `luck` is what chance will say."""

    _names = count()

    def __init__(self, client: "Redis", processes: int = 2, luck: float = 0.0, **policy: float | None) -> None:
        self.now = 1_800_000_000.0
        self.luck = luck
        self.policy = BreakerPolicy.model_validate(policy)
        self.name = f"breaker-{next(self._names)}"
        self._client = client
        self._prefix = f"{{{OURS}}}"
        self._script = client.register_script(IN_OUR_TIME)
        self.processes = [Process(self, 100.0 * number) for number in range(processes)]
        self.exchange()

    def judge(self, telling: Telling) -> Heard:
        """Have Redis judge what a process tells, at the fleet's time."""
        arguments = arguments_of([telling], self._prefix)
        clock = f"{arguments[0]!s}:time"
        with self._client.pipeline() as together:
            together.delete(clock)
            together.rpush(clock, int(self.now), round(self.now % 1 * 1_000_000))
            together.execute()
        [heard] = heard_in(self._script(keys_of([telling], self._prefix), arguments))
        return heard

    def forget(self) -> None:
        """Lose everything that Redis knows."""
        self._client.delete(*self._client.keys(f"{self._prefix}:breaker:{self.name}:*"))

    def exchange(self) -> None:
        """Let every process tell and hear, twice, so that all have heard of all."""
        for process in [*self.processes, *self.processes]:
            process.exchange()

    def hurry(self) -> None:
        """Let those tell and hear who cannot wait, and then all, as they would hear of a change."""
        if any(process.hurries for process in self.processes):
            self.exchange()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @property
    def states(self) -> set[State]:
        """The states that processes are in."""
        return {process.state for process in self.processes}

    def open(self) -> None:
        """Let the first process fail until it opens, and all hear of it."""
        self.processes[0].call(ok=False, times=self.policy.minimum_calls)
        self.exchange()
        assert self.states == {State.OPEN}

    def sit_out(self) -> None:
        """Let the open wait end."""
        process = self.processes[0]
        self.wait((process.breaker.status(process.now).retry_after_s or 0.0) + 0.001)
        self.exchange()
        assert self.states == {State.HALF_OPEN}

    def half_open(self) -> None:
        """Open, and sit the wait out."""
        self.open()
        self.sit_out()


@contextmanager
def redis_client_of(folder: Path) -> Iterator["Redis"]:
    """Connect to a Redis of the tests."""
    with redis_url(folder) as url, Redis.from_url(url, decode_responses=True) as client:
        yield client
