"""One of Unleash's features told as a flag: its strategies become rules, each of which may fall through to the next."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue, ValidationError

from app.translate.logic import When, every
from app.translate.model import Document, Options, UnsayableError, what_is_wrong
from app.translate.unleash_model import Feature, Strategy
from app.translate.unleash_strategies import DEFAULT, UNLEASH, Rollout, holds, rollout
from app.translate.unleash_variants import Variants, overridden, served, stickiness_of
from flags.bucketing import BUCKETS
from flags.model import Flag

KINDS: Mapping[str, str] = {
    "release": "release",
    "experiment": "experiment",
    "operational": "ops",
    "kill-switch": "ops",
    "permission": "permission",
}
ON, OFF = "on", "off"
MAX_TITLE = 64


class Step(NamedTuple):
    """What callers for whom a condition holds are given; the first step that holds decides."""

    name: str
    when: When
    serve: Document


class FeatureTold:
    """A feature, and the flag it is."""

    def __init__(self, feature: Feature, segments: Mapping[int, When], options: Options) -> None:
        """Tell it. Raises UnsayableError."""
        self.feature = feature
        self._segments = segments
        self._options = options
        self._variants = Variants()
        self._variants.add(feature.variants, feature.variants_place)
        for strategy in feature.strategies:
            self._variants.add(strategy.variants, f"{strategy.place}.variants")
        named = bool(self._variants)
        self.off = self._variants.free_name("disabled", OFF) if named else OFF
        self.plain = self._variants.free_name("enabled", ON) if named else ON
        self.document = self.checked(self._document())

    def on(self) -> list[str]:
        """Return the variants of callers who have the feature."""
        return [name for name in _names(self.document["variants"]) if name != self.off]

    def checked(self, document: Document) -> Document:
        """Return the flag. Raises UnsayableError where no flag can be so."""
        try:
            Flag.model_validate(document)
        except ValidationError as error:
            raise UnsayableError(self.feature.place, what_is_wrong(error)) from error
        return document

    def _document(self) -> Document:
        feature = self.feature
        told: Document = {
            "key": feature.name,
            "description": feature.description or "",
            "kind": KINDS.get(feature.type or "", "release"),
            "enabled": feature.enabled,
            "bucketing": UNLEASH,
            "salt": feature.name,
        }
        simple = self._simple()
        if simple is not None:
            return told | {"variants": {ON: True, OFF: False}, "off_variant": OFF} | self._split(simple)
        return told | self._ruled([*_decisive([*self._steps()])])

    def _simple(self) -> Rollout | None:
        """Return the percentage that is all there is to the feature, None where there is more."""
        match self.feature.strategies:
            case (only,) if not (self._variants or only.constraints or only.segments):
                return rollout(only, self.feature.name, self._options)
            case _:
                return None

    def _split(self, share: Rollout) -> Document:
        """Return the percentage as a default, so that it can be raised with everybody staying where he is."""
        own: Document = {"salt": share.salt}
        if len(share.by) == 1:
            own["bucket_by"] = share.by[0]
        if share.reaches_all:
            return own | {"default": {"variant": ON}}
        shares: JsonValue = [{"variant": ON, "weight": share.to}, {"variant": OFF, "weight": BUCKETS - share.to}]
        default: Document = {"split": shares}
        if len(share.by) > 1:
            default["by"] = [*share.by]
        return own | {"default": default}

    def _ruled(self, steps: list[Step]) -> Document:
        last: Document = {"variant": self.off}
        if steps and steps[-1].when is True:
            last = steps.pop().serve
        plain = any(serve == {"variant": self.plain} for serve in (last, *(step.serve for step in steps)))
        values = self._variants.values([*([self.plain] if plain else []), self.off])
        return {
            "variants": values or {ON: True, OFF: False},
            "off_variant": self.off,
            "rules": [{"name": step.name, "when": step.when, "serve": step.serve} for step in steps],
            "default": last,
        }

    def _steps(self) -> Iterator[Step]:
        """Yield the steps: the first strategy that holds for a caller has the say in the variant too."""
        if not self.feature.strategies:
            yield from self._by_feature("everybody", when=True)
        for at, strategy in enumerate(self.feature.strategies):
            name = f"{at + 1} {(strategy.title or strategy.name)[:MAX_TITLE]}"
            when = holds(strategy, self.feature.name, self._segments, self._options)
            if strategy.variants:
                yield Step(name, when, self._served_by(strategy))
            else:
                yield from self._by_feature(name, when)

    def _served_by(self, strategy: Strategy) -> Document:
        stickiness = strategy.parameters.get("stickiness", DEFAULT)
        salt = strategy.parameters.get("groupId", self.feature.name)
        place = f"{strategy.place}.variants"
        return served(strategy.variants, stickiness, salt, self.off, self._options, place)

    def _by_feature(self, name: str, when: When) -> Iterator[Step]:
        feature, variants = self.feature, self.feature.variants
        if not variants:
            yield Step(name, when, {"variant": self.plain})
            return
        place = feature.variants_place
        for at, (field, overrides, variant) in enumerate(overridden(variants, self._options, place)):
            told = f"{name}, {at + 1}: {variant} by {field[:MAX_TITLE]}"[:128]
            yield Step(told, every([when, overrides]), {"variant": variant})
        serve = served(variants, stickiness_of(variants), feature.name, self.off, self._options, place)
        yield Step(name, when, serve)


def _decisive(steps: list[Step]) -> Iterator[Step]:
    """Yield the steps that decide for somebody, up to the first that does for everybody."""
    for step in steps:
        if step.when is not False:
            yield step
        if step.when is True:
            return


def _names(variants: JsonValue) -> list[str]:
    return [*variants] if isinstance(variants, dict) else []
