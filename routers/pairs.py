"""Which calls are shadowed, whose answers are compared, and by what."""

from typing import NamedTuple

from flags.bucketing import BUCKETS, bucket_of

from .compare.model import Comparison
from .model import Route
from .profiles.comparison import default_comparison


class Pair(NamedTuple):
    """Two backends of a route: the one that is the measure, and the one that is measured."""

    control: str
    candidate: str


def pair_of(route: Route, served: str) -> Pair | None:
    """Return the pair for a call that `served` answered; None when the route has no other side.

    The control is the fallback. What it did not answer, it is asked; what it did, the candidate is.
    """
    control = route.fallback.to
    if served != control:
        return Pair(control, served)
    named = route.shadow.candidate if route.shadow is not None else None
    candidate = named or next((name for name in route.backends if name != control), None)
    return None if candidate is None else Pair(control, candidate)


def is_sampled(route: str, decision_id: str, share: float) -> bool:
    """Say whether a call is among the share that is shadowed: always the same of one call."""
    return bucket_of(f"{route}/shadow", decision_id) < share * BUCKETS


def is_sampled_twice(route: str, decision_id: str, share: float) -> bool:
    """Say whether the control is asked twice for a call, independently of whether it is shadowed."""
    return bucket_of(f"{route}/shadow/control", decision_id) < share * BUCKETS


def comparison_of(route: Route) -> Comparison:
    """Return what the route's answers are compared by: what it says, or what goes with its profile."""
    if route.shadow is not None and route.shadow.comparison is not None:
        return route.shadow.comparison
    return default_comparison(route.profile, route.signals)
