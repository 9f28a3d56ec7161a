"""Who listens for changes of the state in force: a mark of that state, and a wake-up whenever it is another."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from app.clock import Clock
from app.refresh import State
from flags.falling_due import last_change, next_change
from flags.ruleset import Ruleset

HEARTBEAT_S = 15.0
"""How long a stream is silent at most: proxies close what is silent, many after 30 s."""

PATIENCE_S = 0.5
"""How long a caller waits who has heard of a change that has not come here yet."""

AWAY_S = 15.0, 25.0
"""How long who finds no stream free stays away, by chance: the web client gives a stream up that is gone for 30 s."""

APART_S = 0.0002
"""How much later the last stream hears of a change for each that is open: told all at once, they would hold the loop
as long as thousands of decisions do."""


class Turn(NamedTuple):
    """When the state last changed by the clock alone, and when it next will, in seconds since 1970.

    A ramp that runs is a change each minute.
    """

    last: float | None
    next: float | None


class TooManyStreamsError(Exception):
    """As many streams are open as there may be."""


class ChangeStreams:
    """The streams of one process, and what they tell of."""

    def __init__(self, clock: Clock, most: int, life_s: float, chance: Callable[[], float]) -> None:
        """Let `most` streams be open at once, each for 80 to 100 % of `life_s` seconds."""
        self._clock = clock
        self._most = most
        self._life_s = life_s
        self._chance = chance
        self._ruleset = Ruleset.of(())
        self._base = ""
        self._turn: Turn | None = None
        self._changed = asyncio.Event()
        self.count = 0
        self.is_closing = False
        self.changed_at = 0
        """When the state in force came in force here, in seconds since 1970."""

    def state_changed(self, state: State) -> None:
        """Take the state that comes in force now, and wake every stream if it is another."""
        base = _mark(state)
        self._ruleset = state.ruleset
        if base != self._base:
            self._base, self.changed_at, self._turn = base, int(self._clock.wall()), None
            self._wake()

    def mark(self) -> str:
        """Return what tells the state in force from any other: epoch, revision, kills, releases, the clock's last turn.

        The same in every process with that state, and rising within an epoch.
        """
        last = self._turned(self._clock.wall()).last
        return self._base if last is None else f"{self._base}-{round(last * 1_000_000)}"

    @contextmanager
    def opened(self) -> Iterator[float]:
        """Count a stream, and yield for how many seconds it may live. Raises TooManyStreamsError."""
        if self.count >= self._most:
            raise TooManyStreamsError
        self.count += 1
        try:
            yield self._life_s * (0.8 + 0.2 * self._chance())
        finally:
            self.count -= 1

    def away_s(self) -> float:
        """Return for how many seconds a listener is to stay away who finds no stream free."""
        least, most = AWAY_S
        return least + (most - least) * self._chance()

    async def news(self) -> bool:
        """Wait for a change or the end; false when there was none for so long that a heartbeat is due."""
        now, within_s = self._clock.wall(), HEARTBEAT_S
        due = self._turned(now).next
        is_news = await self._woken(within_s if due is None else min(within_s, due - now))
        if is_news:
            await asyncio.sleep(self.count * APART_S * self._chance())
        return is_news

    async def reached(self, mark: str) -> None:
        """Wait a moment for the state that somebody has heard of, if it is one that is still to come here."""
        epoch, _, rest = mark.partition("-")
        revision = rest.partition("-")[0]
        if not revision.isdecimal() or len(revision) > 15 or epoch != self._ruleset.epoch:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while self._ruleset.revision < int(revision) and (left_s := until - loop.time()) > 0:
            await self._woken(left_s)

    async def close_at(self, stop: asyncio.Event) -> None:
        """End every stream as soon as the service stops."""
        await stop.wait()
        self.is_closing = True
        self._wake()

    def _turned(self, now: float) -> Turn:
        """Return the turn that `now` lies behind: all flags are looked through once for each, and only when asked."""
        turn = self._turn
        if turn is None or (turn.next is not None and now >= turn.next):
            if turn is not None:
                self.changed_at = int(now)
            flags = [each.document for each in self._ruleset.living.values() if each.over_time is not None]
            turn = self._turn = Turn(last_change(flags, now), next_change(flags, now))
        return turn

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _woken(self, within_s: float) -> bool:
        changed = self._changed
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await changed.wait()
        return changed.is_set()


def _mark(state: State) -> str:
    """Write down what tells a state from another; kills are laid without a revision while Redis is away."""
    overlay, ruleset = state.overlay, state.ruleset
    moves = sum(1 if kill.released is None else 2 for kill in overlay.known.values())
    told = f"{ruleset.epoch}-{ruleset.revision}-{moves}"
    presumed = overlay.presumed.keys() - overlay.known.keys()
    return f"{told}+{len(presumed)}" if presumed else told
