"""The forms in which Unleash gives its features away: to its clients, and to its administrators."""

from collections.abc import Iterator

from pydantic import JsonValue

from app.translate.model import UnsayableError
from app.translate.unleash_export import Export
from app.translate.unleash_model import (
    Feature,
    FeatureOrError,
    Segment,
    Strategy,
    listed,
    object_of,
    read,
    with_texts,
)

ANSWERED = 2
"""The version of what clients are answered. Files of version 1, or of none, are for Unleash's own import."""

NO_STRATEGIES = (
    'it has no "strategies", so that nothing says who has it; take what the clients get, from /api/client/features'
)


class ClientFeatures:
    """Features with their strategies: what `/api/client/features` answers, or a file that Unleash imports.

    That import takes numbers in parameters for their texts, and a feature that does not say so for one that is off.
    """

    def __init__(self, document: dict[str, JsonValue]) -> None:
        self.segments = listed(document, "segments")
        self._features = listed(document, "features")
        self._is_answer = document.get("version") == ANSWERED

    def features(self) -> Iterator[FeatureOrError]:
        """Yield each feature, or why it cannot be read."""
        for at, given in enumerate(self._features):
            place = f"$.features[{at}]"
            try:
                yield self._feature(object_of(given, place), place)
            except UnsayableError as error:
                yield error

    def _feature(self, feature: dict[str, JsonValue], place: str) -> Feature:
        decided = {
            "strategies": [*self._strategies(feature, place)],
            "place": place,
            "variantsPlace": f"{place}.variants",
        }
        unsaid = {} if self._is_answer else {"enabled": False}
        return read(Feature, unsaid | feature | decided, place)

    def _strategies(self, feature: dict[str, JsonValue], place: str) -> Iterator[Strategy]:
        if isinstance(feature.get("strategies"), list):
            for at, given in enumerate(listed(feature, "strategies", place)):
                yield self._strategy(given, f"{place}.strategies[{at}]")
        elif "strategies" not in feature and "strategy" in feature:
            only = {"name": feature["strategy"], "parameters": feature.get("parameters")}
            yield self._strategy(only, f"{place}.strategy")
        else:
            raise UnsayableError(f"{place}.strategies", NO_STRATEGIES)

    def _strategy(self, given: JsonValue, place: str) -> Strategy:
        strategy = object_of(given, place)
        return read(Strategy, (strategy if self._is_answer else with_texts(strategy)) | {"place": place}, place)


def source_of(document: JsonValue, environment: str | None) -> ClientFeatures | Export:
    """Return the reader of a document, for one environment of it. Raises UnsayableError for one of neither form."""
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise UnsayableError("$", "this is neither what Unleash's clients get nor an export of its administration")
    if "featureStrategies" in document:
        return Export(document, environment)
    if environment is not None:
        told = "the file does not say of which environment it is; leave --environment out"
        raise UnsayableError("$.featureEnvironments", told)
    return ClientFeatures(document)


def read_segment(given: JsonValue, place: str) -> Segment:
    """Read a segment. Raises UnsayableError."""
    return read(Segment, object_of(given, place), place)
