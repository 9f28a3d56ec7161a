"""The flags that OFREP is measured with: each serves half of all callers."""

from collections.abc import Mapping, Sequence
from typing import Any

KEYS = [f"flag-{number:03}" for number in range(100)]
ONE = KEYS[0]


def documents() -> Sequence[Mapping[str, Any]]:
    """Return the flags as the service takes them."""
    split = [{"variant": "new", "weight": 50_000}, {"variant": "legacy", "weight": 50_000}]
    return [{"key": key, "variants": {"new": True, "legacy": False}, "default": {"split": split}} for key in KEYS]
