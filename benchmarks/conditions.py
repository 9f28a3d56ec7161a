"""Under what a benchmark runs: how long, how often, on which cores, and on what kind of machine."""

import os
import platform
from importlib import metadata
from typing import NamedTuple


class Effort(NamedTuple):
    """How thoroughly to measure: the seconds of one measurement of HTTP, how many pairs, the minutes of the soak."""

    seconds: float = 2.0
    pairs: int = 9
    minutes: float = 10.0

    def told(self) -> dict[str, float | int]:
        """Return what a benchmark of pairs tells of it."""
        return {"seconds": self.seconds, "pairs": self.pairs}


class Cores(NamedTuple):
    """Where what is measured runs, and where the load and what it needs; None where a core cannot be chosen."""

    measured: int | None
    load: int | None


def cores() -> Cores:
    """Return two different cores, or none on a machine with one or without a way to choose."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return Cores(allowed[0], allowed[1]) if len(allowed) > 1 else Cores(None, None)


def machine(*peers: str) -> dict[str, str | int | float]:
    """Return what of the machine and of the peers matters for ratios; nothing that names the machine."""
    versions = {peer: metadata.version(peer) for peer in peers}
    return {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count() or 1, **versions}
