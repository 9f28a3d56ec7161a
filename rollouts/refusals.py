"""Refusing a document with all its faults at once."""

from collections.abc import Sequence


def refuse(faults: Sequence[str]) -> None:
    """Raise ValueError, which names every fault; do nothing when there is none."""
    if faults:
        raise ValueError("; ".join(faults))
