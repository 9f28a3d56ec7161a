"""From what is reported to what is kept: checked, and attributed to the side that was decided."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from app.clock import Clock
from app.decision_ids import Decided, DecisionIds, UnknownDecisionError, UnsignedDecisionError
from app.errors import Code, invalid
from app.measures.book import Place, place_of
from app.outcomes.model import (
    AHEAD_S,
    METADATA_BYTES,
    MODEL_BYTES,
    Attribution,
    ModelRecord,
    Outcome,
    Refusal,
    RefusedError,
)
from app.refresh import NO_STEP, Live
from app.settings import Settings
from app.stores.outcomes import OutcomeRow
from flags.context import context_with
from flags.evaluate import evaluate
from flags.names import Reason
from flags.sticky import YIELDING
from routers.model import Route
from routers.plan import plan

DAY_S = 86_400.0

MayReport = Callable[[str, Route | None], bool]
"""Says whether the caller may report of a route, given its name and its document if there is one."""


class Basis(NamedTuple):
    """What an outcome is of: the decision, its whole id if it was given, and by what it is attributed."""

    decision: Decided
    decision_id: str | None
    attributed_by: Attribution


class Attributed(NamedTuple):
    """What is kept of an outcome, and where its value counts; the side is "" for one that counts for none."""

    row: OutcomeRow
    place: Place
    value: float


# what a named tuple's own constructor calls, at half the price: it is made for each outcome
attributed_of = tuple.__new__


class Instant(NamedTuple):
    """A time in seconds since 1970, and as text as it is kept: UTC, with microseconds."""

    at: float
    text: str

    @classmethod
    def of(cls, at: float) -> "Instant":
        """Return the instant of a time in seconds since 1970."""
        second, rest = divmod(round(at * 1_000_000), 1_000_000)
        return cls(at, f"{_second(second)}.{rest:06}+00:00")


class Attributor:
    """Turns reports into rows."""

    def __init__(self, live: Live, ids: DecisionIds, clock: Clock, settings: Settings) -> None:
        self._live = live
        self._ids = ids
        self._clock = clock
        self._dead_time_s = settings.outcome_dead_time_s
        self._kept_s = settings.outcome_retention_days * DAY_S

    def now(self) -> Instant:
        """Return the time at which outcomes are received that come together."""
        return Instant.of(self._clock.wall())

    def attributed(self, reported: Any, may_report: MayReport, received: Instant) -> Attributed:
        """Return what is kept of one reported outcome, and where it counts. Raises RefusedError."""
        outcome = _checked(reported)
        happened = received if outcome.at is None else Instant.of(outcome.at.timestamp())
        self._check_time(happened.at, received.at)
        if outcome.decision_id:
            basis = self._of_decision(outcome.decision_id, happened.at)
        else:
            basis = self._of_unit(outcome, received.at)
        state, route = self._live.state, basis.decision.route
        if not may_report(route, state.routes.get(route)):
            raise RefusedError(Refusal.FORBIDDEN, f'the token may not report of route "{route}"')
        value = 1.0 if outcome.value is None else outcome.value
        rollout, step = state.step_of(route, basis.decision.flag_version)
        kept = row(
            basis,
            id=outcome.id or self._ids.next_number(),
            kind=outcome.kind,
            value=value,
            happened=happened,
            received=received,
            metadata=outcome.metadata,
            model=outcome.model,
            rollout=rollout,
        )
        if basis.decision.reason != Reason.SPLIT:
            rollout, step = NO_STEP
        return attributed_of(Attributed, (kept, place_of(Place, (route, kept.side, rollout, step)), value))

    def _check_time(self, at: float, now: float) -> None:
        if at > now + AHEAD_S:
            raise RefusedError(Refusal.IN_THE_FUTURE, f"at: is more than {AHEAD_S:g} s ahead of the service's clock")
        if at < now - self._kept_s:
            raise RefusedError(Refusal.TOO_OLD, "at: is longer ago than outcomes are kept")

    def _of_decision(self, decision_id: str, at: float) -> Basis:
        try:
            decided = self._ids.read(decision_id)
        except UnsignedDecisionError:
            told = "the decision was made before this deployment's signing key was known"
            raise RefusedError(Refusal.UNSIGNED_DECISION, told) from None
        except UnknownDecisionError:
            told = "decision_id: is none that this deployment made; give it as it was answered"
            raise RefusedError(Refusal.UNKNOWN_DECISION, told) from None
        is_late = at - decided.at > self._dead_time_s
        return Basis(decided, decision_id, Attribution.LATE if is_late else Attribution.DECISION)

    def _of_unit(self, outcome: Outcome, now: float) -> Basis:
        """Decide now for the unit: the side it is on at the moment, if no token of its own keeps it on another."""
        state = self._live.state
        route = state.routes.get(outcome.route or "")
        if route is None:
            raise RefusedError(Refusal.UNKNOWN_ROUTE, f'there is no route "{outcome.route}"')
        ruleset = state.ruleset
        decision = evaluate(ruleset, route.flag, context_with(ruleset.hashed_by(route.flag)[0], outcome.unit), now)
        chosen = plan(route, decision, killed=ruleset.killed.reaches_route(route.name))
        unit = self._ids.unit_of(outcome.unit)
        flag = ruleset.document(route.flag)
        may_stay = flag is not None and flag.sticky is not None and chosen.reason in YIELDING
        reason = Reason.STICKY if may_stay else chosen.reason
        decided = Decided(route.name, chosen.decided, "", reason, decision.version, int(now), unit, "")
        return Basis(decided, None, Attribution.UNIT)


def row(
    basis: Basis,
    *,
    id: str,  # noqa: A002 - the field's name
    kind: str,
    value: float,
    happened: Instant,
    received: Instant,
    metadata: Mapping[str, Any],
    model: ModelRecord | None,
    rollout: str,
    metadata_bytes: int = METADATA_BYTES,
) -> OutcomeRow:
    """Return an outcome as it is kept; `rollout` is "" for none.

    Raises RefusedError when it is too large, or holds what no database keeps.
    """
    decision, decision_id, attributed_by = basis
    side = "" if attributed_by is Attribution.LATE else decision.decided
    told = {
        "id": id,
        "kind": kind,
        "at": happened.text,
        "received_at": received.text,
        "route": decision.route,
        "side": side or None,
        "served": decision.served or None,
        "reason": decision.reason,
        "flag_version": decision.flag_version,
        "unit": decision.unit or None,
        "decision_id": decision_id,
        "decided_at": f"{_second(decision.at)}.000000+00:00" if decision_id else None,
        "attributed_by": attributed_by,
        "rollout": rollout or None,
        "value": value,
        "metadata": _bounded("metadata", metadata, metadata_bytes),
        "model": _bounded("model", model.model_dump(), MODEL_BYTES) if model else None,
    }
    body = orjson.dumps(told).decode()
    return OutcomeRow(id, decision.route, side, kind, happened.text, received.text, body, rollout or None)


# what `model_validate` calls in the end: a third of its time is the way there
_VALIDATE = Outcome.__pydantic_validator__.validate_python


def _checked(reported: Any) -> Outcome:
    try:
        outcome: Outcome = _VALIDATE(reported)
    except ValidationError as error:
        raise RefusedError(Refusal.INVALID_OUTCOME, invalid(Code.INVALID_REQUEST, error.errors()).detail) from None
    if (fault := outcome.fault()) is not None:
        raise RefusedError(Refusal.INVALID_OUTCOME, fault)
    return outcome


def _bounded(name: str, told: Any, most: int) -> orjson.Fragment:
    """Return something as JSON. Raises RefusedError when it is too long, too deep, or has what no database keeps.

    All else of an outcome is checked already to have no NUL.
    """
    try:
        text = orjson.dumps(told)
    except orjson.JSONEncodeError:
        raise RefusedError(Refusal.TOO_LARGE, f"{name}: is nested too deep") from None
    if len(text) > most:
        raise RefusedError(Refusal.TOO_LARGE, f"{name}: may have {most:,} bytes as JSON at most")
    if b"\\u0000" in text and b"\\u0000" in text.replace(b"\\\\", b""):
        raise RefusedError(Refusal.INVALID_OUTCOME, "the character NUL stands in no text")
    return orjson.Fragment(text)


@lru_cache(maxsize=4096)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]
