"""How alike two rankings are: overlap, rank-biased overlap, and Kendall's tau-b."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import accumulate, zip_longest
from math import sqrt


def overlap(control: Sequence[str], candidate: Sequence[str], k: int) -> float:
    """Share of the first k ids that both lists have, whatever their order; 1 for two empty lists.

    Of lists shorter than k it is the share of the longer one, so that a list always agrees with itself.
    """
    first, second = {*control[:k]}, {*candidate[:k]}
    return len(first & second) / max(len(first), len(second)) if first or second else 1.0


def rbo(control: Sequence[str], candidate: Sequence[str], p: float) -> float:
    """Rank-biased overlap of two lists without repetitions, extrapolated to the depth nobody has seen.

    Webber, Moffat, Zobel, "A similarity measure for indefinite rankings", ACM TOIS 28(4), 2010, RBO_EXT for lists of
    one length: `p` is the chance that a reader goes on to the next rank (of p = 0.9, the first ten ranks carry 86 % of
    the weight), and below the last rank both go on to agree as they did down to it. Of two lengths the shorter list
    has ended, and shares nothing at the ranks it lacks. The paper's equation 32 takes it for one that was not looked at
    further; a candidate that knows but the best of ten ids would agree wholly. Two empty lists do.
    """
    if control == candidate:
        return 1.0
    depths = max(len(control), len(candidate))
    shared = list(accumulate(_newly_shared(control, candidate)))
    seen = sum(p**depth * both / depth for depth, both in enumerate(shared, 1))
    return min(1.0, (1 - p) / p * seen + p**depths * shared[-1] / depths)


def _newly_shared(control: Sequence[str], candidate: Sequence[str]) -> Iterator[int]:
    """Yield, for each depth, how many ids both lists have by then that they did not both have before."""
    above: tuple[set[str | None], set[str | None]] = set(), set()
    for ours, theirs in zip_longest(control, candidate):
        yield (ours == theirs) + (ours in above[1]) + (theirs in above[0])
        above[0].add(ours)
        above[1].add(theirs)


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
