"""What a list of films is worth to somebody of whom it is known which films he liked later."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log2

import numpy as np

from .interactions import Interaction, Vector

SHARE = 0.2
TOP = 10
LIKED = 0.75
"""The weight from which an interaction counts as liked: four stars."""

Liked = Mapping[str, frozenset[str]]


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
