"""A client of Qloo's API: insights by signals, tags by a word, destinations by name.

Paths, parameters, the header `X-Api-Key` and answers are those of Qloo's public guides: `GET /v2/insights` ("Basic
Insights", "Parameter Reference", "Entity Type Parameter Guide"), `GET /v2/tags` and `GET /search` ("Lookup APIs"), all
at docs.qloo.com. An insight needs one signal besides age: a tag, an entity or a place.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from .kept import Kept
from .upstream import Patience, RefusedError, UnavailableError, Upstream

TYPES = {"music": "artist", "brands": "brand", "restaurants": "place", "films": "movie", "books": "book"}
BUCKETS = {
    "24_and_younger": (0, 24),
    "25_to_29": (25, 29),
    "30_to_34": (30, 34),
    "35_to_44": (35, 44),
    "45_to_54": (45, 54),
    "55_and_older": (55, 200),
}
T = TypeVar("T")
LOCATION = "location.query"


class Fit(BaseModel):
    """How well an entity fits the signals, from 0 to 1."""

    affinity: float | None = None


class Entity(BaseModel):
    """A thing that people love, as far as it matters here."""

    name: str
    entity_id: str
    query: Fit = Fit()


class Tag(BaseModel):
    """A tag of Qloo."""

    id: str
    name: str = ""


class Destination(BaseModel):
    """What a search by name found."""

    name: str


ENTITIES, TAGS = TypeAdapter(list[Entity]), TypeAdapter(list[Tag])
DESTINATIONS = TypeAdapter(list[Destination])


class UnknownPlaceError(Exception):
    """Qloo knows no such place."""


@dataclass
class Lookups:
    """What one brief asked of Qloo: questions, those answered from what was kept, and calls made."""

    asked: int = 0
    kept: int = 0
    calls: int = 0

    @property
    def hit_rate(self) -> float:
        """The share of questions answered from what was kept, from 0 to 1."""
        return self.kept / self.asked if self.asked else 0.0


class Qloo:
    """Asks Qloo, a few calls at a time in the whole process, and keeps what it answers."""

    def __init__(self, url: str, key: str, parallel: int, ttl_s: float) -> None:
        self._upstream = Upstream("culture", url, {"X-Api-Key": key, "Accept": "application/json"})
        self._kept: Kept[Any] = Kept(ttl_s, monotonic)
        self._turn = asyncio.Semaphore(parallel)

    async def close(self) -> None:
        """Close its connections."""
        await self._upstream.close()

    async def tags(self, word: str, patience: Patience, lookups: Lookups) -> list[Tag]:
        """Find the tags of a word; often none."""
        answer = await self._ask("/v2/tags", {"filter.query": word, "take": "2"}, patience, lookups)
        return _list_of(TAGS, answer, "results", "tags")

    async def destination(self, name: str, patience: Patience, lookups: Lookups) -> str | None:
        """Tell how Qloo writes a destination's name, or None if it knows none of exactly that name."""
        asked = {"query": name, "types": "urn:entity:destination", "take": "5"}
        found = _list_of(DESTINATIONS, await self._ask("/search", asked, patience, lookups), "results")
        return next((place.name for place in found if place.name.casefold() == name.casefold()), None)

    async def insights(
        self, kind: str, signals: Mapping[str, str], take: int, patience: Patience, lookups: Lookups
    ) -> list[Entity]:
        """Return what fits the signals best, best first; UnknownPlaceError if their place is none that Qloo knows."""
        asked = {"filter.type": f"urn:entity:{TYPES[kind]}", **_of_its_kind(kind, signals), "take": str(take)}
        try:
            answer = await self._ask("/v2/insights", asked, patience, lookups)
        except RefusedError as refused:
            if any(LOCATION in str(error.get("path")) for error in _errors(refused.answer)):
                raise UnknownPlaceError from None
            said = "; ".join(str(error.get("message")) for error in _errors(refused.answer)) or str(refused)
            raise UnavailableError(502, "culture_refused", f"culture: {said}") from None
        return _list_of(ENTITIES, answer, "results", "entities")

    async def _ask(self, path: str, asked: dict[str, str], patience: Patience, lookups: Lookups) -> Any:
        key = path, *sorted(asked.items())
        lookups.asked += 1
        kept = self._kept.get(key)
        if kept is not None:
            lookups.kept += 1
            return kept
        try:
            async with asyncio.timeout_at(patience.until):
                await self._turn.acquire()
        except TimeoutError:
            raise UnavailableError(503, "culture_busy", "culture: too many calls are under way") from None
        try:
            lookups.calls += 1
            answer = await self._upstream.get(path, asked, patience)
        finally:
            self._turn.release()
        self._kept.keep(key, answer)
        return answer


def buckets_of(lowest: int, highest: int) -> str:
    """Name the buckets of age that a range of years touches."""
    return ",".join(name for name, (low, high) in BUCKETS.items() if low <= highest and lowest <= high)


def _of_its_kind(kind: str, signals: Mapping[str, str]) -> dict[str, str]:
    """A restaurant has to be there; what else is loved there may come from anywhere."""
    scope = "filter" if TYPES[kind] == "place" else "signal"
    return {(f"{scope}.{LOCATION}" if name == LOCATION else name): value for name, value in signals.items()}


def _errors(answer: Any) -> list[dict[str, Any]]:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _list_of(kind: TypeAdapter[list[T]], answer: Any, *path: str) -> list[T]:
    try:
        for step in path:
            answer = answer[step]
        return kind.validate_python(answer)
    except (KeyError, TypeError, ValidationError):
        raise UnavailableError(502, "culture_garbage", "culture: the answer has another form than documented") from None
