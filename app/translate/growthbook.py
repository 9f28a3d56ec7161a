"""GrowthBook's SDK payload, told as flags and segments of ours.

A flag gives what the feature gives by GrowthBook's SDK for Python without sticky buckets, forced variations and
overrides, which are the caller's. Where GrowthBook gives null below a closed gate, a boolean flag gives false.
"""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from app.translate.growthbook_attributes import place_of
from app.translate.growthbook_conditions import Targeting
from app.translate.growthbook_features import told
from app.translate.growthbook_groups import Groups
from app.translate.growthbook_prerequisites import Parent
from app.translate.model import Document, Options, Refusal, Translated, UnsayableError

FEATURES = "$.features"
BESIDE_FEATURES = {
    "encryptedFeatures": "the features are encrypted; decrypt the file first",
    "encryptedSavedGroups": "the saved groups are encrypted; decrypt the file first",
    "experiments": "experiments on web pages (visual changes, redirects) are no flags",
}


def translate(document: JsonValue, options: Options) -> Translated:
    """Return the file's features as flags; one that cannot be said is refused with its place and the reason."""
    if not isinstance(document, dict):
        return Translated(refusals=(Refusal("$", "an SDK payload of GrowthBook is an object"),))
    features = document.get("features", {} if document.keys() & BESIDE_FEATURES.keys() else document)
    if not isinstance(features, dict):
        told = "features are an object by their keys, as the SDK endpoint gives them"
        return Translated(refusals=(Refusal(FEATURES, told),))
    groups = document.get("savedGroups") or {}
    reading = _File(features, Groups(groups if isinstance(groups, dict) else {}, options), options)
    beside = tuple(Refusal(place_of("$", name), why) for name, why in BESIDE_FEATURES.items() if document.get(name))
    return reading.translated(FEATURES if "features" in document else "$", beside)


class _File:
    def __init__(self, features: Mapping[str, JsonValue], groups: Groups, options: Options) -> None:
        self.features = features
        self.targeting = Targeting(options, groups)
        self.told: dict[str, tuple[Document, bool]] = {}
        self.refused: dict[str, Refusal] = {}
        self.open: list[str] = []
        self.place = FEATURES

    def translated(self, place: str, beside: tuple[Refusal, ...]) -> Translated:
        self.place = place
        for key in self.features:
            self.read(key)
        flags = [self.told[key][0] for key in self.features if key in self.told]
        segments = self.targeting.groups.segments
        used = _used(flags, segments)
        kept = [segment for name, segment in segments.items() if name in used]
        refused = [self.refused[key] for key in self.features if key in self.refused]
        return Translated(tuple(flags), tuple(kept), (*beside, *refused))

    def read(self, key: str) -> None:
        if key in self.told or key in self.refused:
            return
        place = place_of(self.place, key)
        self.open.append(key)
        try:
            self.told[key] = told(key, self.features[key], place, self.targeting, self.parent)
        except UnsayableError as unsayable:
            self.refused[key] = unsayable.refusal
        except RecursionError:
            self.refused[key] = Refusal(place, "it is nested too deep")
        finally:
            self.open.pop()

    def parent(self, key: str, place: str) -> Parent:
        if key not in self.features:
            raise UnsayableError(place, f'the file has no feature "{key}"')
        if key in self.open:
            raise UnsayableError(place, f'"{key}" stands on itself')
        self.read(key)
        if key in self.refused:
            raise UnsayableError(place, f'it stands on "{key}", which is refused')
        flag, is_gated = self.told[key]
        variants = flag["variants"]
        return Parent(variants if isinstance(variants, dict) else {}, is_gated)


def _used(flags: list[Document], segments: Mapping[str, Document]) -> set[str]:
    """Return the names of the segments that the flags use, and of those that these use."""
    used: set[str] = set()
    waiting = {name for flag in flags for name in _named(flag)}
    while waiting:
        name = waiting.pop()
        used.add(name)
        waiting |= {*_named(segments[name])} - used
    return used


def _named(document: JsonValue) -> Iterator[str]:
    if isinstance(document, list):
        for item in document:
            yield from _named(item)
    elif isinstance(document, dict):
        name = document.get("segment")
        if isinstance(name, str) and len(document) == 1:
            yield name
        for item in document.values():
            yield from _named(item)
