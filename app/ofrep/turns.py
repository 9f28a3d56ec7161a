"""When schedules change what flags give, for whoever listens: nobody writes then, and there is no revision of it."""

from app.ofrep.streams import Turn
from flags.falling_due import last_change, next_change
from flags.ruleset import Ruleset


def by_schedules(ruleset: Ruleset, now: float) -> Turn:
    """Tell when a schedule last changed what is served, and when one next will; a ramp that runs does each minute."""
    scheduled = [compiled.document for compiled in ruleset.living.values() if compiled.over_time is not None]
    return Turn(last_change(scheduled, now), next_change(scheduled, now))
