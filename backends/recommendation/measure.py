"""How good the answers are: both sides against what users did later, with nothing of that in what they learned from.

`python -m backends.recommendation.measure` prints the figures.
"""

import sys
from statistics import mean
from typing import NamedTuple, get_args

import numpy as np

from . import movielens
from .engine import Engine, Side
from .interactions import History, Vector, hold_out
from .quality import SHARE, TOP, Liked, liked_later, ndcg, ordered_pairs, recall
from .query import Query


class Quality(NamedTuple):
    """Means over users, each between 0 and 1."""

    recall: float
    ndcg: float
    pairs: float


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
