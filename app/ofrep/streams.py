"""Who listens for changes of the state in force: a mark of that state, and a wake-up whenever it is another."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from app.clock import Clock
from app.refresh import State
from flags.ruleset import Ruleset

HEARTBEAT_S = 15.0
"""How long a stream is silent at most: proxies close what is silent, many after 30 s."""

PATIENCE_S = 0.5
"""How long a caller waits who has heard of a change that has not come here yet."""


class Turn(NamedTuple):
    """When the state last changed by the clock alone, and when it next will, in seconds since 1970."""

    last: float | None
    next: float | None


Turns = Callable[[Ruleset, float], Turn]
"""Tells, of a state and a moment, how time alone changes it."""


def never_turns(_ruleset: Ruleset, _now: float) -> Turn:
    """Say of any state that it stays until somebody changes it."""
    return Turn(None, None)


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
        self._turns: Turns = never_turns
        self._ruleset = Ruleset.of(())
        self._base = ""
        self._turn = Turn(None, None)
        self._changed = asyncio.Event()
        self.count = 0
        self.is_closing = False
        self.changed_at = 0
        """When the state in force came in force here, in seconds since 1970."""

    def turn_by(self, turns: Turns) -> None:
        """Tell also of what changes by the clock alone."""
        self._turns = turns
        self._look_at_clock(self._clock.wall())

    def state_changed(self, state: State) -> None:
        """Take the state that comes in force now, and wake every stream if it is another."""
        base = _mark(state)
        self._ruleset = state.ruleset
        if base != self._base:
            now = self._clock.wall()
            self._base, self.changed_at = base, int(now)
            self._look_at_clock(now)
            self._wake()

    @property
    def mark(self) -> str:
        """What tells the state in force from any other: epoch, revision, kills and releases, the clock's last turn.

        The same in every process with that state, and rising within an epoch.
        """
        now = self._clock.wall()
        if self._turn.next is not None and now >= self._turn.next:
            self.changed_at = int(now)
            self._look_at_clock(now)
        return self._base if self._turn.last is None else f"{self._base}-{round(self._turn.last * 1_000_000)}"

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

    async def news(self) -> bool:
        """Wait for a change or the end; false when there was none for so long that a heartbeat is due."""
        within_s = HEARTBEAT_S
        if self._turn.next is not None:
            within_s = max(0.0, min(within_s, self._turn.next - self._clock.wall()))
        return await self._woken(within_s)

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

    def _look_at_clock(self, now: float) -> None:
        self._turn = self._turns(self._ruleset, now)

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
