"""What can be recommended, and to whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .interactions import Interaction

Gender = Literal["F", "M"]
Genre = Literal[
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]


@dataclass(frozen=True, slots=True)
class Film:
    """An item; a film may have several genres, or none."""

    id: str
    title: str
    genres: frozenset[str]


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a user beside what he did; age in years."""

    age: int | None = None
    gender: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Films and people by id, and all interactions between them that were collected."""

    films: Mapping[str, Film]
    people: Mapping[str, Person]
    interactions: tuple[Interaction, ...]
