"""The kill switch: a kill acts here before any store is asked, a release when one has accepted it."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from app import durability
from app.changes import Announce, By, Settle, away, stale, tell
from app.clock import Clock
from app.errors import Code, ProblemError
from app.metrics import Metrics
from app.overlay import change_of
from app.refresh import Live, State
from app.stores.records import Change, Entry, StaleError, Store, StoreUnavailableError
from flags.kills import Kill, Release

log = structlog.get_logger("crossfade.kills")


class Switch:
    """Makes kills and ends them. Nobody who writes anything else is waited for."""

    def __init__(
        self, store: Store, live: Live, settle: Settle, metrics: Metrics, clock: Clock, announce: Announce
    ) -> None:
        """Take what keeps kills, what is in force, and what puts acknowledged changes in force."""
        self._store = store
        self._live = live
        self._settle = settle
        self._metrics = metrics
        self._clock = clock
        self._announce = announce
        self._one_release_at_a_time = asyncio.Lock()

    async def kill(self, kill: Kill) -> None:
        """Put a kill in force here and then everywhere, whether or not the caller waits.

        Raises ProblemError 503 when no part of the store accepts it; it is in force no longer then.
        """
        durability.note(await asyncio.shield(self._kill(kill)))

    async def release(self, choose: Callable[[State], Iterable[Kill]], by: By) -> Sequence[Kill]:
        """End those kills that `choose` wants of the state in force, and return them as they were.

        Raises what `choose` raises, and ProblemError 503 when no part of the store accepts it; they go on then.
        """
        ended, entries = await asyncio.shield(self._release(choose, by))
        durability.note(entries)
        return ended

    async def _kill(self, kill: Kill) -> Sequence[Entry]:
        self._live.lay(self._live.state.overlay.presuming(kill))
        try:
            entries = await self._store.insist([change_of(kill, 0)])
            self._live.lay(self._live.state.overlay.knowing([kill]))
        except StoreUnavailableError as error:
            if kill.id in self._live.state.overlay.known:
                log.warning("kill was accepted, though no store has answered in time", id=kill.id, why=str(error))
                return []
            raise _not_killed(error) from error
        finally:
            self._live.lay(self._live.state.overlay.presuming_no_longer(kill.id))
        await self._accepted(entries)
        return entries

    async def _release(
        self, choose: Callable[[State], Iterable[Kill]], by: By
    ) -> tuple[Sequence[Kill], Sequence[Entry]]:
        async with self._one_release_at_a_time:
            state = self._live.state
            # what nobody has accepted yet cannot be ended; whoever made it is told soon what became of it
            ended = [kill for kill in choose(state) if kill.id not in state.overlay.presumed]
            release = Release(actor=by.actor, at=self._clock.now(), reason=by.reason)
            released = [kill.model_copy(update={"released": release}) for kill in ended]
            changes = [change_of(kill, state.overlay.version_of(kill.id)) for kill in released]
            entries = await self._released(changes) if changes else []
            self._live.lay(self._live.state.overlay.knowing(released))
        await self._accepted(entries)
        return ended, entries

    async def _released(self, changes: Sequence[Change]) -> Sequence[Entry]:
        try:
            return await self._store.insist(changes)
        except StaleError as error:
            raise stale(error.actual) from error
        except StoreUnavailableError as error:
            raise away(error) from error

    async def _accepted(self, entries: Sequence[Entry]) -> None:
        # an order has no revision, and nothing that came before it is to be waited for
        await self._settle([entry for entry in entries if entry.revision is not None])
        for entry in entries:
            tell(entry, self._metrics)
        self._announce(self._live.state, entries)


def _not_killed(error: StoreUnavailableError) -> ProblemError:
    log.error("kill taken back: no store has accepted it", why=str(error))
    detail = f"nothing is killed: no store has accepted the kill, which would not last ({error})"
    return ProblemError(503, Code.STORE_UNAVAILABLE, detail, headers={"Retry-After": "1"})
