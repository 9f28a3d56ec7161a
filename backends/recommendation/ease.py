"""EASE: an item-item model with a closed form, trained in a second.

H. Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019, algorithm 1. The scores of all items are the
weights of one user times a matrix B, learned by ridge regression of all weights on themselves with a diagonal of zeros.
"""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backends import sealed

from .interactions import History, Matrix
from .ranking import Ranking

PENALTY = 100.0
"""Chosen on the last fifth of what each user did before the last fifth, which measures the answers."""


class Ease:
    """The trained model and the histories it answers for."""

    name = "ease"

    def __init__(self, history: History, titles: Sequence[str], cache_dir: Path | None) -> None:
        key = hashlib.sha256(f"{PENALTY}\n".encode() + history.digest).digest()
        self.version = f"{self.name}-{key.hex()[:12]}"
        self._weights = history.weights
        self._titles = titles
        self._speaks_for = _load_or_train(cache_dir, key, history)

    def rank(self, user: int) -> Ranking:
        """Score every item by what the user was glad of; the reason for one is what spoke most for it."""
        glad_of = np.flatnonzero(self._weights[user])
        voices = self._weights[user, glad_of, np.newaxis] * self._speaks_for[glad_of]

        def because(item: int) -> str:
            return f"because of {self._titles[glad_of[voices[:, item].argmax()]]}"

        return Ranking(voices.sum(axis=0), because)


def train(history: History, penalty: float = PENALTY) -> Matrix:
    """Return B, shape (items, items): how much each item (row) speaks for each other (column)."""
    weights = history.weights.astype(np.float64)
    gram = weights.T @ weights
    gram[np.diag_indices_from(gram)] += penalty
    precision = np.linalg.inv(gram)
    speaks_for = precision / -np.diag(precision)
    np.fill_diagonal(speaks_for, 0)
    return speaks_for.astype(np.float32)


def _load_or_train(folder: Path | None, key: bytes, history: History) -> Matrix:
    """With a folder, read the matrix there or leave it there."""
    if folder is None:
        return _train_and_tell(history)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{Ease.name}-{key.hex()[:12]}.npy"
    speaks_for = sealed.read(file, key)
    if speaks_for is None:
        speaks_for = _train_and_tell(history)
        sealed.write(file, key, speaks_for)
    return speaks_for


def _train_and_tell(history: History) -> Matrix:
    sys.stderr.write(f"training {Ease.name} on {history.interactions} interactions\n")
    return train(history)
