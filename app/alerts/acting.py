"""What a critical alert does: everybody of its route goes back to the safe side, at once."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog
from pydantic import JsonValue

from app.alerts.model import Alert, Did, Severity, Status
from app.auth import new_secret
from app.clock import Clock
from app.errors import ProblemError
from app.notices.model import NoticeKind
from app.refresh import Live
from app.stores.records import StoreUnavailableError
from app.switch import Switch
from flags.kills import ALL, Kill
from routers.model import Route

log = structlog.get_logger("crossfade.alerts")

SAME_S = 300.0
"""For how long an alert that comes again is the same one: it counts up, and is not acted on a second time."""

MOST_REMEMBERED = 1000

ROLL_BACK_S = 5.0
"""How long a rollout may take to be rolled back before its flag is killed."""

RollBack = Callable[[str, str], Awaitable[None]]
"""Rolls the active rollout of a route back, and says why. Raises ProblemError, StoreUnavailableError."""

Notify = Callable[[NoticeKind, Mapping[str, JsonValue]], None]


class Deed(NamedTuple):
    """What was done, and in words why not more."""

    did: Did
    note: str = ""


class Acting:
    """Acts on critical alerts, each once; no database is asked before."""

    def __init__(self, live: Live, switch: Switch, roll_back: RollBack, notify: Notify, clock: Clock) -> None:
        self._live = live
        self._switch = switch
        self._roll_back = roll_back
        self._notify = notify
        self._clock = clock
        self._acted: OrderedDict[tuple[str, str, str], tuple[float, str]] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def on(self, alert: Alert, by: str) -> Deed:
        """Do what an alert that `by` brought asks for. Never raises: what fails is told as FAILED."""
        if alert.status is Status.RESOLVED or alert.severity is not Severity.CRITICAL:
            return Deed(Did.NOTHING)
        if alert.route is None:
            told = "it names no route: say which in the body, by a label `route`, or with ?route=NAME"
            return Deed(Did.NOTHING, told)
        async with self._one_at_a_time:
            route = self._live.state.routes.get(alert.route)
            if route is None:
                return Deed(Did.NOTHING, f'there is no route "{alert.route}"')
            if self._is_done(alert):
                return Deed(Did.NOTHING, "it was acted on already")
            steered = self._live.state.steered.get(route.name)
            deed = await self._back(alert, route, by)
            if deed.did is not Did.FAILED:
                self._remember(alert, steered.id if steered else "")
        if deed.did in {Did.KILLED, Did.ROLLED_BACK}:
            facts = {"route": route.name, "flag": route.flag, "did": deed.did.value, "why": alert.told, "actor": by}
            self._notify(NoticeKind.ALERT_ACTED, facts)
        return deed

    async def _back(self, alert: Alert, route: Route, by: str) -> Deed:
        rollout = self._live.state.steered.get(route.name)
        failed = ""
        if rollout is not None and not rollout.plan.dry_run:
            try:
                async with asyncio.timeout(ROLL_BACK_S):
                    await self._roll_back(route.name, alert.told)
            except (ProblemError, StoreUnavailableError, TimeoutError) as error:
                why = str(error) or f"it took longer than {ROLL_BACK_S:g} s"
                failed = f"the rollout could not be rolled back: {why}"
                log.warning("rollout not rolled back, its flag is killed", route=route.name, why=why)
            else:
                return Deed(Did.ROLLED_BACK)
        if self._is_killed(route):
            return Deed(Did.NOTHING, failed or f'flag "{route.flag}" is killed already')
        return await self._kill(alert, route, by, failed)

    async def _kill(self, alert: Alert, route: Route, by: str, failed: str) -> Deed:
        scope = f"flag:{route.flag}"
        made = Kill(id=f"{scope}/{new_secret()[:8]}", scope=scope, reason=alert.told, actor=by, at=self._clock.now())
        try:
            await self._switch.kill(made)
        except ProblemError as error:
            return Deed(Did.FAILED, error.detail)
        return Deed(Did.KILLED, failed)

    def _is_killed(self, route: Route) -> bool:
        reached = {ALL, f"flag:{route.flag}", f"route:{route.name}"}
        return any(kill.scope in reached for kill in self._live.state.kills.values())

    def _is_done(self, alert: Alert) -> bool:
        """Say whether it was acted on, and not before the rollout that is active now was started."""
        at, of = self._acted.get(_name(alert), (-math.inf, ""))
        steered = self._live.state.steered.get(alert.route or "")
        return self._clock.monotonic() - at < SAME_S and (steered is None or steered.id == of)

    def _remember(self, alert: Alert, rollout: str) -> None:
        self._acted[_name(alert)] = self._clock.monotonic(), rollout
        self._acted.move_to_end(_name(alert))
        if len(self._acted) > MOST_REMEMBERED:
            self._acted.popitem(last=False)


def _name(alert: Alert) -> tuple[str, str, str]:
    return alert.fingerprint, alert.route or "", alert.started_at
