"""What the acts of the other two routes have seen: plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.demo.traffic import Visit


@dataclass(frozen=True, slots=True)
class Sorted:
    """Everyone asked twice, and the side the decision endpoint names for each, at one percentage."""

    percentage: float
    named: Mapping[str, str]
    visits: Sequence[Visit]


@dataclass(frozen=True, slots=True)
class Tastes:
    """By side, the recall of each of its users, 0 to 1, of what he liked later; `visits` are the answers judged.

    `learned_from` is how many interactions there are that are not held out.
    """

    recalls: Mapping[str, Sequence[float]]
    visits: Sequence[Visit]
    learned_from: int


@dataclass(frozen=True, slots=True)
class Greeting:
    """One brief, sent as before there were two sides: the language it asks for, and what came of it."""

    language: str
    visit: Visit


@dataclass(frozen=True, slots=True)
class Outage:
    """The briefs before Qloo broke and after it; the breaker opened so many seconds later, if it did."""

    before: Sequence[Visit]
    after: Sequence[Visit]
    opened_after_s: float | None


@dataclass(frozen=True, slots=True)
class OneKill:
    """Calls of all routes around the kill of one; `belongs` is the side of each user by route, before it.

    The release began at `released_at` and was answered at `restored_at`.
    """

    route: str
    killed_at: float
    released_at: float
    restored_at: float
    visits: Mapping[str, Sequence[Visit]]
    belongs: Mapping[str, Mapping[str, str]]
