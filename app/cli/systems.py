"""The flag services whose exports `crossfade import --from` reads."""

from enum import StrEnum


class System(StrEnum):
    """A flag service; the module of its name in `app.translate` translates its exports."""

    UNLEASH = "unleash"
    GROWTHBOOK = "growthbook"
    FLAGD = "flagd"
