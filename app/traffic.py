"""Decide and carry: the way of one call from its route to its answer, measured."""

from collections.abc import Mapping
from typing import NamedTuple

import structlog

from app.clock import Clock
from app.decision_ids import DecisionIds
from app.housekeeping.seen import Seen
from app.lanes import LaneBook
from app.metrics import Metrics
from app.refresh import Live
from flags.context import Context
from flags.decision import Decision
from flags.evaluate import evaluate
from routers.attempts import Dispatched
from routers.call import Call, Send
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.lanes import Lane
from routers.model import Route
from routers.plan import Plan, plan

log = structlog.get_logger("crossfade.route")

QUIET = {None, Cause.BREAKER_OPEN, Cause.SLOW_START, Cause.CONCURRENCY, Cause.FALLBACK_CONCURRENCY}
"""What is counted and not logged: a backend that fails is heard of until its breaker opens."""


class Choice(NamedTuple):
    """What was decided for one call; `unit` is what the flag hashes, as the caller gave it, None for none.

    `lanes` are the route's of that moment: a change of the route takes no backend from a call that is under way.
    """

    unit: object
    decision: Decision
    plan: Plan
    lanes: Mapping[str, Lane]


# what a named tuple's own constructor calls, at half the price: this is the hot path
choice_of = tuple.__new__


class Traffic:
    """Decides calls and carries them; no store is asked on the way."""

    def __init__(
        self, live: Live, lanes: LaneBook, send: Send, metrics: Metrics, clock: Clock, ids: DecisionIds, seen: Seen
    ) -> None:
        self._live = live
        self._lanes = lanes
        self._send = send
        self._metrics = metrics
        self._clock = clock
        self._make_id = ids.make
        self._note = seen.note

    def choose(self, route: Route, context: Context) -> Choice:
        """Decide where a call of the route goes."""
        ruleset = self._live.state.ruleset
        decision = evaluate(ruleset, route.flag, context, self._clock.wall())
        self._note(route.flag, decision.variant)
        chosen = plan(route, decision, killed=ruleset.killed.reaches_route(route.name))
        self._metrics.count_decision(route.name, chosen.decided, chosen.reason)
        unit = context.get(ruleset.hashed_by(route.flag))
        return choice_of(Choice, (unit, decision, chosen, self._lanes.of(route.name)))

    def named(self, route: str, choice: Choice, served: str) -> str:
        """Return the id of a decision, which the outcomes that follow are reported by; `served` is who answered."""
        decision, chosen = choice.decision, choice.plan
        now = self._clock.wall()
        return self._make_id(route, chosen.decided, served, chosen.reason, decision.version, now, choice.unit)

    def standing(self, choice: Choice) -> tuple[str, Cause | None]:
        """Return the backend that would answer now, and why it is not the decided one."""
        order = choice.plan.order
        refusal = choice.lanes[order[0]].refusal(self._clock.monotonic())
        if refusal is None or len(order) == 1:
            return order[0], None
        return order[1], refusal

    async def carry(self, route: Route, choice: Choice, call: Call) -> Dispatched:
        """Carry the call to the first backend of the plan that answers."""
        chosen = choice.plan
        carried = await dispatch(route, chosen, call, choice.lanes, self._send, self._clock.monotonic)
        self._metrics.count_answer(route.name, chosen.decided, carried.backend or "none")
        for attempt in carried.attempts:
            result = attempt.cause or "answered"
            self._metrics.count_attempt(route.name, attempt.backend, result, attempt.elapsed_ms / 1000)
            if attempt.cause not in QUIET:
                log.warning(
                    "attempt failed",
                    route=route.name,
                    backend=attempt.backend,
                    cause=result,
                    why=attempt.detail,
                    status=attempt.status,
                )
        return carried
