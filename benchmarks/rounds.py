"""Measurements of HTTP in turn: every target once a round, so that what changes on the machine hits all alike."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks.conditions import Effort
from benchmarks.load import Measured, Request, drive
from benchmarks.report import say

WARM_UP_S = 1.0


class Target(NamedTuple):
    """What is asked, and on how many connections."""

    request: Request
    connections: int


class Taken(NamedTuple):
    """All measurements of one target."""

    measured: Sequence[Measured]

    @property
    def per_second(self) -> list[float]:
        """Answers a second, round by round."""
        return [each.per_second for each in self.measured]

    @property
    def p50_ms(self) -> list[float]:
        """Medians of the time to the answer."""
        return [each.p50_ms for each in self.measured]

    @property
    def p99_ms(self) -> list[float]:
        """99th percentiles of the time to the answer."""
        return [each.p99_ms for each in self.measured]

    @property
    def columns(self) -> dict[str, list[float]]:
        """What a table shows of them."""
        return {"req/s": self.per_second, "p50 ms": self.p50_ms, "p99 ms": self.p99_ms}

    @property
    def failures(self) -> int:
        """How many calls failed in all."""
        return sum(each.failures for each in self.measured)


def in_turn(targets: Mapping[str, Target], effort: Effort, core: int | None) -> dict[str, Taken]:
    """Measure every target once a round, forwards in one and backwards in the next, after warming each up."""
    for target in targets.values():
        drive(target.request, target.connections, WARM_UP_S, core)
    measured: dict[str, list[Measured]] = {name: [] for name in targets}
    order = list(targets)
    for number in range(1, effort.pairs + 1):
        say(f"  round {number} of {effort.pairs}")
        for name in order:
            target = targets[name]
            measured[name].append(drive(target.request, target.connections, effort.seconds, core))
        order.reverse()
    return {name: Taken(each) for name, each in measured.items()}


def failed(taken: Mapping[str, Taken]) -> list[str]:
    """Return a warning for each target that did not answer every call."""
    return [f"{name}: {each.failures:,} calls failed" for name, each in taken.items() if each.failures]
