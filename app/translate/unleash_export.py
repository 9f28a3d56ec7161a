"""What Unleash's administration exports: the parts of features in lists of their own.

One environment's export has it alone; a state export, as Unleash gave it up to version 5, has all of them.
"""

from collections import defaultdict
from collections.abc import Iterator

from pydantic import JsonValue

from app.translate.model import UnsayableError
from app.translate.unleash_model import Feature, FeatureOrError, Strategy, listed, object_of, read, with_texts

LAST = 9999
"""Where a strategy without a place in the order stands."""

Row = dict[str, JsonValue]


class Export:
    """What `/api/admin/features-batch/export` and `/api/admin/state/export` answer, read for one environment."""

    def __init__(self, document: Row, environment: str | None) -> None:
        self.segments = listed(document, "segments")
        self._environment = environment
        self._features = listed(document, "features")
        self._strategies = _by_feature(_rows(document, "featureStrategies"))
        self._environments = _by_feature(_rows(document, "featureEnvironments"))
        self._dependencies: dict[str, list[Row]] = defaultdict(list)
        for _, each in _rows(document, "dependencies"):
            self._dependencies[_key(each.get("feature"))].append(each)
        self._segments_of: dict[JsonValue, list[JsonValue]] = defaultdict(list)
        for _, link in _rows(document, "featureStrategySegments"):
            self._segments_of[str(link.get("featureStrategyId"))].append(link.get("segmentId"))

    def features(self) -> Iterator[FeatureOrError]:
        """Yield each feature, or why it cannot be read."""
        for at, given in enumerate(self._features):
            try:
                yield self._feature(given, f"$.features[{at}]")
            except UnsayableError as error:
                yield error

    def _feature(self, given: JsonValue, place: str) -> Feature:
        feature = object_of(given, place)
        name = feature.get("name")
        if feature.get("archived"):
            raise UnsayableError(f"{place}.archived", "the feature is archived")
        at, chosen = self._chosen(name, place)
        has_variants = "variants" in chosen
        decided = {
            "enabled": chosen.get("enabled"),
            "variants": chosen["variants"] if has_variants else feature.get("variants"),
            "strategies": self._strategies_of(name, chosen.get("environment"), place),
            "dependencies": [
                item for each in self._dependencies.get(_key(name), ()) for item in listed(each, "dependencies")
            ],
            "place": place,
            "variantsPlace": f"$.featureEnvironments[{at}].variants" if has_variants else f"{place}.variants",
        }
        return read(Feature, feature | decided, place)

    def _chosen(self, name: JsonValue, place: str) -> tuple[int, Row]:
        """Return the one environment of a feature that is asked for, and where in its list it stands."""
        known = self._environments.get(_key(name), ())
        chosen = [(at, each) for at, each in known if self._environment in {None, each.get("environment")}]
        if len(chosen) == 1:
            return chosen[0]
        names = ", ".join(str(each.get("environment")) for _, each in known)
        if chosen:
            told = f"the file has several environments of this feature ({names}); name one with --environment"
        elif known:
            told = f'the file has no environment "{self._environment}" of this feature, but {names}'
        else:
            told = "the file has no environment of this feature"
        raise UnsayableError(place, told)

    def _strategies_of(self, name: JsonValue, environment: JsonValue, place: str) -> list[Strategy]:
        own = [
            self._strategy(each, f"$.featureStrategies[{at}]")
            for at, each in self._strategies.get(_key(name), ())
            if each.get("environment", environment) == environment
        ]
        active = [each for each in own if not each.disabled]
        if own and not active:
            raise UnsayableError(place, "all its strategies are disabled, so that nothing says who has it")
        return sorted(active, key=lambda each: LAST if each.sort_order is None else each.sort_order)

    def _strategy(self, given: Row, place: str) -> Strategy:
        linked = self._segments_of.get(str(given.get("id")), [])
        decided: Row = {"place": place, "segments": [*listed(given, "segments", place), *linked]}
        if "strategyName" in given:
            decided["name"] = given["strategyName"]
        return read(Strategy, with_texts(given) | decided, place)


def _rows(document: Row, name: str) -> list[tuple[int, Row]]:
    return [(at, each) for at, each in enumerate(listed(document, name)) if isinstance(each, dict)]


def _by_feature(rows: list[tuple[int, Row]]) -> dict[str, list[tuple[int, Row]]]:
    """Return the rows by the feature they name, each with its place in its list."""
    found: dict[str, list[tuple[int, Row]]] = defaultdict(list)
    for at, row in rows:
        found[_key(row.get("featureName", row.get("name")))].append((at, row))
    return found


def _key(name: JsonValue) -> str:
    """Return what a name is looked up by: a broken file's may be of any type."""
    return repr(name)
