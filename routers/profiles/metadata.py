"""What is told in an answer of how it came about, in the words that frontends of 003's kind read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flags.decision import Decision
from routers.attempts import Attempt, first_cause
from routers.plan import Plan


def metadata_of(
    backend: str, chosen: Plan, decision: Decision, attempts: Sequence[Attempt], at: datetime
) -> dict[str, Any]:
    """Return the members for an answer of `backend`; `at` is UTC, and times are whole milliseconds.

    `fallback` is there only when another backend than the decided one answered.
    """
    fell_back = backend != chosen.decided
    metadata: dict[str, Any] = {
        "generation": {
            "source": f"fallback-{backend}" if fell_back else backend,
            "processingTime": round(sum(attempt.elapsed_ms for attempt in attempts)),
        },
        "featureFlags": {
            decision.flag: {"variant": chosen.decided, "reason": chosen.reason, "version": decision.version}
        },
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if fell_back:
        metadata["fallback"] = {"used": True, "reason": first_cause(attempts), "from": chosen.decided}
    return metadata
