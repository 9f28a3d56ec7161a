"""Who stays with what he was given first, whatever the percentage does meanwhile."""

from typing import NamedTuple

from .decision import Decision
from .model import Flag
from .names import Reason

YIELDING = frozenset({Reason.RULE_MATCH, Reason.SPLIT, Reason.DEFAULT})
"""Decisions that an earlier one outlives; kills, prerequisites and callers named one by one decide anew every time."""


class Held(NamedTuple):
    """What a caller was given first, and under which version of the flag."""

    variant: str
    version: int


def sticking(decision: Decision, held: Held, flag: Flag) -> Decision:
    """Return what the caller keeps: the decision itself where nothing has changed since, or where it must not yield.

    Whoever began under another version of the flag is STICKY even where both agree: a rollout compares only those who
    began in its present step, of both sides alike.
    """
    if decision.reason not in YIELDING or held.variant not in flag.variants:
        return decision
    if held == (decision.variant, decision.version):
        return decision
    return decision._replace(
        variant=held.variant, value=flag.variants[held.variant], reason=Reason.STICKY, rule=None, bucket=None
    )
