from collections import Counter
from math import ceil
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.recommendation.catalogue import Film, Genre
from backends.recommendation.rules import LARGEST_SHARE, NOT_FOR_CHILDREN, diverse, rules_for

NOTHING: frozenset[str] = frozenset()
GENRES = get_args(Genre)
FEW = GENRES[:4]


def film(number: int, *genres: str) -> Film:
    return Film(str(number), f"Film {number}", frozenset(genres))


@st.composite
def ranked(draw: st.DrawFn) -> list[Film]:
    genres = st.frozensets(st.sampled_from(FEW), max_size=2)
    return [film(n, *draw(genres)) for n in range(draw(st.integers(0, 30)))]


def test_what_the_user_has_met_never_comes_again() -> None:
    rules = rules_for(met=frozenset({"1"}), excluded=NOTHING, genres=NOTHING, age=None)
    assert list(rules) == ["not-met"]
    assert not rules["not-met"](film(1))
    assert rules["not-met"](film(2))


def test_the_caller_may_exclude_films() -> None:
    rule = rules_for(met=NOTHING, excluded=frozenset({"1"}), genres=NOTHING, age=None)["not-excluded"]
    assert (rule(film(1)), rule(film(2))) == (False, True)


def test_one_of_the_genres_asked_for_is_enough() -> None:
    rule = rules_for(met=NOTHING, excluded=NOTHING, genres=frozenset({"War", "Drama"}), age=None)["genres"]
    assert rule(film(1, "War", "Action"))
    assert not rule(film(2, "Action"))
    assert not rule(film(3))


@pytest.mark.parametrize("genre", GENRES)
def test_children_get_nothing_that_frightens(genre: str) -> None:
    rule = rules_for(met=NOTHING, excluded=NOTHING, genres=NOTHING, age=12)["suitable-for-age"]
    assert rule(film(1, genre, "Drama")) == (genre not in NOT_FOR_CHILDREN)


@pytest.mark.parametrize("age", [13, 40, None])
def test_others_get_everything(age: int | None) -> None:
    assert list(rules_for(met=NOTHING, excluded=NOTHING, genres=NOTHING, age=age)) == ["not-met"]


@given(films=ranked(), count=st.integers(1, 12), free=st.frozensets(st.sampled_from(FEW)))
def test_an_answer_is_as_long_as_it_can_be_and_keeps_the_order(
    films: list[Film], count: int, free: frozenset[str]
) -> None:
    chosen = diverse(films, count, free)
    assert len(chosen) == min(count, len(films))
    assert [f for f in films if f in chosen] == chosen


@given(films=ranked(), count=st.integers(1, 12), free=st.frozensets(st.sampled_from(FEW)))
def test_a_genre_has_more_than_its_share_only_where_nothing_else_was_left(
    films: list[Film], count: int, free: frozenset[str]
) -> None:
    most = ceil(count * LARGEST_SHARE)
    chosen = diverse(films, count, free)
    taken = Counter(genre for f in chosen for genre in f.genres - free)
    crowded = {genre for genre, number in taken.items() if number > most}
    at_limit = {genre for genre, number in taken.items() if number >= most}
    assert not crowded or all(f.genres & at_limit for f in films if f not in chosen)


def test_the_best_of_a_genre_come_first_and_the_others_make_room() -> None:
    films = [*(film(n, "Drama") for n in range(8)), *(film(n, "War") for n in range(8, 16))]
    assert [f.id for f in diverse(films, 5)] == ["0", "1", "2", "8", "9"]


def test_a_genre_that_was_asked_for_may_fill_the_answer() -> None:
    films = [*(film(n, "Drama") for n in range(8)), *(film(n, "War") for n in range(8, 16))]
    assert [f.id for f in diverse(films, 5, frozenset({"Drama"}))] == ["0", "1", "2", "3", "4"]
