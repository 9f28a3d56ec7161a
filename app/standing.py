"""How a process stands to the store that it shares: in contact with it, or going on alone."""

import asyncio

from app.clock import Clock


class Standing:
    """Whether the state in force is known to be the newest; times are seconds since 1970."""

    def __init__(self, clock: Clock, *, is_own: bool = False) -> None:
        """Begin out of contact; a store that is the process's own is always in contact."""
        self._clock = clock
        self._is_own = is_own
        self._last = clock.wall()
        self.is_fresh = is_own
        self.first_contact = asyncio.Event()
        if is_own:
            self.first_contact.set()

    @property
    def last_contact(self) -> float:
        """When the store was last in contact, or what is known of it was; before that, when the process began."""
        return self._clock.wall() if self._is_own else self._last

    @property
    def age_s(self) -> float:
        """For how long the state in force may be old, in seconds: 0 while the store is in contact."""
        return 0.0 if self.is_fresh else max(0.0, self._clock.wall() - self._last)

    def in_contact(self) -> None:
        """Note that the store has just been asked, and that what it has is in force."""
        self._last = self._clock.wall()
        self.is_fresh = True
        self.first_contact.set()

    def out_of_contact(self) -> None:
        """Note that the store was asked in vain."""
        self.is_fresh = False

    def remembered(self, at: float) -> None:
        """Note that the state in force is what was known at a time."""
        self._last = at
