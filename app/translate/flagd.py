"""flagd's flag definitions told as flags and segments: targeting becomes rules, shared evaluators become segments.

Callers are hashed as flagd's second version of `fractional` does it: flagd itself, the Python `openfeature-flagd-core`
1.0, the JavaScript `flagd-core` 4.
"""

import json
import re
from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from app.translate.flagd_logic import Logic
from app.translate.flagd_rules import Served, variant_name
from app.translate.flagd_tree import FLAGD_2, constant
from app.translate.flagd_values import CannotSayError, as_text
from app.translate.model import Document, Options, Refusal, Translated, UnsayableError
from flags.model import Flag
from flags.segment import Segment

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
MAX_TAG_LENGTH = 128


def translate(document: JsonValue, options: Options) -> Translated:
    """Return the flags and segments of a file of flagd's, and what of it cannot be said exactly."""
    if not isinstance(document, dict) or not isinstance(theirs := document.get("flags"), dict):
        return Translated(refusals=(Refusal("$", 'This is no file of flagd: it has no object "flags".'),))
    given = document.get("$evaluators")
    evaluators = given if isinstance(given, dict) else {}
    segments = _segments(evaluators, options)
    names = {evaluator: str(segment["name"]) for evaluator, segment in segments.items()}
    flags: list[Document] = []
    refusals: list[Refusal] = []
    for key, flag in theirs.items():
        try:
            flags.append(_Flag(key, flag).told(Logic(key, options, evaluators, names), options))
        except UnsayableError as error:
            refusals.append(error.refusal)
    return Translated(tuple(flags), tuple(segments.values()), tuple(refusals))


def _segments(evaluators: Mapping[str, JsonValue], options: Options) -> dict[str, Document]:
    """Return those evaluators that are conditions; what is no condition is told where it is used."""
    segments: dict[str, Document] = {}
    for evaluator, rule in evaluators.items():
        names = {known: str(segment["name"]) for known, segment in segments.items()}
        logic = Logic(None, options, evaluators, names)
        name = _segment_name(evaluator)
        try:
            when = logic.condition(rule, _place("$.$evaluators", evaluator))
            Segment.model_validate({"name": name, "when": when})
        except (UnsayableError, ValidationError):
            continue
        if name not in names.values():
            segments[evaluator] = {"name": name, "description": f'evaluator "{evaluator}" of flagd', "when": when}
    return segments


def _segment_name(evaluator: str) -> str:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", evaluator).lower()
    return re.sub(r"[^a-z0-9_-]+", "-", apart)


def _place(parent: str, name: str) -> str:
    return f"{parent}.{name}" if _PLAIN.fullmatch(name) else f"{parent}[{json.dumps(name, ensure_ascii=False)}]"


class _Flag:
    """One of their flags. Raises `UnsayableError` for what is none."""

    def __init__(self, key: str, document: JsonValue) -> None:
        self.key = key
        self.place = _place("$.flags", key)
        if not isinstance(document, dict) or document.get("state") not in {"ENABLED", "DISABLED"}:
            raise UnsayableError(self.place, 'The "state" of a flag must be ENABLED or DISABLED.')
        self.document = document

    def told(self, logic: Logic, options: Options) -> Document:
        """Return our document. Raises `UnsayableError`."""
        place = f"{self.place}.targeting"
        tree = logic.tree(self._targeting(), place)
        variants, default = self._variants(), self._default()
        gives_nothing = default is None and tree == constant(None)
        default = next(iter(variants)) if gives_nothing else default
        served = Served(variants, default, salt=self.key, by=options.attribute("targetingKey"))
        try:
            rules, last = served.rules(tree)
        except CannotSayError as error:
            raise UnsayableError(place, str(error)) from error
        ours: Document = {
            "key": self.key,
            "enabled": self.document["state"] == "ENABLED" and not gives_nothing,
            "tags": self._tags(),
            "variants": served.variants,
            "off_variant": served.names.get(off := _off(variants, default), off),
            "bucket_by": served.by,
            "salt": self.key,
            "bucketing": FLAGD_2,
            "rules": rules,
            "default": last,
        }
        return self._checked(ours)

    def _targeting(self) -> JsonValue:
        targeting = self.document.get("targeting") or None
        if targeting is not None and not isinstance(targeting, dict):
            raise UnsayableError(f"{self.place}.targeting", "Targeting must be an object: flagd answers with an error.")
        return targeting

    def _variants(self) -> dict[str, JsonValue]:
        variants = self.document.get("variants")
        if not isinstance(variants, dict) or not variants:
            raise UnsayableError(f"{self.place}.variants", "A flag needs variants: flagd cannot read the file.")
        return variants

    def _default(self) -> str | None:
        match self.document.get("defaultVariant"):
            case None | "":
                return None
            case bool() | str() as name:
                return variant_name(name)
        raise UnsayableError(
            f"{self.place}.defaultVariant", "This is no name of a variant: flagd cannot read the file."
        )

    def _tags(self) -> list[JsonValue]:
        metadata = self.document.get("metadata")
        tags = [f"{name}={as_text(value)}" for name, value in metadata.items()] if isinstance(metadata, dict) else []
        return [tag for tag in tags if len(tag) <= MAX_TAG_LENGTH]

    def _checked(self, ours: Document) -> Document:
        try:
            Flag.model_validate(ours)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}." for part in first["loc"]).removesuffix(".")
            why = first["msg"].removeprefix("Value error, ")
            raise UnsayableError(self.place, f"This makes no flag of ours: {where and f'{where}: '}{why}.") from error
        return ours


def _off(variants: Mapping[str, JsonValue], default: str | None) -> str:
    """Return what a killed flag gives: false where there is one such variant, otherwise what flagd gives by default."""
    false = [name for name, value in variants.items() if value is False]
    return false[0] if len(false) == 1 else default or [*variants][-1]
