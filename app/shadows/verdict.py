"""What two replies to one call come to, before their bodies are looked at."""

from enum import StrEnum

from routers.compare.result import Difference, Kind, Result, Unjudged
from routers.shadow import Reply


class Ended(StrEnum):
    """How a shadowed call ended; what the candidate failed at is counted as `candidate_` and its cause."""

    COMPARED = "compared"
    UNJUDGED = "unjudged"
    REFUSED_BY_BOTH = "refused_by_both"
    CONTROL_FAILED = "control_failed"


def ended_of(control: Reply, candidate: Reply) -> str | None:
    """Say how a call ended of which no bodies are compared; None when they are, or their statuses differ."""
    if control.cause is not None:
        return Ended.CONTROL_FAILED
    if candidate.cause is not None:
        return f"candidate_{candidate.cause}"
    refused = [(reply.status or 0) >= 400 for reply in (control, candidate)]
    return Ended.REFUSED_BY_BOTH if all(refused) else None


def result_without_bodies(control: Reply, other: Reply) -> Result | None:
    """Judge two replies that need no look at their bodies, None when they do."""
    if (control.status or 0) // 100 != (other.status or 0) // 100:
        shown = [str(reply.status) for reply in (control, other)]
        return Result(0.0, (Difference("status", Kind.VALUE, *shown),), 1)
    if control.is_too_large or other.is_too_large:
        return Result(None, unjudged=Unjudged.TOO_LARGE)
    return None
