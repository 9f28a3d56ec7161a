"""One side at work: a user in, ranked films out. Synchronous; the server gives it a thread."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np

from . import movielens
from .catalogue import Catalogue, Film, Person
from .ease import Ease
from .interactions import History, hold_out
from .popularity import Popularity
from .query import Query
from .ranking import Model, Ranking
from .rules import Rule, diverse, rules_for

Side = Literal["legacy", "new"]
NOBODY = Person()


@dataclass(frozen=True, slots=True)
class Choice:
    """The films for one user, best first, with what led to them: the ranking and the names of the rules."""

    films: list[Film]
    ranking: Ranking
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Engine:
    """The model of one side, the generic one for users it does not know, and what both learned from."""

    side: Side
    model: Model
    generic: Popularity
    history: History
    films: tuple[Film, ...]
    people: Mapping[str, Person]

    @classmethod
    def load(cls, side: Side, cache_dir: Path | None, held_out: float = 0) -> "Engine":
        """Learn from MovieLens but for the last `held_out` share of what each user did. Raises DataMissingError."""
        catalogue = movielens.load()
        earlier, _ = hold_out(catalogue.interactions, held_out)
        return cls.of(side, catalogue, History.of(earlier), cache_dir)

    @classmethod
    def of(cls, side: Side, catalogue: Catalogue, history: History, cache_dir: Path | None) -> "Engine":
        """Learn from a history whose items are films of the catalogue."""
        films = tuple(catalogue.films[item] for item in history.items)
        generic = Popularity(history, catalogue.people)
        model = generic if side == "legacy" else Ease(history, [film.title for film in films], cache_dir)
        return cls(side, model, generic, history, films, catalogue.people)

    def answer(self, query: Query) -> dict[str, object]:
        """Choose and explain; the time is milliseconds of this thread's wall clock."""
        started = perf_counter()
        choice = self.choose(query)
        took = perf_counter() - started
        known = self.row(query.user_id) is not None
        return {
            "side": self.side,
            "user_id": query.user_id,
            "cold_start": not known,
            "items": [self._item(rank, film, choice.ranking) for rank, film in enumerate(choice.films, 1)],
            "model": {**self._learned(self.model if known else self.generic), "rules": choice.rules},
            "timing_ms": {"choose": 1000 * took},
        }

    def choose(self, query: Query) -> Choice:
        """Rank everything, then apply the rules."""
        person, row = self._person(query), self.row(query.user_id)
        ranking = self.generic.welcome(person) if row is None else self.model.rank(row)
        met = self.met(query.user_id)
        rules = rules_for(met=met, excluded=query.exclude, genres=query.genres, age=person.age)
        films = diverse(self._allowed(ranking, rules), query.count, query.genres)
        return Choice(films, ranking, (*rules, "diverse"))

    def row(self, user: str) -> int | None:
        """Return the row of a user's history, or None if there is nothing in it that he was glad of."""
        row = self.history.users.get(user)
        return row if row is not None and self.history.weights[row].any() else None

    def met(self, user: str) -> frozenset[str]:
        """Return the ids of the films a user has met, liked or not."""
        row = self.history.users.get(user)
        return (
            frozenset() if row is None else frozenset(self.films[n].id for n in np.flatnonzero(self.history.met[row]))
        )

    def health(self) -> dict[str, object]:
        """Say what is being served."""
        users, items = self.history.weights.shape
        return {"status": "ok", "side": self.side, "users": users, "items": items, "model": self._learned(self.model)}

    def _person(self, query: Query) -> Person:
        """Believe the caller where he says something of the user."""
        known = self.people.get(query.user_id, NOBODY)
        return Person(known.age if query.age is None else query.age, query.gender or known.gender)

    def _allowed(self, ranking: Ranking, rules: Mapping[str, Rule]) -> Iterator[Film]:
        """Yield the films that every rule lets pass, best first; ties keep the order of ids."""
        best_first = (self.films[number] for number in np.argsort(-ranking.scores, kind="stable"))
        return (film for film in best_first if all(allows(film) for allows in rules.values()))

    def _item(self, rank: int, film: Film, ranking: Ranking) -> dict[str, object]:
        number = self.history.items[film.id]
        return {
            "id": film.id,
            "title": film.title,
            "genres": sorted(film.genres),
            "rank": rank,
            "score": float(ranking.scores[number]),
            "reason": ranking.because(number),
        }

    def _learned(self, model: Model) -> dict[str, object]:
        until = datetime.fromtimestamp(self.history.until, UTC).isoformat()
        trained_on = {"interactions": self.history.interactions, "until": until}
        return {"name": model.name, "version": model.version, "trained_on": trained_on}
