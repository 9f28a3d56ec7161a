"""Unleash's features told as flags and its segments as segments, with every user staying where he is.

What is told decides as the engine inside Unleash's clients does. Callers whom that sends one way or the other by
chance, since they have no key to be hashed by, get the off variant and the reason for it.
"""

import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue, ValidationError

from app.translate.logic import When, every
from app.translate.model import Document, Options, Refusal, Translated, UnsayableError
from app.translate.unleash_conditions import condition
from app.translate.unleash_flags import FeatureTold
from app.translate.unleash_model import Dependency, Feature
from app.translate.unleash_reading import read_segment, source_of
from flags.segment import Segment

MAX_NAME = 64
NO_CONSTRAINTS = (
    "an export of the administration holds no constraints of segments; take what the clients get, from "
    "/api/client/features"
)


def translate(document: JsonValue, options: Options) -> Translated:
    """Return the flags and segments of what Unleash gives its clients or exports, and what cannot be said exactly."""
    try:
        source = source_of(document, options.environment)
    except UnsayableError as error:
        return Translated(refusals=(error.refusal,))
    refusals: list[Refusal] = []
    segments = _Segments(source.segments, options, refusals)
    told: dict[str, FeatureTold] = {}
    for each in source.features():
        if isinstance(each, UnsayableError):
            refusals.append(each.refusal)
        elif each.name in told:
            refusals.append(Refusal(each.place, f'there is another feature "{each.name}"'))
        else:
            _tell(each, segments.conditions, options, told, refusals)
    flags = [*_standing(told, refusals)]
    return Translated(tuple(flags), tuple(segments.documents), tuple(refusals))


def _tell(
    feature: Feature,
    segments: Mapping[int, When],
    options: Options,
    told: dict[str, FeatureTold],
    refusals: list[Refusal],
) -> None:
    try:
        told[feature.name] = FeatureTold(feature, segments, options)
    except UnsayableError as error:
        refusals.append(_named(feature, error.refusal))


def _named(feature: Feature, refusal: Refusal) -> Refusal:
    """Name the feature: its place only says which one in the list it is."""
    return Refusal(refusal.place, f'"{feature.name}": {refusal.reason}')


class _Segments:
    """The segments of a file: `conditions` by number says for whom each holds."""

    def __init__(self, given: Iterable[JsonValue], options: Options, refusals: list[Refusal]) -> None:
        self.documents: list[Document] = []
        self.conditions: dict[int, When] = {}
        for at, each in enumerate(given):
            try:
                self._tell(each, options, f"$.segments[{at}]")
            except UnsayableError as error:
                refusals.append(error.refusal)

    def _tell(self, given: JsonValue, options: Options, place: str) -> None:
        segment = read_segment(given, place)
        if segment.constraints is None:
            raise UnsayableError(place, NO_CONSTRAINTS)
        parts = [
            condition(constraint, options, f"{place}.constraints[{at}]")
            for at, constraint in enumerate(segment.constraints)
        ]
        when = every(parts)
        self.conditions[segment.id] = (
            when if isinstance(when, bool) else self._named(segment.id, segment.name, when, place)
        )

    def _named(self, number: int, theirs: str | None, when: Document, place: str) -> Document:
        name = re.sub(r"[^a-z0-9_-]+", "-", (theirs or "").lower()).strip("-_")[:MAX_NAME]
        if not name or any(each["name"] == name for each in self.documents):
            name = f"{name[: MAX_NAME - 16]}-{number}".strip("-")
        document: Document = {"name": name, "description": theirs or "", "when": when}
        try:
            Segment.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            raise UnsayableError(place, f"no segment can be so: {first['msg']}") from error
        self.documents.append(document)
        return {"segment": name}


def _standing(told: Mapping[str, FeatureTold], refusals: list[Refusal]) -> Iterable[Document]:
    """Yield the flags with what they stand on; one that stands on a feature that is no flag is refused too."""
    for each in told.values():
        try:
            standing_on = _prerequisites(each.feature, told)
            yield each.checked(each.document | standing_on) if standing_on else each.document
        except UnsayableError as error:
            refusals.append(_named(each.feature, error.refusal))


def _prerequisites(feature: Feature, told: Mapping[str, FeatureTold]) -> Document:
    items: list[JsonValue] = []
    for at, dependency in enumerate(feature.dependencies):
        place = f"{feature.place}.dependencies[{at}]"
        parent = told.get(dependency.feature)
        if parent is None:
            raise UnsayableError(place, f'it stands on "{dependency.feature}", which is not in the file, or refused')
        if parent.feature.dependencies:
            raise UnsayableError(
                place, f'"{dependency.feature}" stands on features itself: Unleash never gives this one'
            )
        wanted: list[JsonValue] = [*_wanted(dependency, parent, place)]
        items.append({"flag": dependency.feature, "variants": wanted})
    return {"prerequisites": items} if items else {}


def _wanted(dependency: Dependency, parent: FeatureTold, place: str) -> list[str]:
    """Return the parent's variants under which a feature is given. Raises UnsayableError."""
    if dependency.enabled is False:
        if not parent.feature.enabled:
            raise UnsayableError(place, "it needs another feature off, and a disabled flag fulfils no prerequisite")
        if dependency.variants:
            raise UnsayableError(place, "it needs another feature off, and a variant of it")
        return [parent.off]
    named = {*dependency.variants, parent.plain}
    wanted = [name for name in parent.on() if not dependency.variants or name in named]
    if not wanted:
        raise UnsayableError(f"{place}.variants", "the other feature never gives one of these variants")
    return wanted
