"""The business rules both sides apply after their model: the new side is a new model, not another business."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import ceil

from .catalogue import Film

GROWN_UP = 13
NOT_FOR_CHILDREN = frozenset({"Crime", "Film-Noir", "Horror", "Thriller", "War"})
LARGEST_SHARE = 0.6
"""The share of an answer that one genre may have, while there is anything else."""

Rule = Callable[[Film], bool]


def rules_for(
    *, met: frozenset[str], excluded: frozenset[str], genres: frozenset[str], age: int | None
) -> Mapping[str, Rule]:
    """Return the rules that apply, by name: a film is recommended if all of them let it pass."""
    rules: dict[str, Rule] = {"not-met": lambda film: film.id not in met}
    if excluded:
        rules["not-excluded"] = lambda film: film.id not in excluded
    if genres:
        rules["genres"] = lambda film: not genres.isdisjoint(film.genres)
    if age is not None and age < GROWN_UP:
        rules["suitable-for-age"] = lambda film: NOT_FOR_CHILDREN.isdisjoint(film.genres)
    return rules


def diverse(ranked: Iterable[Film], count: int, free: frozenset[str] = frozenset()) -> list[Film]:
    """Take the best `count` films, none of whose genres has more than its share, in the order they came.

    Genres in `free` have no limit, as when they were asked for. Places that stay empty go to the best of the rest.
    """
    most = ceil(count * LARGEST_SHARE)
    taken: Counter[str] = Counter()
    chosen: list[tuple[int, Film]] = []
    postponed: list[tuple[int, Film]] = []
    for place, film in enumerate(ranked):
        limited = film.genres - free
        if any(taken[genre] >= most for genre in limited):
            postponed.append((place, film))
            continue
        taken.update(limited)
        chosen.append((place, film))
        if len(chosen) == count:
            break
    chosen += postponed[: count - len(chosen)]
    return [film for _, film in sorted(chosen, key=lambda placed: placed[0])]
