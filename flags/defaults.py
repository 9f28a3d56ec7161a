"""What a partial flag document means: `{"key": "x"}` alone is a boolean flag at 0 %."""

from typing import Any

from .bucketing import BUCKETS

FILLED_IN = ("variants", "off_variant", "salt", "default")


def with_defaults(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with variants, off variant, salt and default filled in where they are missing."""
    if all(document.get(name) is not None for name in FILLED_IN):
        return document
    variants = document.get("variants", {"on": True, "off": False})
    if not isinstance(variants, dict) or not variants:
        return document
    off = document.get("off_variant") or _off_among(variants)
    filled = {
        "variants": variants,
        "off_variant": off,
        "salt": document.get("key"),
        "default": _none_yet(variants, off),
    }
    given = {name: value for name, value in document.items() if value is not None or name not in filled}
    return filled | given


def _off_among(variants: dict[str, Any]) -> str:
    usual = [name for name in ("off", "legacy") if name in variants]
    return usual[0] if usual else list(variants)[-1]


def _none_yet(variants: dict[str, Any], off: str) -> dict[str, Any]:
    shares = [{"variant": name, "weight": 0} for name in variants if name != off]
    return {"split": [*shares, {"variant": off, "weight": BUCKETS}]}
