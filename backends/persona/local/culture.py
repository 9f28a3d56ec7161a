"""The part of Qloo's API that the client here asks: insights, entity search, tag search.

Parameters, buckets of age, answers and the error for missing signals are as Qloo's public guides show them (at
docs.qloo.com: "Basic Insights", "Parameter Reference", "Tags Search", "Entity Search"); what its servers think is ours.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .dataset import KINDS, Dataset, Entity, Place, bands_between

BUCKETS = {
    "24_and_younger": (0, 24),
    "25_to_29": (25, 29),
    "30_to_34": (30, 34),
    "35_and_younger": (0, 35),
    "35_to_44": (35, 44),
    "36_to_55": (36, 55),
    "45_to_54": (45, 54),
    "55_and_older": (55, 120),
}
SIGNALS = ("signal.interests.tags", "signal.interests.entities", "signal.location.query", "filter.location.query")
MOST = 50
Finder = Callable[[Mapping[str, str]], dict[str, object]]
TAG = "urn:tag:interest:qloo:"


class RefusalError(Exception):
    """Carries a status, the parameter at fault and a sentence to whoever asked."""

    def __init__(self, status: int, path: str, message: str) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"errors": [{"path": path, "message": message}]}, status)


class Culture:
    """Answers in Qloo's words from the data set."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._by_id = {entity.id: entity for entity in dataset.entities}

    async def insights(self, request: Request) -> Response:
        """Rank the entities of one type by how well they fit the signals."""
        return self._answer(request, self._insights)

    async def search(self, request: Request) -> Response:
        """Find entities, or destinations, by name."""
        return self._answer(request, self._search)

    async def tags(self, request: Request) -> Response:
        """Find tags by a word."""
        return self._answer(request, self._tags)

    def _answer(self, request: Request, find: Finder) -> Response:
        try:
            _check_key(request)
            return JSONResponse(find(request.query_params))
        except RefusalError as refusal:
            return refusal.answer

    def _insights(self, asked: Mapping[str, str]) -> dict[str, object]:
        kind = asked.get("filter.type", "").removeprefix("urn:entity:")
        if kind not in KINDS:
            raise RefusalError(400, "filter.type", "filter.type must be a supported entity type")
        if not any(asked.get(signal) for signal in SIGNALS):
            raise RefusalError(400, "signal", "at least one valid signal or filter is required for entity insights")
        place = self._place(asked, "filter.location.query") or self._place(asked, "signal.location.query")
        only_there = bool(asked.get("filter.location.query"))
        bands, topics = _bands(asked.get("signal.demographics.age", "")), self._topics(asked)
        ranked = sorted(
            (
                (_affinity(entity, place, bands, topics), entity)
                for entity in self._dataset.entities
                if entity.kind == kind
            ),
            key=lambda pair: (-pair[0], pair[1].name),
        )
        fitting = [(score, entity) for score, entity in ranked if _belongs(entity, place, bands, only_there)]
        return {
            "success": True,
            "results": {"entities": [self._entity(entity, score) for score, entity in fitting[: _take(asked)]]},
            "duration": 1,
        }

    def _search(self, asked: Mapping[str, str]) -> dict[str, object]:
        words, kinds = asked.get("query", "").casefold(), asked.get("types", "")
        if not words:
            raise RefusalError(400, "query", "query is required")
        destinations = [
            {"name": place.name, "entity_id": f"DESTINATION-{place.code}", "types": ["urn:entity:destination"]}
            for place in self._dataset.places
            if words in place.name.casefold() and "urn:entity:destination" in kinds
        ]
        entities = [
            {"name": entity.name, "entity_id": entity.id, "types": [urn], "popularity": entity.popularity}
            for entity in self._dataset.entities
            if (urn := f"urn:entity:{entity.kind}") in (kinds or urn) and words in entity.name.casefold()
        ]
        return {"results": [*destinations, *entities][: _take(asked)]}

    def _tags(self, asked: Mapping[str, str]) -> dict[str, object]:
        topics = self._dataset.topics_in(asked.get("filter.query", ""))
        found = [{"id": TAG + topic, "name": topic, "type": TAG.rstrip(":")} for topic in topics]
        return {"success": True, "results": {"tags": found[: _take(asked)]}}

    def _place(self, asked: Mapping[str, str], parameter: str) -> Place | None:
        query = asked.get(parameter)
        if not query:
            return None
        place = self._dataset.place_in(query)
        if place is None:
            raise RefusalError(400, parameter, "no locality was found for the query")
        return place

    def _topics(self, asked: Mapping[str, str]) -> frozenset[str]:
        tags = {tag.removeprefix(TAG) for tag in asked.get("signal.interests.tags", "").split(",") if tag}
        liked = filter(None, map(self._by_id.get, asked.get("signal.interests.entities", "").split(",")))
        return frozenset(tags.union(*(entity.topics for entity in liked)))

    def _entity(self, entity: Entity, affinity: float) -> dict[str, object]:
        home = next((place for place in self._dataset.places if place.name == entity.home), None)
        where = {"geocode": {"city": home.name, "country_code": home.code}} if home else {}
        return {
            "name": entity.name,
            "entity_id": entity.id,
            "type": "urn:entity",
            "subtype": f"urn:entity:{entity.kind}",
            "properties": where,
            "popularity": entity.popularity,
            "tags": [{"id": TAG + topic, "name": topic, "type": TAG.rstrip(":")} for topic in sorted(entity.topics)],
            "query": {"affinity": affinity, "measurements": {"audience_growth": 0.0}},
        }


def _check_key(request: Request) -> None:
    if not request.headers.get("x-api-key"):
        raise RefusalError(HTTPStatus.UNAUTHORIZED, "X-Api-Key", "an API key is required")


def _bands(buckets: str) -> frozenset[str]:
    """Translate buckets of age, or refuse one that there is not."""
    bands: frozenset[str] = frozenset()
    for bucket in filter(None, buckets.split(",")):
        if bucket not in BUCKETS:
            raise RefusalError(400, "signal.demographics.age", f"must be one of {', '.join(BUCKETS)}")
        bands |= bands_between(*BUCKETS[bucket])
    return bands


def _affinity(entity: Entity, place: Place | None, bands: frozenset[str], topics: frozenset[str]) -> float:
    """Score from 0 to 1: home first, then age, then interests, and popularity among equals."""
    at_home = 0.3 if place and entity.home == place.name else 0.0
    of_age = 0.25 if bands & entity.bands else 0.0
    shared = 0.15 * min(2, len(topics & entity.topics))
    return round(0.1 + at_home + of_age + shared + 0.05 * entity.popularity, 4)


def _belongs(entity: Entity, place: Place | None, bands: frozenset[str], only_there: bool) -> bool:
    """Tell whether an entity may be named: not one for other ages, nor, with a place, one at home elsewhere."""
    there = place is None or entity.home == place.name or (entity.home is None and not only_there)
    return there and (not bands or bool(bands & entity.bands))


def _take(asked: Mapping[str, str]) -> int:
    try:
        return max(1, min(MOST, int(asked.get("take", 20))))
    except ValueError:
        raise RefusalError(400, "take", "take must be a whole number") from None
