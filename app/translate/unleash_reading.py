"""The two forms in which Unleash gives its features away: to its clients, and to its administrators."""

from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from app.translate.model import UnsayableError
from app.translate.unleash_model import Feature, Segment, Strategy, read

LAST = 9999
"""Where a strategy without a place in the order stands."""

FeatureOrError = Feature | UnsayableError


class ClientFeatures:
    """What `/api/client/features` answers: features with their strategies, in the environment of a token."""

    def __init__(self, document: dict[str, JsonValue]) -> None:
        self.segments = _list(document, "segments")
        self._features = _list(document, "features")

    def features(self) -> Iterator[FeatureOrError]:
        """Yield each feature, or why it cannot be read."""
        for at, given in enumerate(self._features):
            place = f"$.features[{at}]"
            try:
                strategies = _strategies(_list(_object(given, place), "strategies", place), f"{place}.strategies")
                decided = {"strategies": strategies, "place": place, "variantsPlace": f"{place}.variants"}
                yield read(Feature, _object(given, place) | decided, place)
            except UnsayableError as error:
                yield error


class Export:
    """What `/api/admin/features-batch/export` answers: the parts of features in lists of their own."""

    def __init__(self, document: dict[str, JsonValue]) -> None:
        self.segments = _list(document, "segments")
        self._features = _list(document, "features")
        self._strategies = _by_feature(_list(document, "featureStrategies"))
        self._environments = _by_feature(_list(document, "featureEnvironments"))
        self._dependencies: dict[str, list[dict[str, JsonValue]]] = {}
        for each in _list(document, "dependencies"):
            if isinstance(each, dict):
                self._dependencies.setdefault(_key(each.get("feature")), []).append(each)

    def features(self) -> Iterator[FeatureOrError]:
        """Yield each feature, or why it cannot be read."""
        for at, given in enumerate(self._features):
            try:
                yield self._feature(given, f"$.features[{at}]")
            except UnsayableError as error:
                yield error

    def _feature(self, given: JsonValue, place: str) -> Feature:
        feature = _object(given, place)
        name = feature.get("name")
        if feature.get("archived"):
            raise UnsayableError(f"{place}.archived", "the feature is archived")
        environments = self._environments.get(_key(name), ())
        if len(environments) != 1:
            told = "no environment" if not environments else "several environments; export one of them"
            raise UnsayableError(place, f"the file has {told} of this feature")
        [(at, environment)] = environments
        decided = {
            "enabled": _object(environment, "").get("enabled"),
            "variants": _object(environment, "").get("variants"),
            "strategies": self._strategies_of(name, place),
            "dependencies": [
                item for each in self._dependencies.get(_key(name), ()) for item in _list(each, "dependencies")
            ],
            "place": place,
            "variantsPlace": f"$.featureEnvironments[{at}].variants",
        }
        return read(Feature, feature | decided, place)

    def _strategies_of(self, name: JsonValue, place: str) -> list[Strategy]:
        own = [
            read(Strategy, _object(each, "") | {"place": here}, here)
            for at, each in self._strategies.get(_key(name), ())
            for here in [f"$.featureStrategies[{at}]"]
        ]
        active = [each for each in own if not each.disabled]
        if own and not active:
            raise UnsayableError(place, "all its strategies are disabled, so that nothing says who has it")
        return sorted(active, key=lambda each: LAST if each.sort_order is None else each.sort_order)


def source_of(document: JsonValue) -> ClientFeatures | Export:
    """Return the reader of a document. Raises UnsayableError for one of neither form."""
    if isinstance(document, dict) and isinstance(document.get("features"), list):
        return Export(document) if "featureStrategies" in document else ClientFeatures(document)
    raise UnsayableError("$", "this is neither what Unleash's clients get nor an export of its administration")


def read_segment(given: JsonValue, place: str) -> Segment:
    """Read a segment. Raises UnsayableError."""
    return read(Segment, _object(given, place), place)


def _strategies(given: list[JsonValue], place: str) -> list[Strategy]:
    places = [f"{place}[{at}]" for at in range(len(given))]
    return [
        read(Strategy, _object(each, here) | {"place": here}, here) for here, each in zip(places, given, strict=True)
    ]


def _list(document: dict[str, JsonValue], name: str, place: str = "$") -> list[JsonValue]:
    given = document.get(name)
    if given is None:
        return []
    if not isinstance(given, list):
        raise UnsayableError(f"{place}.{name}", "this must be a list")
    return given


def _object(given: Any, place: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise UnsayableError(place, "this must be an object")
    return given


def _by_feature(parts: list[JsonValue]) -> dict[str, list[tuple[int, JsonValue]]]:
    """Return the parts by the feature they name, each with its place in the list."""
    found: dict[str, list[tuple[int, JsonValue]]] = {}
    for at, part in enumerate(parts):
        name = part.get("featureName", part.get("name")) if isinstance(part, dict) else None
        found.setdefault(_key(name), []).append((at, part))
    return found


def _key(name: JsonValue) -> str:
    """Return what a name is looked up by: a broken file's may be of any type."""
    return repr(name)
