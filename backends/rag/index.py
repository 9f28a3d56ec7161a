"""Exact nearest passages by cosine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .corpus import Passage
from .embed import Vector
from .vectors import Matrix


@dataclass(frozen=True, slots=True)
class Match:
    """A passage and its cosine to the query, between -1 and 1."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Index:
    """Passages and their unit vectors, row for row."""

    passages: Sequence[Passage]
    matrix: Matrix

    def nearest(self, query: Vector, k: int) -> list[Match]:
        """Return the k best passages, best first; ties keep the corpus's order."""
        scores = self.matrix @ query
        best = np.argsort(-scores, kind="stable")[:k]
        return [Match(self.passages[row], float(scores[row])) for row in best]
