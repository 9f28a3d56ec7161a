"""One feature of GrowthBook, told as a flag."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from app.translate import growthbook_prerequisites as prerequisites
from app.translate.growthbook_attributes import place_of
from app.translate.growthbook_conditions import Targeting
from app.translate.growthbook_prerequisites import Find, Wanted
from app.translate.growthbook_rules import Reader, Step
from app.translate.growthbook_values import OFF, Variants
from app.translate.model import Document, UnsayableError, what_is_wrong
from flags.bucketing import BUCKETS
from flags.model import Flag

LONGEST_NAME = 120


@dataclass(slots=True)
class Feature:
    """A feature read so far: its steps, what each of them and all of it stand on."""

    variants: Variants
    gates: list[Wanted] = field(default_factory=list)
    steps: list[tuple[Step, Wanted]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Say whether nobody gets as far as another rule."""
        return bool(self.steps) and self.steps[-1][0].whole() is True


def told(key: str, document: JsonValue, place: str, targeting: Targeting, find: Find) -> tuple[Document, bool]:
    """Return the feature's flag, and whether a gate closes it. Raises UnsayableError."""
    if not isinstance(document, dict):
        raise UnsayableError(place, "a feature is an object")
    feature = Feature(Variants(document.get("defaultValue"), place_of(place, "defaultValue")))
    reader = Reader(key, targeting, feature.variants)
    rules, rules_place = document.get("rules") or [], place_of(place, "rules")
    if not isinstance(rules, list):
        raise UnsayableError(rules_place, "rules are a list")
    for at, rule in enumerate(rules):
        rule_place = place_of(rules_place, at)
        if not isinstance(rule, dict):
            raise UnsayableError(rule_place, "a rule is an object")
        if not feature.is_over:
            _add(feature, rule, rule_place, reader, find)
    flag = _flag(key, feature)
    _check(flag, place)
    return flag, bool(feature.gates)


def _add(feature: Feature, rule: Document, place: str, reader: Reader, find: Find) -> None:
    parents_place = place_of(place, "parentConditions")
    parents = prerequisites.read(rule.get("parentConditions") or [], parents_place, find)
    if parents.gates and feature.steps:
        raise UnsayableError(parents_place, "a gate behind other rules; here prerequisites come before all rules")
    if parents.gates and not feature.variants.is_boolean:
        told = "below a closed gate GrowthBook gives null, for which only a boolean flag has a value: false"
        raise UnsayableError(parents_place, told)
    if parents.gates:
        feature.gates.append(parents.gates)
    feature.steps += [(step, parents.own) for step in reader.steps(rule, place) if _gives(step)]


def _gives(step: Step) -> bool:
    """Say whether the step gives anyone anything, or would at another percentage."""
    return step.whole() is not False or (step.is_rollout and step.when is True)


def _flag(key: str, feature: Feature) -> Document:
    own = _common(feature.steps)
    steps = [step for step, _ in feature.steps]
    last = _last(steps, feature) if steps else {}
    rules = [*_rules(steps[:-1] if last else steps)]
    default_name = feature.variants.default_name
    falls_back = bool(own) or "split" in str(last.get("default"))
    if own and feature.gates and default_name != OFF:
        raise UnsayableError(steps[0].place, "gates and prerequisites of rules, in a feature that is true without them")
    is_off = feature.variants.is_boolean and not falls_back
    document: Document = {
        "key": key,
        "variants": feature.variants.documents(),
        "off_variant": OFF if is_off else default_name,
        "prerequisites": prerequisites.documents([*feature.gates, own]),
        "rules": rules,
        "default": {"variant": default_name},
        **last,
    }
    return {name: value for name, value in document.items() if value != []}


def _common(steps: Sequence[tuple[Step, Wanted]]) -> Wanted:
    """Return what all steps stand on."""
    first = steps[0][1] if steps else {}
    for step, own in steps:
        if own != first:
            place = place_of(step.place, "parentConditions")
            raise UnsayableError(place, "prerequisites of some of the rules; here all rules of a flag have the same")
    return first


def _last(steps: Sequence[Step], feature: Feature) -> Document:
    """Return the last step as the flag's default, nothing when it has to stay a rule."""
    step, variants = steps[-1], feature.variants
    if step.whole() is True:
        return {"default": {"variant": step.variant}}
    is_plain = step.is_rollout and step.when is True and step.part is not None and step.part.runs[0][0] == 0
    is_needed_off = bool(feature.gates) and variants.default_name != OFF
    if step.part is None or not is_plain or is_needed_off or step.variant == variants.default_name:
        return {}
    how, (_, end) = step.part.hashed, step.part.runs[0]
    weight = how.bucket(end)
    rest: Document = {"variant": variants.default_name, "weight": BUCKETS - weight}
    split: Document = {"split": [{"variant": step.variant, "weight": weight}, rest]}
    if len(how.by) > 1:
        split["by"] = [*how.by]
    hashing: Document = {"bucket_by": how.by[0], "salt": how.seed, "bucketing": how.bucketing}
    return {**hashing, "default": split}


def _rules(steps: Sequence[Step]) -> Iterator[JsonValue]:
    names: set[str] = set()
    for step in steps:
        when = step.whole()
        if isinstance(when, dict):
            own = step.name[:LONGEST_NAME]
            numbered = (f"{own} {at}" for at in range(2, len(names) + 3))
            name = next(name for name in (own, *numbered) if name not in names)
            names.add(name)
            yield {"name": name, "when": when, "serve": {"variant": step.variant}}


def _check(flag: Document, place: str) -> None:
    """Raise UnsayableError when the flag is none that we take: too many rules, say, or a key with other letters."""
    try:
        Flag.model_validate(flag)
    except ValidationError as error:
        raise UnsayableError(place, what_is_wrong(error)) from None
