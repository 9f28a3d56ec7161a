"""Which backends a call is offered to, in which order."""

from typing import NamedTuple

from flags.decision import Decision
from flags.names import Reason

from .model import Route


class Plan(NamedTuple):
    """The backend a caller should get, the backends to try (the last is the fallback), and why."""

    decided: str
    order: tuple[str, ...]
    reason: Reason


# what a named tuple's own constructor calls, at half the price: this is the hot path
plan_of = tuple.__new__


def plan(route: Route, decision: Decision, *, killed: bool = False) -> Plan:
    """Where a call of `route` goes; a decision that names none of its backends means the fallback.

    `killed` says that a kill covers the whole route.
    """
    last = route.fallback.to
    if killed:
        return Plan(last, (last,), Reason.KILLED)
    variant = decision.variant
    if variant == last or variant not in route.backends:
        return plan_of(Plan, (last, (last,), decision.reason))
    return plan_of(Plan, (variant, (variant, last), decision.reason))
