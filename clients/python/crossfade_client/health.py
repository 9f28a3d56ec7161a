"""Whether the ruleset is as fresh as it should be, and what the application is told of it."""

import logging
from collections.abc import Callable

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode

from .errors import CrossfadeError, RefusedError, UnreadableError

log = logging.getLogger("crossfade_client")

Emit = Callable[[ProviderEvent, ProviderEventDetails], None]


class Health:
    """Tells of a change for the worse or the better once: stale, error and ready again."""

    def __init__(self, emit: Emit, monotonic: Callable[[], float], stale_after_s: float) -> None:
        """Begin without contact, and with nothing told."""
        self._emit = emit
        self._monotonic = monotonic
        self._stale_after_s = stale_after_s
        self._last_contact: float | None = None
        self._told: ProviderEvent | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing bad was told that is not made good yet."""
        return self._told in {None, ProviderEvent.PROVIDER_READY}

    def in_contact(self) -> None:
        """Note that the service answered with what is in force."""
        self._last_contact = self._monotonic()
        if not self.is_good:
            log.warning("Crossfade is back")
            self._tell(ProviderEvent.PROVIDER_READY, ProviderEventDetails())

    def out_of_contact(self, error: CrossfadeError) -> None:
        """Note that it did not: a refusal is told at once, anything else when it lasts."""
        if isinstance(error, RefusedError | UnreadableError):
            if self._told is not ProviderEvent.PROVIDER_ERROR:
                log.error("the ruleset is not followed: %s", error)
                details = ProviderEventDetails(message=str(error), error_code=ErrorCode.GENERAL)
                self._tell(ProviderEvent.PROVIDER_ERROR, details)
        elif self.is_good and self._is_long_ago():
            log.warning("Crossfade is away, and the ruleset at hand goes on: %s", error)
            self._tell(ProviderEvent.PROVIDER_STALE, ProviderEventDetails(message=str(error)))

    def begins_without(self) -> None:
        """Note that OpenFeature was told of an error, since the start had no ruleset."""
        self._told = ProviderEvent.PROVIDER_ERROR

    def _is_long_ago(self) -> bool:
        return self._last_contact is None or self._monotonic() - self._last_contact >= self._stale_after_s

    def _tell(self, event: ProviderEvent, details: ProviderEventDetails) -> None:
        self._told = event
        self._emit(event, details)
