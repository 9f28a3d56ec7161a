"""Which callers GrowthBook takes: places of its hash, told as buckets of ours.

GrowthBook divides a hash of 1,000 (version 1) or 10,000 (version 2) places by their number and compares floats; a
share of callers is a run of whole places, found here by the very comparison.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from operator import itemgetter

from app.translate.logic import When, some
from app.translate.model import Document
from flags.bucketing import BUCKETS

PLACES = {1: 1000, 2: 10_000}
"""By version of the hash."""

Run = tuple[int, int]
"""Places from the first on and below the second."""

Share = tuple[float, float]
"""Callers from a fraction on and below another, as GrowthBook writes them."""

LEAST_SUM, GREATEST_SUM = 0.99, 1.01


@dataclass(frozen=True, slots=True)
class Hash:
    """How callers are hashed: the attributes of ours of which the first that is there counts, the seed, the version."""

    by: tuple[str, ...]
    seed: str
    version: int

    @property
    def bucketing(self) -> str:
        """The name a flag of ours gives the algorithm."""
        return f"growthbook-{self.version}"

    def run(self, share: Share) -> Run:
        """Return the places that lie in the share."""
        size = PLACES[self.version]
        begin, end = (bisect_left(range(size), edge, key=lambda place: place / size) for edge in share)
        return begin, end

    def bucket(self, place: int) -> int:
        """Return the first bucket of ours of a place."""
        return place * BUCKETS // PLACES[self.version]

    def takes(self, runs: Iterable[Run]) -> When:
        """Return the condition that a caller's place lies in one of the runs."""
        return some(self._takes(run) for run in runs)

    def _takes(self, run: Run) -> When:
        begin, end = run
        if begin >= end:
            return False
        places: Document = {"from": self.bucket(begin), "to": self.bucket(end)}
        return {"bucket": {"by": [*self.by], "salt": self.seed, "bucketing": self.bucketing, **places}}


def below(coverage: float) -> Share:
    """Return the share of a rollout to so many callers."""
    return 0, coverage


def assigned(hashed: Hash, shares: Sequence[Share]) -> list[list[Run]]:
    """Return for each share the places it has: those that no earlier one has taken."""
    runs = [hashed.run(share) for share in shares]
    edges = sorted({edge for run in runs for edge in run})
    owners = [(_first_with(runs, begin), (begin, end)) for begin, end in pairwise(edges)]
    taken: list[list[Run]] = [[] for _ in shares]
    for owner, pieces in groupby(owners, key=itemgetter(0)):
        if owner is not None:
            whole = [piece for _, piece in pieces]
            taken[owner].append((whole[0][0], whole[-1][1]))
    return taken


def laid_out(count: int, coverage: float, weights: Sequence[float] | None) -> list[Share]:
    """Return the shares of an experiment: each variation's begins where the weights before it end."""
    given = weights if weights is not None and _are_weights(weights, count) else [1 / count] * count
    begins = accumulate(given, initial=0.0)
    covered = min(max(coverage, 0), 1)
    return [(begin, begin + covered * weight) for begin, weight in zip(begins, given, strict=False)]


def _are_weights(weights: Sequence[float], count: int) -> bool:
    """Say whether GrowthBook uses the weights; it gives everyone the same instead of any others."""
    has_all = len(weights) == count and all(weight >= 0 for weight in weights)
    return has_all and LEAST_SUM <= sum(weights) <= GREATEST_SUM


def _first_with(runs: Sequence[Run], place: int) -> int | None:
    return next((index for index, (begin, end) in enumerate(runs) if begin <= place < end), None)
