"""The generic model: what people were glad of, among everybody or among people like the user."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

from .catalogue import Person
from .interactions import History, Vector
from .ranking import Ranking

SMALLEST_GROUP = 20
"""People in a demographic group whose taste is worth more than everybody's."""

AGES = (18, 25, 35, 50)
GENDERS = {"F": "women", "M": "men"}


class Popularity:
    """The mean weight an item has among people, those who did not meet it counting 0."""

    name = "popularity"

    def __init__(self, history: History, people: Mapping[str, Person]) -> None:
        self.version = f"{self.name}-{history.digest.hex()[:12]}"
        self._everybody = _popular(history.weights.mean(axis=0), "everybody")
        self._groups = _groups(history, people)

    def rank(self, _user: int) -> Ranking:
        """Give everybody the same; the rules make the difference."""
        return self._everybody

    def welcome(self, person: Person) -> Ranking:
        """Give someone without a history what people of this age and gender like, if enough of them are known."""
        group = group_of(person)
        return self._everybody if group is None else self._groups.get(group, self._everybody)


def group_of(person: Person) -> str | None:
    """Name the demographic group of a person, like `men 25 to 34`, or None if too little is known."""
    if person.age is None or person.gender is None:
        return None
    return f"{GENDERS[person.gender]} {_band(person.age)}"


def _band(age: int) -> str:
    if age < AGES[0]:
        return f"under {AGES[0]}"
    within = (f"{first} to {after - 1}" for first, after in pairwise(AGES) if first <= age < after)
    return next(within, f"{AGES[-1]} or older")


def _groups(history: History, people: Mapping[str, Person]) -> dict[str, Ranking]:
    members: defaultdict[str, list[int]] = defaultdict(list)
    for user, row in history.users.items():
        group = group_of(people.get(user, Person()))
        if group is not None:
            members[group].append(row)
    return {
        group: _popular(history.weights[rows].mean(axis=0), group)
        for group, rows in members.items()
        if len(rows) >= SMALLEST_GROUP
    }


def _popular(scores: Vector, group: str) -> Ranking:
    return Ranking(scores, lambda _: f"popular with {group}")
