"""The statistics by which claims are judged."""

import math
from collections.abc import Sequence


def three_sigma(users: int, percentage: float) -> tuple[int, int]:
    """Return the least and the most of so many users that a binomial share of `percentage` allows, 3 sigma wide."""
    return within_sigmas(users, percentage, 3)


def within_sigmas(users: int, percentage: float, sigmas: float) -> tuple[int, int]:
    """Return the same, so many sigma wide: more than 3 where it is judged over many groups of users."""
    share = percentage / 100
    reach = sigmas * math.sqrt(users * share * (1 - share))
    return math.ceil(users * share - reach), math.floor(users * share + reach)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of all do not exceed. Raises IndexError without values."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def by_chance(hits: int, tries: int, chance: float) -> float:
    """Return the probability of at least so many hits if each try has the same chance: the exact binomial tail.

    With chances that differ and have this mean, so many hits above it are less probable still.
    """
    return math.fsum(
        math.comb(tries, count) * chance**count * (1 - chance) ** (tries - count) for count in range(hits, tries + 1)
    )
