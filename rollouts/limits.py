"""What is known of one limit, which verdict that is, and what would change it, in words."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rollouts.evidence import Verdict

FAR = 1000.0
"""Evidence that this many times the data would not give is not waited for."""

_WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.PASS)


class Limit(NamedTuple):
    """The evidence on one limit.

    `harm` is the log of the e-value against "the limit holds", over the whole rollout; `safe_at(factor)` that of the
    e-value for "it is `aim`", if in this step as many times as now had been seen, all alike. `missing` names what was
    not seen at all yet, `unknown` says why nothing can be foreseen; `seen` counts what was seen of the new side, in
    `units`.
    """

    harm: float
    safe_at: Callable[[float], float]
    aim: str
    seen: int
    missing: str = ""
    unknown: str = ""
    units: str = "calls"

    @property
    def safe(self) -> float:
        """The log of the e-value for the aim, as of now."""
        return 0.0 if self.missing else self.safe_at(1.0)

    def verdict(self, alpha_fail: float, alpha_pass: float) -> Verdict:
        """Judge it; what was shown to be broken in an earlier step stays so."""
        if self.harm >= -math.log(alpha_fail):
            return Verdict.FAIL
        if self.missing:
            return Verdict.NO_DATA
        return Verdict.PASS if self.safe >= -math.log(alpha_pass) else Verdict.INCONCLUSIVE

    def needs(self, alpha_pass: float) -> str:
        """Say what would let it pass."""
        if self.missing or self.unknown:
            return self.missing or self.unknown
        factor = _factor(self.safe_at, -math.log(alpha_pass))
        if factor is None:
            return f"as things are, more {self.units} would not show that {self.aim}"
        more = math.ceil((factor - 1) * self.seen)
        return f"about {_round(more):,} more {self.units} of the new side at this rate would show that {self.aim}"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict that counts when there are several."""
    return min(verdicts, key=_WORST_FIRST.index)


def _factor(log_e_at: Callable[[float], float], target: float) -> float | None:
    """Return how many times the data would bring the log of an e-value to the target, None for too many."""
    low, high = 1.0, 2.0
    while log_e_at(high) < target:
        low, high = high, 2 * high
        if high > FAR:
            return None
    while high - low > 0.01 * low:
        middle = (low + high) / 2
        low, high = (low, middle) if log_e_at(middle) >= target else (middle, high)
    return high


def _round(count: int) -> int:
    """Round to two digits: more would pretend to know the future."""
    digits = max(len(str(count)) - 2, 0)
    return round(count, -digits)
