"""From a kept outcome to what the statistics of a rollout see of it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from app.measures.ended import SERVER_ERROR
from app.outcomes.model import Attribution, OutcomeKind
from flags.names import Reason
from rollouts.model import Rollout
from rollouts.seen import Seen

MOSTLY = 0.5


def seen_in(body: str, rollout: Rollout) -> Seen | None:
    """Read a kept outcome; None for what does not count.

    That is what was not decided by chance, belongs to no step of the rollout or to a third side, came late, or is of
    nobody who could be told from others. Total over what `recording` and `attribution` make.
    """
    told: dict[str, Any] = orjson.loads(body)
    side = told["side"]
    if side not in {rollout.variant, rollout.control} or rollout.stage_of(told["flag_version"]) is None:
        return None
    return seen_of(told, is_new=side == rollout.variant)


def seen_of(told: Mapping[str, Any], *, is_new: bool) -> Seen | None:
    """Read an outcome of one of two sides; None for what can be compared with nothing, as above."""
    if told["reason"] != Reason.SPLIT or told["attributed_by"] == Attribution.LATE or not told["unit"]:
        return None
    seen_at = _seconds(told["received_at"])
    decided_at = seen_at if told["decided_at"] is None else _seconds(told["decided_at"])
    seen = Seen(told["unit"], is_new, told["flag_version"], decided_at, seen_at, told["kind"], told["value"])
    return _call(seen, told) if told["kind"] == OutcomeKind.CALL else seen


def _call(seen: Seen, told: Mapping[str, Any]) -> Seen:
    metadata, side, served = told["metadata"], told["side"], told["served"]
    signals = metadata.get("signals", {})
    is_cut_off = not metadata["is_whole"] and not metadata.get("has_left", False)
    is_error = metadata["fallback"] is not None or metadata["status"] >= SERVER_ERROR or is_cut_off
    return seen._replace(
        is_exposure=True,
        is_error=is_error,
        is_fallback=served is not None and served != side,
        is_hit=_is_hit(metadata.get("cache"), signals.get("cache_hit")),
        cost=signals.get("cost"),
    )


def _is_hit(cache: str | None, share: float | None) -> bool | None:
    """Say whether a call was answered from a cache: the route's if it has one, else mostly from the backend's own."""
    if cache is not None and cache != "bypass":
        return cache == "hit"
    return None if share is None else share >= MOSTLY


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
