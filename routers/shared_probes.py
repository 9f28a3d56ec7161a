"""The trial of a half-open breaker that a fleet makes together: who may try is given out, what was found is told."""

from collections.abc import Sequence

from .fleet import Result
from .model import BreakerPolicy
from .probes import Probes

KEPT_S = 1.0
"""How long a probe may lie unused before others get it: who waits for it has had no call in that time."""


class SharedProbes(Probes):
    """The fleet's probes that this process has; while it `is_alone`, a trial of its own."""

    __slots__ = ("_are_taken", "_asks", "_at_hand", "_given_s", "_out", "_results", "_unused", "_wanted", "is_alone")

    def __init__(self, policy: BreakerPolicy) -> None:
        self.is_alone = True
        self._given_s = policy.probe_timeout_s
        super().__init__(policy)

    def restart(self) -> None:
        """Begin another trial, with no probe at hand and nothing to tell."""
        super().restart()
        self._at_hand: list[tuple[int, float]] = []
        self._out: dict[int, int] = {}
        self._results: list[Result] = []
        self._unused: list[int] = []
        self._wanted = 0
        self._asks = False
        self._are_taken = False

    def has_room(self, now: float) -> bool:
        """Whether one more call may try now."""
        if self.is_alone:
            return super().has_room(now)
        self._at_hand = [(probe, since) for probe, since in self._at_hand if since + self._given_s > now]
        return bool(self._at_hand)

    def want(self) -> bool:
        """Note that a call found no probe, and say whether it is worth asking before the next poll."""
        self._wanted += 1
        return self._wanted == 1 and not self._are_taken

    def take(self, now: float) -> int:
        """The number of a new probe."""
        number = super().take(now)
        if not self.is_alone:
            self._out[number] = self._at_hand.pop(0)[0]
        return number

    def give_back(self, number: int) -> None:
        """Free the place of a probe that proved nothing."""
        super().give_back(number)
        if number in self._out:
            self._unused.append(self._out.pop(number))

    def count(self, number: int, *, failed: bool, slow: bool) -> None:
        """Count a probe's result, or keep it for the fleet."""
        if self.is_alone:
            super().count(number, failed=failed, slow=slow)
        elif number in self._out:
            super().give_back(number)
            self._results.append(Result(self._out.pop(number), failed, slow))

    def put_at_hand(self, probes: Sequence[int], since: float) -> None:
        """Take what the fleet gives; the places are held from `since` on. None means that all are taken."""
        self._are_taken = self._asks and not probes
        self._at_hand += [(probe, since) for probe in probes]

    def news(self, now: float) -> tuple[Sequence[Result], Sequence[int], int]:
        """Hand over what the fleet has to know: results, probes not used, and how many more are wanted."""
        unused = [probe for probe, since in self._at_hand if since + KEPT_S <= now]
        self._at_hand = [(probe, since) for probe, since in self._at_hand if since + KEPT_S > now]
        told = self._results, self._unused + unused, self._wanted
        self._asks = self._wanted > 0
        self._results, self._unused, self._wanted = [], [], 0
        return told
