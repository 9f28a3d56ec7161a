"""The trial of a half-open breaker: a few calls, and what their results say."""

import math

from .model import BreakerPolicy

MOST = 0.5


class Probes:
    """At most `policy.probes` calls at a time, judged by their number and not by a window of time.

    The trial is lost as soon as the share of all `policy.probes` that failed must reach `failure_rate` (never
    more than half: a backend of whose probes most fail has not come back), or the share that was slow
    `slow_call_rate`. It is won as soon as neither can happen any more. A probe holds its place for
    `probe_timeout_s`; then another call may take it, for a call that is only long, such as a stream, proves
    nothing bad. Should the late one still end within the trial, its result counts like any other.
    """

    __slots__ = (
        "_asked",
        "_failure_rate",
        "_lease",
        "_leases",
        "_number",
        "_slow_call_rate",
        "calls",
        "failures",
        "slow_calls",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self._asked = policy.probes
        self._failure_rate = min(policy.failure_rate, MOST)
        self._slow_call_rate = math.inf if policy.slow_call_ms is None else policy.slow_call_rate
        self._lease = policy.probe_timeout_s
        self.restart()

    def restart(self) -> None:
        """Begin another trial."""
        self._leases: dict[int, float] = {}
        self._number = 0
        self.calls = 0
        self.failures = 0
        self.slow_calls = 0

    def has_room(self, now: float) -> bool:
        """Whether one more call may try now."""
        if self._is_full():
            self._leases = {number: until for number, until in self._leases.items() if until > now}
        return not self._is_full()

    def take(self, now: float) -> int:
        """The number of a new probe, which holds a place until it is given back or its lease ends."""
        self._number += 1
        self._leases[self._number] = now + self._lease
        return self._number

    def give_back(self, number: int) -> None:
        """Free the place of a probe that proved nothing."""
        self._leases.pop(number, None)

    def count(self, number: int, *, failed: bool, slow: bool) -> None:
        """Count a probe's result."""
        self.give_back(number)
        self.calls += 1
        self.failures += failed
        self.slow_calls += slow

    def are_lost(self) -> bool:
        """Whether too many have failed or were slow, whatever the others will do."""
        return self._condemn(self.failures, self.slow_calls)

    def are_won(self) -> bool:
        """Whether enough have gone well, whatever the others will do."""
        left = self._asked - self.calls
        return not self._condemn(self.failures + left, self.slow_calls + left)

    def _condemn(self, failures: int, slow_calls: int) -> bool:
        return failures / self._asked >= self._failure_rate or slow_calls / self._asked >= self._slow_call_rate

    def _is_full(self) -> bool:
        return self.calls + len(self._leases) >= self._asked
