"""How alike two rankings are: overlap, rank-biased overlap, and Kendall's tau-b."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate
from math import sqrt


def overlap(control: Sequence[str], candidate: Sequence[str], k: int) -> float:
    """Share of the first k ids that both lists have, whatever their order; 1 for two empty lists.

    Of lists shorter than k it is the share of the longer one, so that a list always agrees with itself.
    """
    first, second = {*control[:k]}, {*candidate[:k]}
    return len(first & second) / max(len(first), len(second)) if first or second else 1.0


def rbo(control: Sequence[str], candidate: Sequence[str], p: float) -> float:
    """Rank-biased overlap of two lists without repetitions, extrapolated to the depth nobody has seen.

    Webber, Moffat, Zobel, "A similarity measure for indefinite rankings", ACM TOIS 28(4), 2010, equation 32: RBO_EXT
    for lists of any two lengths. `p` is the chance that a reader goes on to the next rank: of p = 0.9, the first ten
    ranks carry 86 % of the weight. Two empty lists agree; an empty one and another do not at all.
    """
    if control == candidate:
        return 1.0
    short, long = sorted((control, candidate), key=len)
    if not short:
        return 0.0
    s, n = len(short), len(long)
    shared = list(accumulate(_newly_shared(short, long)))
    seen = sum(p**d * shared[d - 1] / d for d in range(1, n + 1))
    assumed = sum(p**d * shared[s - 1] * (d - s) / (s * d) for d in range(s + 1, n + 1))
    beyond = (shared[-1] - shared[s - 1]) / n + shared[s - 1] / s
    return min(1.0, max(0.0, (1 - p) / p * (seen + assumed) + beyond * p**n))


def _newly_shared(short: Sequence[str], long: Sequence[str]) -> Iterable[int]:
    """Yield, for each depth, how many ids both lists have by then that they did not both have before."""
    in_short: set[str] = set()
    in_long: set[str] = set()
    for depth, below in enumerate(long):
        above = short[depth] if depth < len(short) else None
        yield (above == below) + (above in in_long) + (below in in_short)
        in_long.add(below)
        if above is not None:
            in_short.add(above)


def tau_b(control: Sequence[float], candidate: Sequence[float]) -> float | None:
    """Kendall's tau-b of two values per item: 1 for the same order, -1 for the reverse, ties neither.

    Kendall, "The treatment of ties in ranking problems", Biometrika 33(3), 1945; pairs out of order are counted as
    Knight, JASA 61, 1966 does. None if fewer than two items are given, or one side ties them all.
    """
    pairs = sorted(zip(control, candidate, strict=True))
    everything = _pairs(len(pairs))
    tied = [_tied(values) for values in (control, candidate, pairs)]
    untied = (everything - tied[0]) * (everything - tied[1])
    if untied == 0:
        return None
    discordant = _inversions([value for _, value in pairs])
    concordant = everything - tied[0] - tied[1] + tied[2] - discordant
    return min(1.0, max(-1.0, (concordant - discordant) / sqrt(untied)))


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def _tied(values: Iterable[Hashable]) -> int:
    return sum(map(_pairs, Counter(values).values()))


def _inversions(values: Iterable[float]) -> int:
    before: list[float] = []
    inverted = 0
    for value in values:
        inverted += len(before) - bisect_right(before, value)
        insort(before, value)
    return inverted
