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
from app.sticky_tokens import STICKY_HEADER, StickyTokens
from flags.context import Context, unit_in
from flags.decision import Decision
from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Reason
from flags.sticky import YIELDING, Held, sticking
from routers.attempts import Dispatched
from routers.call import Call, Headers, Send
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.lanes import Lane
from routers.model import Route
from routers.plan import Plan, plan

log = structlog.get_logger("crossfade.route")

QUIET = {None, Cause.BREAKER_OPEN, Cause.SLOW_START, Cause.CONCURRENCY, Cause.FALLBACK_CONCURRENCY}
"""What is counted and not logged: a backend that fails is heard of until its breaker opens."""


STAYING = YIELDING | {Reason.STICKY}
"""Decisions that a caller may go on with."""


class Stay(NamedTuple):
    """For how many seconds a flag's callers stay, and the token that this one has handed back, if it is good."""

    ttl_s: int
    token: bytes | None


class Choice(NamedTuple):
    """What was decided for one call; `unit` is what the flag hashes, as the caller gave it, None for none.

    `lanes` are the route's of that moment: a change of the route takes no backend from a call that is under way.
    `stay` is None where the flag is not sticky, or the caller has no key.
    """

    unit: object
    decision: Decision
    plan: Plan
    lanes: Mapping[str, Lane]
    stay: Stay | None = None


# what a named tuple's own constructor calls, at half the price: this is the hot path
choice_of = tuple.__new__


class Traffic:
    """Decides calls and carries them; no store is asked on the way."""

    def __init__(
        self,
        live: Live,
        lanes: LaneBook,
        send: Send,
        metrics: Metrics,
        clock: Clock,
        ids: DecisionIds,
        tokens: StickyTokens,
        seen: Seen,
    ) -> None:
        self._live = live
        self._lanes = lanes
        self._send = send
        self._metrics = metrics
        self._clock = clock
        self._make_id = ids.make
        self._tokens = tokens
        self._note = seen.note

    def choose(self, route: Route, context: Context, headers: Headers) -> Choice:
        """Decide where a call of the route goes; its headers may hand back a sticky token."""
        ruleset = self._live.state.ruleset
        decision = evaluate(ruleset, route.flag, context, self._clock.wall())
        flag, stay = ruleset.document(route.flag), None
        unit = unit_in(context, ruleset.hashed_by(route.flag))
        if flag is not None and flag.sticky is not None and (who := named_by(unit)):
            decision, stay = self._stayed(route, flag, flag.sticky.ttl_s, decision, who, headers)
        self._note(route.flag, decision.variant)
        chosen = plan(route, decision, killed=ruleset.killed.reaches_route(route.name))
        self._metrics.count_decision(route.name, chosen.decided, chosen.reason)
        return choice_of(Choice, (unit, decision, chosen, self._lanes.of(route.name), stay))

    def _stayed(
        self, route: Route, flag: Flag, ttl_s: int, decision: Decision, who: str, headers: Headers
    ) -> tuple[Decision, Stay]:
        token = next((value for name, value in headers if name == STICKY_HEADER), None)
        held = None if token is None else self._tokens.read(token, route.name, flag.key, who, self._clock.wall())
        if held is None or held.variant not in flag.variants:
            return decision, Stay(ttl_s, None)
        return sticking(decision, held, flag), Stay(ttl_s, token)

    def sticky_token(self, route: Route, choice: Choice, served: str) -> bytes | None:
        """Return what the caller shall hand back to stay with `served`: his own token while that is good.

        None where the flag is not sticky, or the decision is one that nobody may go on with.
        """
        decision, stay = choice.decision, choice.stay
        if stay is None or choice.plan.reason not in STAYING:
            return None
        if stay.token is not None:
            return stay.token
        expires = int(self._clock.wall()) + stay.ttl_s
        held = Held(served, decision.version)
        token = self._tokens.make(route.name, decision.flag, named_by(choice.unit), held, expires)
        return None if token is None else token.encode()

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


def named_by(unit: object) -> str:
    """Return the caller's key as text, "" for a caller without one; an integer is the same caller as its decimals."""
    return str(unit) if isinstance(unit, str | int) and not isinstance(unit, bool) else ""
