"""Time as the service sees it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `wall` in seconds since 1970, UTC, and `monotonic` in seconds that never go back."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic

    def now(self) -> datetime:
        """Return the wall clock's time, in UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)
