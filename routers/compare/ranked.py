"""Compare two ranked lists of ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from routers.compare.model import Measure, RankedComparison
from routers.compare.paths import Place, Step, Wild, each, written
from routers.compare.ranks import overlap, rbo, tau_b
from routers.compare.reading import name_of, read_json
from routers.compare.result import MOST_DIFFERENCES, Difference, Flaw, Kind, Ranks, Result, excerpt


@dataclass(frozen=True, slots=True)
class Ranking:
    """The first k ids of an answer, best first, each with its score or its rank, and whether it has what was asked."""

    standing: dict[str, float]
    scored: bool

    @property
    def ids(self) -> list[str]:
        """The ids, best first."""
        return [*self.standing]


def read_ranking(comparison: RankedComparison, body: bytes) -> Ranking | Flaw:
    """Read the ids an answer ranks; one that comes again counts where it came first."""
    document = read_json(body)
    if isinstance(document, Flaw):
        return document
    ids = each(document, comparison.items_steps)
    if ids is None:
        return Flaw.UNREADABLE
    ranks = range(0, -len(ids), -1)
    scores = ranks if comparison.scores_steps is None else each(document, comparison.scores_steps)
    scored = scores is not None and all(map(_is_number, scores))
    standing: dict[str, float] = {}
    for value, score in zip(ids, scores if scores is not None and scored else ranks, strict=True):
        if len(standing) == comparison.k:
            break
        standing.setdefault(name_of(value), score)
    return Ranking(standing, scored)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def judge_rankings(comparison: RankedComparison, control: Ranking, candidate: Ranking) -> Result:
    """Compare two rankings; what differs is told rank by rank."""
    shared = [name for name in control.standing if name in candidate.standing]
    ranks = Ranks(
        overlap=overlap(control.ids, candidate.ids, comparison.k),
        rbo=rbo(control.ids, candidate.ids, comparison.p),
        tau=_tau(control, candidate, shared),
        shared=len(shared),
    )
    different = [
        _difference(comparison.items_steps, rank, first, second)
        for rank, (first, second) in enumerate(zip_longest(control.ids, candidate.ids))
        if first != second
    ]
    agreement = ranks.overlap if comparison.measure is Measure.OVERLAP else ranks.rbo
    return Result(agreement, tuple(different[:MOST_DIFFERENCES]), len(different), ranks=ranks)


def _tau(control: Ranking, candidate: Ranking, shared: Sequence[str]) -> float | None:
    if not control.scored or not candidate.scored:
        return None
    return tau_b([control.standing[name] for name in shared], [candidate.standing[name] for name in shared])


def _difference(steps: Sequence[Step], rank: int, control: str | None, candidate: str | None) -> Difference:
    kind = Kind.ADDED if control is None else Kind.MISSING if candidate is None else Kind.VALUE
    place: Place = None
    for step in steps:
        place = place, rank if isinstance(step, Wild) else step
    shown = [None if name is None else excerpt(name) for name in (control, candidate)]
    return Difference(written(place), kind, *shown)
