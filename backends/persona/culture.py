"""Culture first: what Qloo says is loved by people of that place, age and interests, before anything is written."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .brief import Brief
from .qloo import LOCATION, TYPES, Entity, Lookups, Qloo, UnknownPlaceError, buckets_of
from .upstream import Patience, RefusedError, UnavailableError, together

T = TypeVar("T")
TAKE = 6
MOST_INTERESTS = 4
MOST_WORDS = 2
SHORTEST_WORD = 4
TAGS_SIGNAL, AGE_SIGNAL = "signal.interests.tags", "signal.demographics.age"
USUAL_PLACES = {
    "en": "London, United Kingdom",
    "fr": "Paris, France",
    "es": "Madrid, Spain",
    "de": "Berlin, Germany",
    "pt": "São Paulo, Brazil",
    "ja": "Tokyo, Japan",
}
"""Whose culture is taken when a brief names neither a place nor an interest that Qloo knows."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What a brief says in Qloo's words, and what of it Qloo does not know."""

    asked: Mapping[str, str]
    unknown: tuple[str, ...] = ()

    @property
    def place(self) -> str | None:
        """The place whose culture is asked for."""
        return self.asked.get(LOCATION)

    def elsewhere(self, place: str | None) -> "Signals":
        """Return the same for another place, the given one counted as unknown."""
        asked = {name: value for name, value in self.asked.items() if name != LOCATION}
        return Signals({**asked, LOCATION: place} if place else asked, (*self.unknown, "location"))


@dataclass(frozen=True, slots=True)
class Culture:
    """What may be named in personas, by kind, best first."""

    signals: Signals
    loved: Mapping[str, list[Entity]]
    lookups: Lookups

    def names(self) -> dict[str, list[str]]:
        """Return the names alone, of the kinds that have any."""
        return {kind: [entity.name for entity in entities] for kind, entities in self.loved.items() if entities}

    @property
    def missing(self) -> list[str]:
        """The kinds that could not be had, or of which nothing fits."""
        return [kind for kind in TYPES if not self.loved.get(kind)]


class Guide:
    """Finds the culture for a brief; `in_part` takes what can be had where the rest cannot."""

    def __init__(self, qloo: Qloo, in_part: bool) -> None:
        self._qloo, self._in_part = qloo, in_part

    async def culture(self, brief: Brief, patience: Patience) -> Culture:
        """Ask for everything that is loved; UnavailableError if there is nothing."""
        lookups = Lookups()
        try:
            signals = await self._signals(brief, patience, lookups)
            culture = await self._fitting(brief, signals, patience, lookups)
        except RefusedError as refused:
            raise UnavailableError(502, "culture_refused", f"culture: {refused}") from None
        if not culture.names():
            raise UnavailableError(503, "culture_empty", "culture: nothing fits this brief")
        return culture

    async def _fitting(self, brief: Brief, signals: Signals, patience: Patience, lookups: Lookups) -> Culture:
        """Ask without the place if it is not known; where nothing else is said, for one usual for the language."""
        with contextlib.suppress(UnknownPlaceError):
            culture = await self._loved(signals, patience, lookups)
            if culture.names():
                return culture
        elsewhere = signals.elsewhere(None if TAGS_SIGNAL in signals.asked else _usual_place(brief))
        try:
            return await self._loved(elsewhere, patience, lookups)
        except UnknownPlaceError:
            return Culture(elsewhere, {}, lookups)

    async def _signals(self, brief: Brief, patience: Patience, lookups: Lookups) -> Signals:
        words = brief.interests[:MOST_INTERESTS] or _long_words(brief.brief)
        found = await self._all([self._qloo.tags(word, patience, lookups) for word in words])
        tags = list(dict.fromkeys(tag.id for tags in found for tag in tags or ()))
        unknown = tuple(word for word, tags in zip(words, found, strict=True) if not tags and brief.interests)
        place = brief.location or await self._place_named(brief, patience, lookups)
        asked = {
            TAGS_SIGNAL: ",".join(tags),
            LOCATION: place or ("" if tags else _usual_place(brief)),
            AGE_SIGNAL: buckets_of(brief.age_range.min, brief.age_range.max) if brief.age_range else "",
        }
        return Signals({name: value for name, value in asked.items() if value}, unknown)

    async def _place_named(self, brief: Brief, patience: Patience, lookups: Lookups) -> str | None:
        """Look for a place among the names in a brief."""
        found = await self._all([self._qloo.destination(name, patience, lookups) for name in _names(brief.brief)])
        return next(filter(None, found), None)

    async def _loved(self, signals: Signals, patience: Patience, lookups: Lookups) -> Culture:
        asks = [self._qloo.insights(kind, signals.asked, TAKE, patience, lookups) for kind in TYPES]
        found = zip(TYPES, await self._all(asks), strict=True)
        return Culture(signals, {kind: entities for kind, entities in found if entities is not None}, lookups)

    async def _all(self, asks: Sequence[Coroutine[Any, Any, T]]) -> Sequence[T | None]:
        """Await all; in part, None stands for what failed, unless all of it did."""
        if not self._in_part:
            return await together(asks)
        answers = await asyncio.gather(*asks, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        fatal = next((failure for failure in failures if not isinstance(failure, UnavailableError)), None)
        if fatal or (failures and len(failures) == len(answers)):
            raise fatal or failures[0]
        return [None if isinstance(answer, BaseException) else answer for answer in answers]


def _usual_place(brief: Brief) -> str:
    return USUAL_PLACES.get(brief.language[:2], USUAL_PLACES["en"])


def _long_words(text: str) -> list[str]:
    """Return the first long words of a brief, which often say what it is about."""
    words = re.findall(rf"[^\W\d_]{{{SHORTEST_WORD},}}", text)
    return list(dict.fromkeys(word.casefold() for word in words))[: 2 * MOST_WORDS]


def _names(text: str) -> list[str]:
    """Return the runs of capitalised words in a brief, without its first word."""
    rest = text.partition(" ")[2]
    return list(dict.fromkeys(re.findall(r"[A-ZÀ-Þ][\w'-]+(?: [A-ZÀ-Þ][\w'-]+)*", rest)))[:MOST_WORDS]
