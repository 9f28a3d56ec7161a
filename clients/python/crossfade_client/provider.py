"""The provider that follows a service."""

import atexit
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.util import Finalize, register_after_fork
from pathlib import Path
from weakref import WeakSet

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode, OpenFeatureError, ProviderFatalError, ProviderNotReadyError
from openfeature.provider import FeatureProvider
from openfeature.track import TrackingEventDetails

from .answers import NotReady, Seen
from .errors import CrossfadeError, RefusedError, UnreadableError
from .following import Follower
from .health import Health
from .keeping import LastGood
from .offline import Bootstrap, OfflineProvider
from .outcomes import NoOutcomeError, outcome_of
from .reading import changed, given, is_older, parsed
from .reporting import Reporter
from .service import Copy, Service

log = logging.getLogger("crossfade_client")

LAST_WORDS_S = 3.0
"""How long a shutdown waits for what is left to be sent."""


class CrossfadeProvider(OfflineProvider):
    """Evaluates in process by the service's rules, kept fresh in the background; no evaluation waits for anything."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        route: str | None = None,
        unit: str = "targetingKey",
        last_good: Path | str | None = None,
        bootstrap: Bootstrap | None = None,
        timeout_s: float = 5.0,
        poll_s: float = 30.0,
        stale_after_s: float = 120.0,
        flush_s: float = 5.0,
        outcomes_room: int = 10_000,
        tells_used: bool = True,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        """Take where the service is, and a token of the role `client`.

        `route` and `unit` are what tracked events count for, unless they say so themselves. `last_good` is a file to
        keep the last good copy in, `bootstrap` what to begin with when there is neither service nor copy. `poll_s` is
        how often is asked where there are no change notices, `stale_after_s` after how long without contact the
        application is told, `flush_s` how long an outcome waits at most, `outcomes_room` how many do. `tells_used`
        reports which flags are used. Raises ValueError for an address or a token that cannot be.
        """
        super().__init__(bootstrap)
        # each has its own connections: those of the one are broken off while the other still sends
        self._service, self._reports = (Service(url, token, timeout_s, verify) for _ in range(2))
        self._last_good = None if last_good is None else LastGood(Path(last_good))
        self._timing = (poll_s, stale_after_s, flush_s)
        self._counts_for = (route, unit)
        self._room = outcomes_room
        self._tells_used = tells_used
        self._health = Health(self.emit, time.monotonic, stale_after_s)
        self._follower: Follower | None = None
        self._reporter: Reporter | None = None
        self._retired: list[Seen] = []
        self._told_until = 0.0
        self._strange: set[str] = set()
        self._turn = object()
        register_after_fork(self, _shut_down_at_the_end)

    @staticmethod
    def offline(bootstrap: Bootstrap) -> OfflineProvider:
        """Return a provider that needs no service: a ruleset, or the JSON file that it is in."""
        return OfflineProvider(bootstrap)

    def attach(self, on_emit: Callable[[FeatureProvider, ProviderEvent, ProviderEventDetails], None]) -> None:
        """Take whom to tell of events; it is to be initialised from now on, in whatever thread gets to it."""
        super().attach(on_emit)
        _RUNNING.add(self)

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - OpenFeature's signature
        """Get the ruleset, else the last good copy, else the bootstrap, and follow from there.

        Raises ProviderNotReadyError when there is none yet, ProviderFatalError when there will be none.
        """
        self._end()
        with _whole:
            turn = self._turn = object()
            self._open()
            _RUNNING.add(self)
        self._health = Health(self.emit, time.monotonic, self._timing[1])
        etag, refusal = None, None
        try:
            copy = self._service.ruleset(None)
            if copy is not None:
                self._take_copy(copy)
                etag = copy.etag
            self._health.in_contact()
        except CrossfadeError as error:
            refusal = self._begin_without(error)
        with _whole:
            # else it was shut down meanwhile, or initialised again
            if turn is self._turn:
                self._start_unless_in_vain(refusal, etag)
        if refusal is not None:
            raise refusal

    def _begin_without(self, error: CrossfadeError) -> OpenFeatureError | None:
        """Take what else there is, and return why that is not enough, None when it is."""
        if self._take_copy_at_hand():
            log.warning("begun with a copy, since the ruleset could not be had: %s", error)
            return None
        self._health.begins_without()
        if isinstance(error, RefusedError | UnreadableError):
            return ProviderFatalError(str(error))
        return ProviderNotReadyError(f"Crossfade is away, and there is no copy of its ruleset: {error}")

    def _take_copy_at_hand(self) -> bool:
        kept = None if self._last_good is None else self._last_good.read()
        if kept is not None:
            body, age_s = kept
            try:
                self._take(parsed(body))
            except UnreadableError as error:
                log.warning("the last good copy is none: %s", error)
            else:
                log.info("the last good copy is %.0f s old", age_s)
                return True
        if self._bootstrap is None:
            return False
        try:
            self._take(given(self._bootstrap))
        except UnreadableError as error:
            log.warning("the bootstrap is none: %s", error)
            return False
        return True

    def _start_unless_in_vain(self, refusal: OpenFeatureError | None, etag: str | None) -> None:
        if not isinstance(refusal, ProviderFatalError):
            self._start(etag)
            return
        _RUNNING.discard(self)
        self._service.close()
        self._reports.close()

    def _start(self, etag: str | None) -> None:
        poll_s, _, flush_s = self._timing
        self._follower = Follower(self._service, self._follow, self._health, poll_s, etag)
        self._reporter = Reporter(self._reports, self._used, flush_s, self._room, tells_used=self._tells_used)
        self._follower.start()
        self._reporter.start()
        atexit.register(self.shutdown)

    def _open(self) -> None:
        self._service.open()
        self._reports.open()

    def shutdown(self) -> None:
        """End following, and send what is left to be sent, for three seconds at most."""
        atexit.unregister(self.shutdown)
        self._end()

    def _end(self) -> None:
        until = time.monotonic() + LAST_WORDS_S
        with _whole:
            self._turn = object()
            _RUNNING.discard(self)
            follower, self._follower = self._follower, None
            reporter, self._reporter = self._reporter, None
        self._service.close()
        if follower is not None:
            follower.stop()
        if reporter is None:
            self._reports.close()
        else:
            reporter.stop(LAST_WORDS_S)
        if follower is not None:
            follower.join(max(until - time.monotonic(), 0.1))

    def emit(self, event: ProviderEvent, details: ProviderEventDetails) -> None:
        """Tell OpenFeature; no fork comes in between, which would leave its locks held for ever in the child."""
        with _whole:
            super().emit(event, details)

    def begin_again(self) -> None:
        """Follow in this process too, which was forked off one that followed or was about to."""
        self._open()
        if self._follower is None:
            begin = self._initialize_here
        else:
            self._start(self._follower.etag)
            begin = self._tell_how_it_is
        # not in the midst of a fork: OpenFeature has locks
        threading.Thread(target=begin, name="crossfade-begin", daemon=True).start()

    def _tell_how_it_is(self) -> None:
        """Tell OpenFeature that all is well: its thread that was about to know may have stayed in the other process."""
        if self._health.is_good:
            self.emit_provider_ready(ProviderEventDetails())

    def _initialize_here(self) -> None:
        """Initialise, and tell of it as OpenFeature does: its own thread stayed in the process that forked."""
        try:
            self.initialize(EvaluationContext())
        except Exception as error:  # noqa: BLE001 - as OpenFeature does
            log.warning("a process forked off has no ruleset: %s", error)
            error_code = error.error_code if isinstance(error, OpenFeatureError) else ErrorCode.GENERAL
            self.emit_provider_error(ProviderEventDetails(message=str(error), error_code=error_code))
        else:
            self.emit_provider_ready(ProviderEventDetails())

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Queue an outcome; one that cannot be is logged, once for each kind of mistake, and nothing is raised."""
        reporter = self._reporter
        if reporter is None:
            return
        try:
            reporter.add(outcome_of(tracking_event_name, evaluation_context, tracking_event_details, *self._counts_for))
        except (NoOutcomeError, TypeError, ValueError) as error:
            if str(error) not in self._strange and len(self._strange) < 100:
                self._strange.add(str(error))
                log.warning("a tracked event is no outcome: %s", error)

    def _take_copy(self, copy: Copy) -> bool:
        document, answers = parsed(copy.body), self._answers
        if not isinstance(answers, NotReady) and is_older(document, answers.ruleset):
            # of a process that lags behind in its fleet
            return False
        self._take(document)
        if self._last_good is not None:
            self._last_good.keep(copy.body)
        return True

    def _follow(self, copy: Copy) -> bool:
        before = self._answers
        is_new = self._take_copy(copy)
        after = self._answers
        if not is_new or isinstance(before, NotReady) or isinstance(after, NotReady):
            return is_new
        self._retired += before.seen(self._told_until)
        keys = changed(before.ruleset, after.ruleset)
        if keys:
            self.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=keys))
        return True

    def _used(self) -> Iterator[Seen]:
        now = time.time()
        # a clock that was set back must not hide what is used until it is there again
        since, self._told_until = min(self._told_until, now), now
        retired, self._retired = self._retired, []
        yield from retired
        yield from self._answers.seen(since)


_RUNNING: WeakSet[CrossfadeProvider] = WeakSet()
_whole = threading.RLock()
"""Held for what no fork may come in between of; what waits for the service or the disk is none of it."""


def _after_fork() -> None:
    _whole.release()
    for provider in [*_RUNNING]:
        provider.begin_again()


def _shut_down_at_the_end(provider: CrossfadeProvider) -> None:
    """Let a process of multiprocessing's, which skips `atexit`, send what is left too."""
    Finalize(None, provider.shutdown, exitpriority=0)


os.register_at_fork(before=_whole.acquire, after_in_parent=_whole.release, after_in_child=_after_fork)
