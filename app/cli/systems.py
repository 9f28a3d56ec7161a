"""The flag services whose exports `crossfade import --from` reads."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class System(StrEnum):
    """A flag service; the module of its name in `app.translate` translates its exports."""

    UNLEASH = "unleash"
    GROWTHBOOK = "growthbook"
    FLAGD = "flagd"


def system_of(document: Mapping[str, Any]) -> System | None:
    """Return the system that a file looks like an export of, None for one of ours and for what nobody knows."""
    if isinstance(document.get("flags"), dict):
        return System.FLAGD
    features = document.get("features")
    if isinstance(features, list):
        return System.UNLEASH
    if isinstance(features, dict) or "encryptedFeatures" in document or _are_features(document):
        return System.GROWTHBOOK
    return None


def looks_like(system: System) -> str:
    """Tell which system a file seems to be of, and what to do about it."""
    return f"FILE looks like an export of {system}; give --from {system}."


def _are_features(document: Mapping[str, Any]) -> bool:
    """Say whether these are features by their keys, as GrowthBook's SDKs keep them."""
    return bool(document) and all(isinstance(each, dict) and "defaultValue" in each for each in document.values())
