"""The acts about rollouts: three that must not go on, side by side, and one that must survive its leader."""

import asyncio
import signal
import time

from app.demo.evidence import Claim
from app.demo.report import Report
from app.demo.rollouts import claims
from app.demo.rollouts.callers import Callers
from app.demo.rollouts.evidence import Document, Succession
from app.demo.rollouts.fleet import Fleet, Replica, manned
from app.demo.rollouts.plans import plan_of
from app.demo.rollouts.watch import RolloutWatch
from app.demo.story import CALM_S, played

FAILING_PER_SECOND = 110
SLOW_PER_SECOND = 50
SUCCESSION_PER_SECOND = 80
WITHIN_S = 150.0
QUIET_S = 8.0
TAKEN_OVER_CAP_S = 30.0
LOOK_EVERY_S = 0.1
SECOND_STEP = 1


async def tell_rollouts(report: Report) -> tuple[list[Claim], str]:
    """Play all acts, and return the claims and the totals. Raises ChildError when a process has died by itself."""
    async with manned(report) as fleet:
        told = await asyncio.gather(
            played(fleet, "New has 3 times the errors", lambda: roll_back_failing(fleet)),
            played(fleet, "At the same time: new is 40 % slower", lambda: roll_back_slow(fleet)),
            played(fleet, "At the same time: nobody calls", lambda: hold_quiet(fleet)),
        )
        last = await played(fleet, "The leader is killed (SIGKILL) in mid-rollout", lambda: kill_leader(fleet))
        return [*told, last], fleet.totals()


async def roll_back_failing(fleet: Fleet) -> Claim:
    """Roll out a side that fails three times as often."""
    return await _rolled_back(fleet, "failing", FAILING_PER_SECOND, "errors", claims.FAILING)


async def roll_back_slow(fleet: Fleet) -> Claim:
    """Roll out a side whose every answer takes 40 % longer."""
    return await _rolled_back(fleet, "slow", SLOW_PER_SECOND, "p95", claims.SLOW)


async def _rolled_back(fleet: Fleet, name: str, per_second: float, gate: str, claim: str) -> Claim:
    watch, began = RolloutWatch(fleet.clients, fleet.report), time.perf_counter()
    async with Callers(fleet, name).calling(per_second) as stream:
        await watch.start(plan_of(name))
        await watch.until_over(WITHIN_S)
        await asyncio.sleep(CALM_S)
        visits = await stream.since(began)
    return claims.is_rolled_back(await watch.course(visits), gate, claim)


async def hold_quiet(fleet: Fleet) -> Claim:
    """Roll out on a route that nobody calls, and abort it in the end."""
    watch = RolloutWatch(fleet.clients, fleet.report)
    await watch.start(plan_of("quiet"))
    await watch.until(lambda rollout: rollout["state"] == "holding", WITHIN_S)
    until = time.perf_counter() + QUIET_S
    while time.perf_counter() < until:
        await watch.look()
        await asyncio.sleep(LOOK_EVERY_S)
    course = await watch.course(())
    await watch.abort()
    return claims.holds_without_data(course)


async def kill_leader(fleet: Fleet) -> Claim:
    """Kill whoever steers while half of the users are on new, and let the other replica go on."""
    watch, began = RolloutWatch(fleet.clients, fleet.report), time.perf_counter()
    callers = Callers(fleet, "succession")
    async with callers.calling(SUCCESSION_PER_SECOND) as stream:
        await watch.start(plan_of("succession"))
        await watch.until(_is_in_mid_step, WITHIN_S)
        leader, other = await _leader_and_other(fleet)
        await watch.look()
        leader.child.signal(signal.SIGKILL)
        killed_at = time.perf_counter()
        fleet.report.remark(f"          {leader.child.name} led, and is killed")
        led, _ = await asyncio.gather(_leads_after(other, killed_at), watch.until_over(WITHIN_S))
        visits = await stream.since(began)
    return claims.is_finished_by_the_other(await watch.course(visits), Succession(killed_at, led, callers.cut_off))


def _is_in_mid_step(rollout: Document) -> bool:
    """Whether every gate of the second step has begun to count."""
    gates = (rollout["progress"] or {}).get("gates", ())
    return rollout["step"] == SECOND_STEP and all(gate["new"]["exposures"] > 0 for gate in gates)


async def _leader_and_other(fleet: Fleet) -> tuple[Replica, Replica]:
    first, second = fleet.replicas
    return (first, second) if await first.leads() else (second, first)


async def _leads_after(replica: Replica, since: float) -> float | None:
    """Return after how many seconds a replica led, None if it did not."""
    while not await replica.leads():
        if time.perf_counter() - since > TAKEN_OVER_CAP_S:
            return None
        await asyncio.sleep(LOOK_EVERY_S)
    return time.perf_counter() - since
