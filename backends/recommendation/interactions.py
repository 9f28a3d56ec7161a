"""What users did with items: the rows both sides learn from, whoever collected them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]


class Interaction(NamedTuple):
    """One user, one item: how glad the user was, from 0 (not at all) to 1, and when, in seconds since 1970."""

    user: str
    item: str
    weight: float
    time: int


@dataclass(frozen=True, slots=True)
class History:
    """Interactions as dense matrices of shape (users, items): right for thousands of each, not for millions.

    Ids lead to row and column numbers, in the order of ids. `until` is the time of the last interaction; `digest` is
    of all that can be learned from.
    """

    users: Mapping[str, int]
    items: Mapping[str, int]
    weights: Matrix
    met: NDArray[np.bool_]
    interactions: int
    until: int
    digest: bytes

    @classmethod
    def of(cls, interactions: Sequence[Interaction]) -> "History":
        """Lay the rows out, at least one; weights of what a user did twice with one item add up."""
        users = {user: number for number, user in enumerate(sorted({row.user for row in interactions}))}
        items = {item: number for number, item in enumerate(sorted({row.item for row in interactions}))}
        cells = [users[row.user] for row in interactions], [items[row.item] for row in interactions]
        weights = np.zeros((len(users), len(items)), dtype=np.float32)
        np.add.at(weights, cells, [row.weight for row in interactions])
        met = np.zeros(weights.shape, dtype=np.bool_)
        met[cells] = True
        digest = hashlib.sha256(repr((*users, *items)).encode() + weights.tobytes()).digest()
        return cls(users, items, weights, met, len(interactions), max(row.time for row in interactions), digest)


def hold_out(interactions: Iterable[Interaction], share: float) -> tuple[list[Interaction], list[Interaction]]:
    """Split off the last `share` of what each user did, rounded down; return the earlier rows, then the later ones."""
    by_user: defaultdict[str, list[Interaction]] = defaultdict(list)
    for row in interactions:
        by_user[row.user].append(row)
    earlier: list[Interaction] = []
    later: list[Interaction] = []
    for rows in by_user.values():
        rows.sort(key=lambda row: (row.time, row.item))
        cut = len(rows) - int(len(rows) * share)
        earlier += rows[:cut]
        later += rows[cut:]
    return earlier, later
