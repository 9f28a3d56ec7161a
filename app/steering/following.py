"""The statistics of one rollout, folded from the outcome log page by page and kept in step with it."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import orjson

from app.steering.reading import seen_in
from app.stores.steering import Kept, Line, Lines
from rollouts.fold import fold
from rollouts.model import Rollout
from rollouts.seen import Seen
from rollouts.statistics import Statistics

PAGE = 500
"""Lines of one question, and of one transaction."""

SLICE = 200
"""Lines that are read, or folded, before other work gets its turn: some milliseconds."""

MOST_PAGES = 40
"""Pages of one look: who is behind by more is caught up with before it is judged again, and others get a turn."""

GAP_S = 0.01
"""Between two pages."""


class Log(Protocol):
    """A database with the outcome log and the statistics made of it. Everything raises StoreUnavailableError."""

    async def outcome_lines(self, rollout: str, after: int, limit: int) -> Lines:
        """Return outcomes of a rollout behind a number, and the number up to which that is all there is."""

    async def first_events(self, rollout: str, units: Collection[str]) -> set[tuple[str, str]]:
        """Return the first events there are of some units."""

    async def statistics(self, rollout: str) -> Kept | None:
        """Return what is kept of a rollout."""

    async def keep_statistics(
        self, rollout: str, seq_before: int | None, seq_after: int, body: str, first: Collection[tuple[str, str]]
    ) -> bool:
        """Keep statistics in the place of those before; false when others are there."""


class OvertakenError(Exception):
    """Another leader has kept what this one was about to: what is in memory is no ground to go on from."""


class Follower:
    """Folds what is new in the outcome log of one rollout; after any failure another one has to begin anew."""

    def __init__(self, log: Log, rollout: Rollout, kept: Kept | None, wall: Callable[[], float]) -> None:
        """Go on from what is kept, or begin with the log."""
        self._log = log
        self._wall = wall
        self._kept = kept.seq if kept else None
        self._seq = kept.seq if kept else 0
        self.statistics = statistics_of(rollout, kept)
        self.lag_s = 0.0
        self.lag_lines = 0

    async def catch_up(self, rollout: Rollout) -> bool:
        """Fold new lines and keep the statistics; false when there are more than one look takes.

        Raises StoreUnavailableError and OvertakenError.
        """
        for _ in range(MOST_PAGES):
            lines, up_to = await self._log.outcome_lines(rollout.id, self._seq, PAGE)
            if lines:
                await self._fold(rollout, lines, up_to)
            self._seq = up_to
            if len(lines) < PAGE:
                self.lag_s, self.lag_lines = 0.0, 0
                return True
            await asyncio.sleep(GAP_S)
        return False

    async def _fold(self, rollout: Rollout, lines: Sequence[Line], up_to: int) -> None:
        seen = await _read(lines, rollout)
        known = await self._log.first_events(rollout.id, {each.unit for _, each in seen})
        first: list[tuple[str, str]] = []
        for start in range(0, len(seen), SLICE):
            found = fold(self.statistics, rollout, seen[start : start + SLICE], known)
            first += found
            known.update(found)
            await asyncio.sleep(0)
        body = orjson.dumps(self.statistics.dump()).decode()
        if not await self._log.keep_statistics(rollout.id, self._kept, up_to, body, first):
            raise OvertakenError
        self._kept = up_to
        if seen:
            self.lag_s, self.lag_lines = max(0.0, self._wall() - seen[-1][1].seen_at), len(lines)


def statistics_of(rollout: Rollout, kept: Kept | None) -> Statistics:
    """Return the statistics that are kept of a rollout, or fresh ones."""
    return Statistics(rollout.plan, None if kept is None else orjson.loads(kept.body))


async def _read(lines: Sequence[Line], rollout: Rollout) -> list[tuple[int, Seen]]:
    """Read what counts, giving other work its turn in between."""
    seen = []
    for at, line in enumerate(lines):
        found = seen_in(line.body, rollout)
        if found is not None:
            seen.append((line.seq, found))
        if at % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return seen
