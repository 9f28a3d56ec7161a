"""Refusing a document with all its faults at once, and an order with a reason that programs may rely on."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple


class Refusal(StrEnum):
    """Why an order to a rollout is refused."""

    NOT_STARTED = "not_started"
    ENDED = "ended"
    ROLLING_BACK = "rolling_back"
    NOT_ASKED = "not_asked"
    NO_SUCH_STEP = "no_such_step"
    SHARE_NOT_OF_A_STEP = "share_not_of_a_step"
    SHARE_ABOVE_FIRST_STEP = "share_above_first_step"
    DRY_RUN = "dry_run"
    KILLED = "killed"
    UNKNOWN_FLAG = "unknown_flag"
    UNKNOWN_ROUTE = "unknown_route"
    FLAG_NOT_OF_ROUTE = "flag_not_of_route"
    FLAG_DISABLED = "flag_disabled"
    SCHEDULED = "scheduled"
    UNFIT_FLAG = "unfit_flag"
    UNFIT_VARIANT = "unfit_variant"
    OTHER_UNIT = "other_unit"
    BUSY = "busy"
    COOLING_DOWN = "cooling_down"


class Refused(NamedTuple):
    """A refused order: the stable reason, and what to do, in a sentence."""

    reason: Refusal
    told: str


def refuse(faults: Sequence[str]) -> None:
    """Raise ValueError, which names every fault; do nothing when there is none."""
    if faults:
        raise ValueError("; ".join(faults))
