"""What a process tells its fleet about one breaker, and what it hears. Times here are how long ago, or from now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .breaker import JITTER, State
from .model import BreakerPolicy
from .probes import MOST

NEVER_SLOW = 2.0
"""A share that no number of slow calls reaches."""


class News(StrEnum):
    """What is new about the state a process tells.

    `none`: it was heard. `trip`: the process opened the breaker, in the era it tells. `change`: it changed while the
    process was alone; the fleet takes it on if its own last change is older.
    """

    NONE = "none"
    TRIP = "trip"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants a breaker to be, and for how many seconds already."""

    state: State
    age_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a probe found."""

    probe: int
    failed: bool
    slow: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One breaker as one process has it.

    `era` is the fleet's as the process knows it, 0 for none. `left_s` is what an open wait still has to go, `wait_s`
    what it is in all. `calls`, `failures` and `slow_calls` ended in that era since they were told last. `unused` are
    probes that will not be made, or proved nothing; `wanted` is how many more are asked for.
    """

    era: int
    news: News
    state: State
    age_s: float
    left_s: float
    wait_s: float
    openings: int
    why: str
    order: Order | None
    calls: int
    failures: int
    slow_calls: int
    results: Sequence[Result]
    unused: Sequence[int]
    wanted: int
    chance: float


@dataclass(frozen=True, slots=True)
class Heard:
    """One breaker as the fleet has it; counts are the fleet's window's, or its probes' while half-open.

    `probes` may be made now, and each holds its place for `probe_timeout_s`.
    """

    era: int
    state: State
    age_s: float
    left_s: float
    wait_s: float
    openings: int
    why: str
    calls: int
    failures: int
    slow_calls: int
    probes: Sequence[int]


def rules_of(policy: BreakerPolicy) -> Mapping[str, float]:
    """Return a policy as numbers by which the fleet judges, the same as a process does alone."""
    slow_call_rate = NEVER_SLOW if policy.slow_call_ms is None else policy.slow_call_rate
    return {
        "failure_rate": policy.failure_rate,
        "slow_call_rate": slow_call_rate,
        "minimum_calls": policy.minimum_calls,
        "minimum_slow_calls": policy.minimum_slow_calls,
        "window_s": policy.window_s,
        "open_s": policy.open_s,
        "open_max_s": policy.open_max_s,
        "jitter": JITTER,
        "probes": policy.probes,
        "probe_failure_rate": min(policy.failure_rate, MOST),
        "probe_timeout_s": policy.probe_timeout_s,
        "slow_start_s": policy.slow_start_s,
    }
