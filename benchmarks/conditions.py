"""Under what a benchmark runs: how long, how often, and on what kind of machine."""

import os
import platform
from typing import NamedTuple


class Effort(NamedTuple):
    """How thoroughly to measure: the seconds of one measurement of HTTP, and how many pairs of them."""

    seconds: float = 2.0
    pairs: int = 9


def machine() -> dict[str, str | int | float]:
    """Return what of the machine matters for ratios; nothing that names it."""
    return {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count() or 1}
