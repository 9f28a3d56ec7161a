"""Whether units are split as they should be: a sequential test that may be looked at all the time.

Dirichlet-multinomial against multinomial (Lindon and Malek, NeurIPS 2022, arXiv 2011.03567). Each share has its own
counts, so that a ramp is no mismatch and leaves the test its power; the e-values of the shares are multiplied.
"""

import math
from dataclasses import dataclass

from rollouts.evidence import Judgement, Side, Verdict
from rollouts.wealth import e_value

ALPHA = 0.01
_PRIOR = 100.0


@dataclass(slots=True)
class SampleRatio:
    """Units by the side that they were assigned to; `share` is what the new side should have of those counted last."""

    share: float = 0.5
    new: int = 0
    control: int = 0
    before: float = 0.0
    all_new: int = 0
    all_control: int = 0

    def observe(self, share: float, new: int, control: int) -> None:
        """Count units that were assigned while the new side should have had `share` of them.

        A share of 0 or 1 leaves nothing to chance and is not counted.
        """
        if not 0 < share < 1:
            return
        if share != self.share:
            self.before = self.log_e
            self.share, self.new, self.control = share, 0, 0
        self.new += new
        self.control += control
        self.all_new += new
        self.all_control += control

    @property
    def log_e(self) -> float:
        """The log of the e-value against the right shares."""
        expected_new, expected_control = _PRIOR * self.share, _PRIOR * (1 - self.share)
        found = _log_beta(expected_new + self.new, expected_control + self.control)
        likelihood = self.new * math.log(self.share) + self.control * math.log1p(-self.share)
        return self.before + found - _log_beta(expected_new, expected_control) - likelihood

    def judge(self, alpha: float = ALPHA) -> Judgement:
        """Return FAIL when the split is shown to be wrong, NO_DATA without units, else PASS: nothing speaks against."""
        new, control = Side(self.all_new), Side(self.all_control)
        if not self.all_new + self.all_control:
            return Judgement(Verdict.NO_DATA, needs="no units yet")
        failed = self.log_e >= -math.log(alpha)
        words = f"the new side should have {self.share:.3%} of the units, and has {self._found:.3%}" if failed else ""
        return Judgement(
            Verdict.FAIL if failed else Verdict.PASS, new, control, e_harm=e_value(self.log_e), needs=words
        )

    @property
    def _found(self) -> float:
        counted = self.new + self.control
        return self.new / counted if counted else self.share


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
