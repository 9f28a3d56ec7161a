"""GrowthBook's rules, told as steps that give some callers a variant and leave the others to the next."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from app.translate.growthbook_attributes import THEIR_KEY, hashed, place_of
from app.translate.growthbook_conditions import Targeting
from app.translate.growthbook_places import PLACES, Hash, Run, Share, assigned, below, laid_out
from app.translate.growthbook_values import Variants
from app.translate.logic import When, every, some
from app.translate.model import Document, UnsayableError

SAID = {
    *("id", "key", "name", "condition", "filters", "force", "coverage", "range", "hashAttribute", "fallbackAttribute"),
    *("hashVersion", "seed", "variations", "weights", "ranges", "namespace", "meta", "parentConditions"),
    *("disableStickyBucketing", "minBucketVersion"),
}
UNSAID = {"phase", "tracks", "bucketVersion", "metadata"}
"""For tracking, or for assignments that GrowthBook has stored elsewhere."""

PAIR = 2
MOST = 1000
NAMESPACE_SEED = "__"
FILTER_VERSION = 2


@dataclass(frozen=True, slots=True)
class Part:
    """A part of all callers: by which hash, and which of its places."""

    hashed: Hash
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A variant for those who meet a condition and are in a part; `place` is the rule's."""

    name: str
    place: str
    variant: str
    when: When
    part: Part | None = None
    is_rollout: bool = False

    def whole(self) -> When:
        """Return the condition with the part in it."""
        return self.when if self.part is None else every([self.when, self.part.hashed.takes(self.part.runs)])


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the rules of one feature."""

    feature: str
    targeting: Targeting
    variants: Variants

    def steps(self, rule: Document, place: str) -> Iterator[Step]:
        """Yield the steps of a rule; what it never gives is none. Raises UnsayableError."""
        strange = [name for name in rule if name not in SAID | UNSAID]
        if strange:
            raise UnsayableError(place_of(place, strange[0]), "a field of a rule that is not known here")
        when = every([self._condition(rule, place), self._filtered(rule.get("filters"), place_of(place, "filters"))])
        if rule.get("force") is not None:
            yield self._forced(rule, place, when)
        elif rule.get("variations") is not None:
            yield from self._experiment(rule, place, when)

    def _condition(self, rule: Document, place: str) -> When:
        return self.targeting.condition(rule.get("condition") or {}, place_of(place, "condition"))

    def _filtered(self, filters: JsonValue, place: str) -> When:
        return every(self._filter(each, place_of(place, at)) for at, each in enumerate(_list(filters or [], place)))

    def _filter(self, document: JsonValue, place: str) -> When:
        if not isinstance(document, dict):
            raise UnsayableError(place, "a filter is an object")
        attribute = _text(document.get("attribute", THEIR_KEY), place_of(place, "attribute"))
        seed = _text(document.get("seed"), place_of(place, "seed"))
        by = (hashed(attribute, self.targeting.options, place),)
        version = _version(document.get("hashVersion", FILTER_VERSION), place_of(place, "hashVersion"))
        how = Hash(by, seed, version)
        return some(how.takes([how.run(share)]) for share in _shares(document.get("ranges"), place_of(place, "ranges")))

    def _forced(self, rule: Document, place: str, when: When) -> Step:
        name = str(rule.get("id") or "rule")
        variant = self.variants.of(rule["force"], place_of(place, "force"))
        coverage, span = rule.get("coverage"), rule.get("range")
        if coverage is None and span is None:
            return Step(name, place, variant, when)
        fallback = None if rule.get("disableStickyBucketing") else rule.get("fallbackAttribute")
        how = self._hash(rule, self.feature, fallback, place)
        share = _share(span, place_of(place, "range")) if span is not None else _covered(coverage, place)
        return Step(name, place, variant, when, Part(how, (how.run(share),)), is_rollout=True)

    def _experiment(self, rule: Document, place: str, when: When) -> Iterator[Step]:
        _refuse_stored(rule, place)
        variations = _list(rule["variations"], place_of(place, "variations"))
        if len(variations) < PAIR:
            return
        key = str(rule.get("key") or self.feature)
        how = self._hash(rule, key, None, place)
        inside = every([when, self._in_namespace(rule, how, place)])
        for at, runs in enumerate(assigned(how, _variation_shares(rule, len(variations), place))[: len(variations)]):
            told = _told(rule.get("meta"), at)
            if runs and not told.get("passthrough"):
                variant = self.variants.of(variations[at], place_of(place_of(place, "variations"), at))
                name = f"{rule.get('name') or key}: {told.get('name') or told.get('key') or at}"
                yield Step(name, place, variant, inside, Part(how, tuple(runs)))

    def _hash(self, rule: Document, key: str, fallback: JsonValue, place: str) -> Hash:
        options = self.targeting.options
        first = rule.get("hashAttribute")
        by = [_text(THEIR_KEY if first is None else first, place_of(place, "hashAttribute"))]
        if fallback:
            by.append(_text(fallback, place_of(place, "fallbackAttribute")))
        seed = _text(rule.get("seed") or key, place_of(place, "seed"))
        version = _version(rule.get("hashVersion") or 1, place_of(place, "hashVersion"))
        return Hash(tuple(hashed(name, options, place) for name in by), seed, version)

    def _in_namespace(self, rule: Document, how: Hash, place: str) -> When:
        namespace = rule.get("namespace")
        if not namespace or rule.get("filters"):
            return True
        if not isinstance(namespace, list) or len(namespace) != PAIR + 1:
            raise UnsayableError(place_of(place, "namespace"), "a namespace is a name and two fractions")
        name, *span = namespace
        spaced = Hash(how.by, NAMESPACE_SEED + _text(name, place_of(place, "namespace")), 1)
        return spaced.takes([spaced.run(_share(span, place_of(place, "namespace")))])


def _refuse_stored(rule: Document, place: str) -> None:
    if rule.get("minBucketVersion"):
        told = "callers of earlier bucket versions are left out, and only GrowthBook's sticky buckets know who they are"
        raise UnsayableError(place_of(place, "minBucketVersion"), told)


def _variation_shares(rule: Document, count: int, place: str) -> list[Share]:
    if rule.get("ranges"):
        return _shares(rule["ranges"], place_of(place, "ranges"))
    coverage, weights = rule.get("coverage"), rule.get("weights")
    covered = 1.0 if coverage is None else _covered(coverage, place)[1]
    return laid_out(count, covered, None if weights is None else _numbers(weights, place_of(place, "weights")))


def _told(meta: JsonValue, at: int) -> Mapping[str, JsonValue]:
    """Return what the file tells of a variation, nothing when it does not."""
    told = meta[at] if isinstance(meta, list) and at < len(meta) else None
    return told if isinstance(told, dict) else {}


def _covered(coverage: JsonValue, place: str) -> Share:
    return below(_numbers([coverage], place_of(place, "coverage"))[0])


def _shares(ranges: JsonValue, place: str) -> list[Share]:
    return [_share(each, place_of(place, at)) for at, each in enumerate(_list(ranges, place))]


def _share(span: JsonValue, place: str) -> Share:
    numbers = _numbers(span, place)
    if len(numbers) != PAIR:
        raise UnsayableError(place, "a range has two ends")
    return numbers[0], numbers[1]


def _numbers(values: JsonValue, place: str) -> list[float]:
    numbers = [
        value for value in _list(values, place) if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if numbers != values or not all(abs(number) <= MOST for number in numbers):
        raise UnsayableError(place, "numbers are wanted: shares of all callers")
    return numbers


def _list(values: JsonValue, place: str) -> list[JsonValue]:
    if not isinstance(values, list):
        raise UnsayableError(place, "a list is wanted")
    return values


def _text(value: JsonValue, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise UnsayableError(place, "a text that is not empty is wanted")
    return value


def _version(value: JsonValue, place: str) -> int:
    if value not in PLACES or not isinstance(value, int):
        raise UnsayableError(place, f"there is no version {value} of GrowthBook's hash")
    return value
