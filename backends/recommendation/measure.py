"""How good the answers are: both sides against what users did later, with nothing of that in what they learned from.

`python -m backends.recommendation.measure` prints the figures.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log2
from statistics import mean
from typing import NamedTuple, get_args

import numpy as np

from . import movielens
from .engine import Engine, Side
from .interactions import History, Interaction, Vector, hold_out
from .query import Query

SHARE = 0.2
TOP = 10
LIKED = 0.75
"""The weight from which an interaction counts as liked: four stars."""

Liked = Mapping[str, frozenset[str]]


class Quality(NamedTuple):
    """Means over users, each between 0 and 1."""

    recall: float
    ndcg: float
    pairs: float


def recall(found: Sequence[str], relevant: frozenset[str]) -> float:
    """Return the share of the relevant items that were found, of as many as there was room for."""
    return len(relevant.intersection(found)) / min(len(found), len(relevant))


def ndcg(found: Sequence[str], relevant: frozenset[str]) -> float:
    """Return the discounted gain of the list over that of the best one: early hits count more."""
    gain = sum(1 / log2(rank + 1) for rank, item in enumerate(found, 1) if item in relevant)
    return gain / sum(1 / log2(rank + 1) for rank in range(1, min(len(found), len(relevant)) + 1))


def ordered_pairs(liked: Vector, others: Vector) -> float:
    """Return how often a liked item has a higher score than another, ties counting half: the area under ROC."""
    ascending = np.sort(others)
    below = np.searchsorted(ascending, liked, "left") + np.searchsorted(ascending, liked, "right")
    return float(below.mean() / 2 / len(others))


def liked_later(later: Iterable[Interaction]) -> Liked:
    """Return what each user liked among the rows; users who liked nothing are not there."""
    liked: defaultdict[str, set[str]] = defaultdict(set)
    for row in later:
        if row.weight >= LIKED:
            liked[row.user].add(row.item)
    return {user: frozenset(items) for user, items in liked.items()}


def measure(engine: Engine, liked: Liked) -> Quality:
    """Ask an engine that did not learn what is liked for TOP films a user, rules and all."""
    return Quality(*map(mean, zip(*(_of_user(engine, *one) for one in liked.items()), strict=True)))


def _of_user(engine: Engine, user: str, liked: frozenset[str]) -> Quality:
    choice = engine.choose(Query(user_id=user, count=TOP))
    found = [film.id for film in choice.films]
    return Quality(recall(found, liked), ndcg(found, liked), _pairs(engine, user, choice.ranking.scores, liked))


def _pairs(engine: Engine, user: str, scores: Vector, liked: frozenset[str]) -> float:
    """Compare within what the user had not met; a film that nobody had met has the score 0."""
    items = engine.history.items
    unmet = ~engine.history.met[engine.history.users[user]]
    unmet[[items[item] for item in liked if item in items]] = False
    return ordered_pairs(np.array([scores[items[item]] if item in items else 0 for item in liked]), scores[unmet])


def main() -> None:
    """Print a line for each side."""
    catalogue = movielens.load()
    earlier, later = hold_out(catalogue.interactions, SHARE)
    history, liked = History.of(earlier), liked_later(later)
    sys.stdout.write(f"{len(liked)} users, {sum(map(len, liked.values()))} films they liked later\n")
    for side in get_args(Side):
        quality = measure(Engine.of(side, catalogue, history, None), liked)
        sys.stdout.write(f"{side}: {' '.join(f'{name} {value:.3f}' for name, value in quality._asdict().items())}\n")


if __name__ == "__main__":
    main()
