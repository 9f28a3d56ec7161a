"""Culture first: what Qloo says is loved by people of that place, age and interests, before anything is written."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .brief import Brief
from .qloo import LOCATION, TYPES, Entity, Lookups, Qloo, UnknownPlaceError, buckets_of
from .upstream import Patience, RefusedError, UnavailableError, together

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
    """What may be named in personas, by kind, best first; kinds that could not be had are missing."""

    signals: Signals
    loved: Mapping[str, list[Entity]]
    missing: tuple[str, ...]
    lookups: Lookups = field(default_factory=Lookups)

    def names(self) -> dict[str, list[str]]:
        """Return the names alone."""
        return {kind: [entity.name for entity in entities] for kind, entities in self.loved.items() if entities}


class Guide:
    """Finds the culture for a brief; `in_part` takes what can be had where the rest cannot."""

    def __init__(self, qloo: Qloo, in_part: bool) -> None:
        self._qloo, self._in_part = qloo, in_part

    async def culture(self, brief: Brief, patience: Patience) -> Culture:
        """Ask for everything that is loved; UnavailableError if it cannot be had."""
        lookups = Lookups()
        try:
            signals = await self._signals(brief, patience, lookups)
        except RefusedError as refused:
            raise UnavailableError(502, "culture_refused", f"culture: {refused}") from None
        try:
            return await self._loved(signals, patience, lookups)
        except UnknownPlaceError:
            usual = None if TAGS_SIGNAL in signals.asked else _usual_place(brief)
            return await self._loved(signals.elsewhere(usual), patience, lookups)

    async def _signals(self, brief: Brief, patience: Patience, lookups: Lookups) -> Signals:
        words = brief.interests[:MOST_INTERESTS] or _long_words(brief.brief)
        found = await together([self._qloo.tags(word, patience, lookups) for word in words])
        tags = list(dict.fromkeys(tag.id for tags in found for tag in tags))
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
        found = await together([self._qloo.destination(name, patience, lookups) for name in _names(brief.brief)])
        return next(filter(None, found), None)

    async def _loved(self, signals: Signals, patience: Patience, lookups: Lookups) -> Culture:
        asks = [self._qloo.insights(kind, signals.asked, TAKE, patience, lookups) for kind in TYPES]
        if not self._in_part:
            return Culture(signals, dict(zip(TYPES, await together(asks), strict=True)), (), lookups)
        answers = dict(zip(TYPES, await asyncio.gather(*asks, return_exceptions=True), strict=True))
        failures = {kind: answer for kind, answer in answers.items() if isinstance(answer, BaseException)}
        first = next((error for error in failures.values() if not isinstance(error, UnavailableError)), None)
        if first or len(failures) == len(TYPES):
            raise first or failures["music"]
        loved = {kind: answer for kind, answer in answers.items() if not isinstance(answer, BaseException)}
        return Culture(signals, loved, tuple(failures), lookups)


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
