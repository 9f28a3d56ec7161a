"""The words of the domain that have a closed set of values."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import StringConstraints

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"

Key = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
"""A flag's key or a variant's name: 1 to 128 of letters, digits, `_`, `.` and `-`, led by a letter or digit."""


SegmentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A segment's name: 1 to 64 of lower-case letters, digits, `_` and `-`, led by a letter or digit."""

Bucketing = Literal["murmur3-100k", "unleash", "growthbook-1", "growthbook-2", "launchdarkly", "flagd-2"]
"""How callers are placed; all but the first are other systems' ways, so that their users stay where they are."""

MURMUR3_100K: Bucketing = "murmur3-100k"


class Kind(StrEnum):
    """What a flag is for; the kill switch of scope `all` takes down flags of kind `release` only."""

    RELEASE = "release"
    EXPERIMENT = "experiment"
    OPS = "ops"
    PERMISSION = "permission"


class Reason(StrEnum):
    """Why a caller got a variant; `OPENFEATURE_REASON` says each in OpenFeature's words."""

    KILLED = "KILLED"
    DISABLED = "DISABLED"
    PREREQUISITE_FAILED = "PREREQUISITE_FAILED"
    TARGET_MATCH = "TARGET_MATCH"
    RULE_MATCH = "RULE_MATCH"
    SPLIT = "SPLIT"
    STICKY = "STICKY"
    DEFAULT = "DEFAULT"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"


OPENFEATURE_REASON = {
    Reason.KILLED: "STATIC",
    Reason.DISABLED: "DISABLED",
    Reason.PREREQUISITE_FAILED: "TARGETING_MATCH",
    Reason.TARGET_MATCH: "TARGETING_MATCH",
    Reason.RULE_MATCH: "TARGETING_MATCH",
    Reason.SPLIT: "SPLIT",
    Reason.STICKY: "SPLIT",
    Reason.DEFAULT: "STATIC",
    Reason.TARGETING_KEY_MISSING: "ERROR",
    Reason.INVALID_CONTEXT: "ERROR",
    Reason.FLAG_NOT_FOUND: "ERROR",
}
"""Every reason in the words of the OpenFeature specification (types, resolution reason)."""
