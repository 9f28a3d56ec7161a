"""Sum results up, in whole numbers, so that tallies of many processes can be added in any order."""

from dataclasses import dataclass

from routers.compare.result import Result

MILLION = 1_000_000
BINS = 11
"""Ten of a width of 0.1, from 0 up, and one for answers that agree wholly."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many results there were, and how far they agreed: the sum in millionths, and a histogram of BINS bins."""

    judged: int = 0
    unjudged: int = 0
    millionths: int = 0
    histogram: tuple[int, ...] = (0,) * BINS

    @classmethod
    def of(cls, result: Result) -> "Tally":
        """Begin a tally with one result."""
        if result.agreement is None:
            return cls(unjudged=1)
        millionths = _millionths(result.agreement)
        filled = millionths * (BINS - 1) // MILLION
        return cls(1, 0, millionths, tuple(int(place == filled) for place in range(BINS)))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.judged + other.judged,
            self.unjudged + other.unjudged,
            self.millionths + other.millionths,
            tuple(map(sum, zip(self.histogram, other.histogram, strict=True))),
        )

    @property
    def agreement(self) -> float | None:
        """The mean agreement of what was judged, None of nothing."""
        return self.millionths / (MILLION * self.judged) if self.judged else None


def _millionths(agreement: float) -> int:
    """Round, but never up to whole agreement: there is a difference somewhere."""
    return MILLION if agreement >= 1 else min(round(agreement * MILLION), MILLION - 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a candidate stands: all its results, and of the calls for which the control was asked twice, both results.

    A backend that does not answer one question the same way twice (a language model, a clock in the answer) never
    agrees wholly with anything. How far it agrees with itself is the noise floor: `noise` compares the control's second
    answer with its first, and `paired` the candidate's answer to the same calls with that first answer.
    """

    candidate: Tally = Tally()
    paired: Tally = Tally()
    noise: Tally = Tally()

    @classmethod
    def of(cls, candidate: Result, second_control: Result | None = None) -> "Standing":
        """Begin with one call; a pair of which one result could not be judged says nothing about noise."""
        alone = Tally.of(candidate)
        if second_control is None or candidate.agreement is None or second_control.agreement is None:
            return cls(alone)
        return cls(alone, alone, Tally.of(second_control))

    def __add__(self, other: "Standing") -> "Standing":
        return Standing(self.candidate + other.candidate, self.paired + other.paired, self.noise + other.noise)

    @property
    def agreement_minus_noise(self) -> float | None:
        """Mean, over the paired calls, of the candidate's agreement less the control's agreement with itself.

        0: the candidate differs from the control no more than the control from itself, so nothing speaks against it,
        however low the agreement. Below 0: by so much it differs more, which no noise explains. Above 0: it is nearer
        to the control's first answer than the second was, as of a candidate that is steadier. None without pairs.
        """
        if not self.noise.judged:
            return None
        return (self.paired.millionths - self.noise.millionths) / (MILLION * self.noise.judged)
